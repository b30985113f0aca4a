# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the declaration of a gateway to its objects: listeners, certificates, address, and what closes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..arm.names import DNS_LABEL, INTERNAL, PIP_GROUP, PIP_NAME, RANGES
from ..kube.apply.owned_objects import TYPES as KUBERNETES_TYPES
from ..kube.apply.requests import Target
from ..kube.discovery import ResourceType
from ..kube.manifests import Object, object_ref
from ..kube.policy_peers import NAMESPACE_NAME, way_to_names
from ..text import texts_of_mapping
from .gateway_readiness import CLASS, ENVOY_API, GATEWAY_API, KINDS

ENVOY, APP_ROUTING, PLAIN = "envoy", "approuting-istio", "plain"
RENDERERS = (ENVOY, APP_ROUTING, PLAIN)
CLASSES: Mapping[str, str] = {ENVOY: "eg", APP_ROUTING: "approuting-istio"}
"""The GatewayClass of a renderer; a plain one is the user's."""
OWNER_LABEL = "mcpops.io/gateway"
"""On every object of a gateway, with its namespace and name: what tells ours from others."""
CALLER_HEADER = "x-mcp-caller"
"""What servers and rate limits see of the caller. Whatever a client sends under this name is dropped first."""
MCP_FILTER = "envoy.filters.http.mcp"
JWT_FILTER = "envoy.filters.http.jwt_authn"
CONTROLLER_NAMESPACE = "envoy-gateway-system"
HTTPS_PORT = 443
# Envoy is no root: EG moves ports below 1024 by this many inside of the pod (EG, "Gateway Address")
_MOVED_PORT, _FIRST_FREE_PORT = 10000, 1024
_XDS_PORT = 18000
# where clouds answer pods with credentials and settings of the node
METADATA_ADDRESSES = ("169.254.169.254/32", "168.63.129.16/32")
# addresses of the link alone, where clouds answer of IPv6
_LINK = "fe80::/10"

GATEWAY_GROUP, ENVOY_GROUP = GATEWAY_API.partition("/")[0], ENVOY_API.partition("/")[0]
TYPES: Mapping[str, ResourceType] = {
    "NetworkPolicy": KUBERNETES_TYPES["NetworkPolicy"],
    **{kind: ResourceType(version, kind, plural, kind != CLASS) for kind, (version, plural) in KINDS.items()},
}

EXTERNAL_DNS = "external-dns.alpha.kubernetes.io/hostname"
KEY_VAULT_URI, KEY_VAULT_ACCOUNT = (
    f"kubernetes.azure.com/tls-cert-{name}" for name in ("keyvault-uri", "service-account")
)


@dataclass(frozen=True)
class DeclaredGateway:
    """The options of the module gateway."""

    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.options["name"])

    @property
    def namespace(self) -> str:
        return str(self.options["namespace"])

    @property
    def renderer(self) -> str:
        return str(self.options["renderer"])

    @property
    def owner(self) -> str:
        return f"{self.namespace}.{self.name}"

    @property
    def class_name(self) -> str:
        return str(self.options.get("class_name") or CLASSES.get(self.renderer, ""))

    @property
    def controller_namespace(self) -> str:
        return str(self.options.get("controller_namespace") or CONTROLLER_NAMESPACE)

    @property
    def address(self) -> Mapping[str, Any]:
        return self.options.get("address") or {}

    @property
    def listeners(self) -> Sequence[Mapping[str, Any]]:
        return self.options.get("listeners") or ()

    @property
    def deny_name(self) -> str:
        return f"{self.name}-default-deny"

    @property
    def filter_name(self) -> str:
        return f"{self.name}-mcp"

    @property
    def proxy_policy_name(self) -> str:
        """It stands where proxies of several gateways do."""
        return f"{self.owner}-proxy"


def typed_object(kind: str, name: str, namespace: str, owner: str, **content: Any) -> Object:
    labels = {OWNER_LABEL: owner}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": TYPES[kind].api_version, "kind": kind, "metadata": metadata, **content}


def target_named(kind: str, name: str, namespace: str | None) -> Target:
    """Where an object of ours is, whether it is declared or not."""
    place = {"namespace": namespace} if namespace else {}
    declared = {"apiVersion": TYPES[kind].api_version, "kind": kind, "metadata": {"name": name, **place}}
    return Target(object_ref(declared), TYPES[kind], declared)


def secret_name(gateway: DeclaredGateway, listener: Mapping[str, Any]) -> str:
    """Of the Secret with a listener's certificate, given or made by cert-manager."""
    return str((listener["tls"] or {}).get("secret") or f"{gateway.name}-{listener['name']}-tls")


def gateway_objects(gateway: DeclaredGateway) -> list[list[Object]]:
    """In the order in which they are applied: what closes the gateway stands before anything is listened to."""
    before = [_certificate(gateway, one) for one in gateway.listeners if one["tls"].get("issuer")]
    if gateway.renderer == ENVOY:
        before += [_proxy(gateway), _default_deny(gateway), _client_traffic(gateway), _filter(gateway)]
        if gateway.options["network_policy"]:
            before.append(_proxy_policy(gateway))
    return [some for some in (before, [_gateway(gateway)]) if some]


def every_object(gateway: DeclaredGateway) -> list[tuple[str, str, str]]:
    """(kind, name, namespace) of all that a gateway may consist of, in the order of its removal.

    The way in goes first, and what closes it afterwards. Certificates are known by their listeners.
    """
    own = [
        ("Gateway", gateway.name),
        *((("Certificate", secret_name(gateway, one))) for one in gateway.listeners if one["tls"].get("issuer")),
        ("EnvoyPatchPolicy", gateway.filter_name),
        ("ClientTrafficPolicy", gateway.name),
        ("EnvoyProxy", gateway.name),
        ("SecurityPolicy", gateway.deny_name),
    ]
    beside = ("NetworkPolicy", gateway.proxy_policy_name, gateway.controller_namespace)
    return [*((kind, name, gateway.namespace) for kind, name in own), beside]


def annotations_of(gateway: DeclaredGateway) -> dict[str, str]:
    """What the Service in front of the gateway is told."""
    address = gateway.address
    found: dict[str, str] = {}
    if address.get("internal"):
        found[INTERNAL] = "true"
    if address.get("public_ip"):
        found[PIP_NAME] = address["public_ip"]["name"]
        found[PIP_GROUP] = address["public_ip"]["resource_group"]
    if address.get("dns_label"):
        found[DNS_LABEL] = address["dns_label"]
    if address.get("external_dns"):
        found[EXTERNAL_DNS] = ",".join(dict.fromkeys(one["hostname"] for one in gateway.listeners))
    if address.get("source_ranges") and gateway.renderer != ENVOY:
        found[RANGES] = ",".join(address["source_ranges"])
    return {**found, **texts_of_mapping(address.get("annotations") or {})}


def _gateway(gateway: DeclaredGateway) -> Object:
    spec: dict[str, Any] = {
        "gatewayClassName": gateway.class_name,
        "listeners": [_listener(gateway, one) for one in gateway.listeners],
    }
    if gateway.address.get("ip"):
        spec["addresses"] = [{"type": "IPAddress", "value": gateway.address["ip"]}]
    if gateway.renderer == ENVOY:
        parameters = {"group": ENVOY_GROUP, "kind": "EnvoyProxy", "name": gateway.name}
        spec["infrastructure"] = {"parametersRef": parameters}
    elif annotations := annotations_of(gateway):
        spec["infrastructure"] = {"annotations": annotations}
    return typed_object("Gateway", gateway.name, gateway.namespace, gateway.owner, spec=spec)


def _listener(gateway: DeclaredGateway, listener: Mapping[str, Any]) -> dict[str, Any]:
    tls: dict[str, Any] = {"mode": "Terminate"}
    if listener["tls"].get("key_vault"):
        vault = listener["tls"]["key_vault"]
        # the operator of AKS fetches the certificate and names it in the listener itself
        tls["options"] = {KEY_VAULT_URI: vault["certificate_uri"], KEY_VAULT_ACCOUNT: vault["service_account"]}
    else:
        tls["certificateRefs"] = [{"group": "", "kind": "Secret", "name": secret_name(gateway, listener)}]
    namespaces: dict[str, Any] = {"from": "Same"}
    if gateway.options.get("route_namespaces"):
        values = sorted(set(gateway.options["route_namespaces"]))
        selected = {"key": NAMESPACE_NAME, "operator": "In", "values": values}
        namespaces = {"from": "Selector", "selector": {"matchExpressions": [selected]}}
    return {
        "name": listener["name"],
        "protocol": "HTTPS",
        "port": listener["port"],
        "hostname": listener["hostname"],
        "tls": tls,
        "allowedRoutes": {"namespaces": namespaces, "kinds": [{"group": GATEWAY_GROUP, "kind": "HTTPRoute"}]},
    }


def _certificate(gateway: DeclaredGateway, listener: Mapping[str, Any]) -> Object:
    issuer = listener["tls"]["issuer"]
    name = secret_name(gateway, listener)
    spec = {
        "secretName": name,
        "dnsNames": [listener["hostname"]],
        "issuerRef": {"group": "cert-manager.io", "kind": issuer["kind"], "name": issuer["name"]},
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "usages": ["digital signature", "server auth"],
    }
    return typed_object("Certificate", name, gateway.namespace, gateway.owner, spec=spec)


def _proxy(gateway: DeclaredGateway) -> Object:
    """What Envoy runs as, how it is reached, and what it logs."""
    envoy = gateway.options.get("envoy") or {}
    # with Local, rules and logs see the caller's address and not that of a node
    service: dict[str, Any] = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    if annotations := annotations_of(gateway):
        service["annotations"] = annotations
    if gateway.address.get("source_ranges"):
        service["loadBalancerSourceRanges"] = list(gateway.address["source_ranges"])
    container = {name: envoy[name] for name in ("image", "resources") if envoy.get(name)}
    deployment: dict[str, Any] = {"replicas": envoy["replicas"]} if envoy.get("replicas") else {}
    if container:
        deployment["container"] = container
    kubernetes = {"envoyService": service, **({"envoyDeployment": deployment} if deployment else {})}
    spec = {
        "provider": {"type": "Kubernetes", "kubernetes": kubernetes},
        "telemetry": {
            "accessLog": {
                "settings": [
                    {
                        "format": {"type": "JSON", "json": access_log_fields(gateway.options.get("callers") or ())},
                        "sinks": [{"type": "File", "file": {"path": "/dev/stdout"}}],
                    }
                ]
            }
        },
    }
    return typed_object("EnvoyProxy", gateway.name, gateway.namespace, gateway.owner, spec=spec)


def access_log_fields(callers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """A line a request, with the caller as the token says it and the tool as the body says it. No query: it may hold a
    token."""
    found = {
        "time": "%START_TIME%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "detail": "%RESPONSE_CODE_DETAILS%",
        "host": "%REQ(:AUTHORITY)%",
        "path": "%PATH(NQ)%",
        "http_method": "%REQ(:METHOD)%",
        "method": f"%DYNAMIC_METADATA({MCP_FILTER}:method)%",
        "tool": f"%DYNAMIC_METADATA({MCP_FILTER}:params:name)%",
        "protocol": "%REQ(MCP-PROTOCOL-VERSION)%",
        "route": "%ROUTE_NAME%",
        "from": "%DOWNSTREAM_REMOTE_ADDRESS%",
        "upstream": "%UPSTREAM_HOST%",
        "ms": "%DURATION%",
        "id": "%REQ(X-REQUEST-ID)%",
    }
    for one in callers:
        key = "caller" if len(callers) == 1 else f"caller_{one['name']}"
        found[key] = f"%DYNAMIC_METADATA({JWT_FILTER}:{one['name']}:{one['claim']})%"
    return found


def _on_gateway(gateway: DeclaredGateway) -> list[dict[str, str]]:
    return [{"group": GATEWAY_GROUP, "kind": "Gateway", "name": gateway.name}]


def _default_deny(gateway: DeclaredGateway) -> Object:
    """A route without a policy of its own answers nobody, and neither does one whose policy was deleted."""
    spec = {"targetRefs": _on_gateway(gateway), "authorization": {"defaultAction": "Deny"}}
    return typed_object("SecurityPolicy", gateway.deny_name, gateway.namespace, gateway.owner, spec=spec)


def _client_traffic(gateway: DeclaredGateway) -> Object:
    spec = {
        "targetRefs": _on_gateway(gateway),
        "tls": {"minVersion": "1.2"},
        # one spelling of a path for the rules and for the server
        "path": {"escapedSlashesAction": "RejectRequest"},
        "headers": {"earlyRequestHeaders": {"remove": [CALLER_HEADER]}},
    }
    return typed_object("ClientTrafficPolicy", gateway.name, gateway.namespace, gateway.owner, spec=spec)


def _filter(gateway: DeclaredGateway) -> Object:
    """Envoy's own MCP filter, first on every listener: it reads method and tool from the body, in both eras.

    Envoy Gateway leaves a listener out while it is not ready, as without its certificate. By its older names, Envoy's
    listener is called after the first one of its port that is ready, and the patch of another name would be without
    effect for all of them. Names of its second scheme (runtime flag XDSNameSchemeV2) follow the port alone.
    """
    patches = [
        {
            "type": "type.googleapis.com/envoy.config.listener.v3.Listener",
            "name": f"tcp-{port}",
            "operation": {
                "op": "add",
                # every hostname of the port has a chain of its own
                "jsonPath": "filter_chains[*].filters[*].typed_config",
                "path": "/http_filters/0",
                "value": {
                    "name": MCP_FILTER,
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.mcp.v3.Mcp",
                        # refusing what is not MCP would close the metadata and other routes of the listener as well
                        "traffic_mode": "PASS_THROUGH",
                        "max_request_body_size": gateway.options["max_body_bytes"],
                        "reject_duplicate_keys": True,
                    },
                },
            },
        }
        for port in dict.fromkeys(one["port"] for one in gateway.listeners)
    ]
    target = {"group": GATEWAY_GROUP, "kind": "Gateway", "name": gateway.name}
    spec = {"targetRef": target, "type": "JSONPatch", "jsonPatches": patches}
    return typed_object("EnvoyPatchPolicy", gateway.filter_name, gateway.namespace, gateway.owner, spec=spec)


def proxy_port(port: int) -> int:
    """The port of a listener inside of the proxy's pod."""
    return port + _MOVED_PORT if port < _FIRST_FREE_PORT else port


def proxy_labels(name: str, namespace: str) -> dict[str, str]:
    """What the pods of a gateway's proxies carry."""
    prefix = "gateway.envoyproxy.io/owning-gateway"
    return {f"{prefix}-name": name, f"{prefix}-namespace": namespace}


def _proxy_policy(gateway: DeclaredGateway) -> Object:
    """In: the listeners. Out: the servers of the routes, the controller, names, and the issuers' keys."""
    backends = gateway.options.get("backends") or ()
    ports: dict[str, set[int]] = {}
    for one in backends:
        ports.setdefault(one["namespace"], set()).add(one["port"])
    outside = [{"cidr": "0.0.0.0/0", "except": list(METADATA_ADDRESSES)}, {"cidr": "::/0", "except": [_LINK]}]
    cidrs = gateway.options.get("issuer_cidrs")
    blocks = outside if cidrs is None else [{"cidr": cidr} for cidr in cidrs]
    peers = [{"ipBlock": block} for block in blocks]
    given = gateway.options.get("issuer_ports")
    # none where all keys are in ConfigMaps: nothing is fetched
    issuer_ports = [HTTPS_PORT] if given is None else sorted(set(given))
    egress = [
        way_to_names(),
        {
            "to": [{"podSelector": {"matchLabels": {"control-plane": "envoy-gateway"}}}],
            "ports": [{"port": _XDS_PORT, "protocol": "TCP"}],
        },
        *(
            {
                "to": [{"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: namespace}}}],
                "ports": [{"port": port, "protocol": "TCP"} for port in sorted(found)],
            }
            for namespace, found in sorted(ports.items())
        ),
    ]
    if peers and issuer_ports:
        egress.append({"to": peers, "ports": [{"port": port, "protocol": "TCP"} for port in issuer_ports]})
    inside = sorted({proxy_port(one["port"]) for one in gateway.listeners})
    spec = {
        "podSelector": {"matchLabels": proxy_labels(gateway.name, gateway.namespace)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": port, "protocol": "TCP"} for port in inside]}],
        "egress": egress,
    }
    place = gateway.controller_namespace
    return typed_object("NetworkPolicy", gateway.proxy_policy_name, place, gateway.owner, spec=spec)
