# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway that runs: Envoy Gateway and cert-manager as releases, plain manifests before an MCP server of both eras,
an API registered at the local Entra, and the official SDK's client."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp_servers import environments

from localcloud import apis
from localcloud.azure.entra import USER
from localcloud.extra_images import provide_set
from localcloud.images import gateway as images

HOST = "tools.localcloud.onmicrosoft.com"
"""Below the domain that the directory has verified: the URL of a server is a URI of its application then."""
RESOURCE = f"https://{HOST}/mcp"
METADATA = "/.well-known/oauth-protected-resource/mcp"
ALLOWED = ("echo", "add", "whoami")
CONTROLLER, CERTIFICATES, WAY_IN, SERVERS = "envoy-gateway-system", "cert-manager", "way-in", "mcp"
ENVOY, CORE = "gateway.envoyproxy.io", "gateway.networking.k8s.io"
FILTER = "envoy.filters.http.mcp"
CLIENT = environments.PROGRAMS / "guarded_client.py"
Object = dict[str, Any]


def provide(cloud: Any) -> None:
    """The registry of the local cloud holds images and charts."""
    provide_set("gateway", cloud.settings, print)


def releases(cloud: Any) -> list[dict[str, Any]]:
    """What `helm_release` is given."""
    common = {"create_namespace": True, "ca_file": cloud.environment["ca_file"], "wait": True, "wait_timeout": 300}
    charts = {
        CERTIFICATES: (images.CERT_MANAGER_CHART, {"installCRDs": True, "startupapicheck": {"enabled": False}}),
        CONTROLLER: (
            images.GATEWAY_CHART,
            {
                "global": {"images": {"envoyProxy": {"image": f"docker.io/{images.ENVOY}"}}},
                "config": {
                    "envoyGateway": {
                        "extensionApis": {"enableBackend": True, "enableEnvoyPatchPolicy": True},
                        "runtimeFlags": {"enabled": ["XDSNameSchemeV2"]},
                    },
                },
                "topologyInjector": {"enabled": False},
            },
        ),
    }
    return [
        {
            "name": chart.name,
            "namespace": namespace,
            "chart_ref": f"oci://{cloud.registry}/{chart.repository}/{chart.name}",
            "chart_version": chart.version,
            "values": values,
            **common,
        }
        for namespace, (chart, values) in charts.items()
    ]


def made(api_version: str, kind: str, name: str, namespace: str = "", **content: Any) -> Object:
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **place}, **content}


def _reference(kind: str, name: str, group: str = CORE, **more: str) -> dict[str, str]:
    return {"group": group, "kind": kind, "name": name, **more}


# --- the way in


def way_in() -> list[Object]:
    """An authority, a Gateway with a certificate of it, and nothing that any route lets through by itself."""
    issuer = "cert-manager.io/v1"
    key = {"algorithm": "ECDSA"}
    proxy = {
        "type": "Kubernetes",
        "kubernetes": {
            "envoyService": {"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
            # said here again: what the chart was given counts for gateways without an EnvoyProxy of their own
            "envoyDeployment": {"container": {"image": f"docker.io/{images.ENVOY}"}},
        },
    }
    log = {
        "status": "%RESPONSE_CODE%",
        "detail": "%RESPONSE_CODE_DETAILS%",
        "host": "%REQ(:AUTHORITY)%",
        "path": "%PATH(NQ)%",
        "caller": "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:entra:oid)%",
        "method": f"%DYNAMIC_METADATA({FILTER}:method)%",
        "tool": f"%DYNAMIC_METADATA({FILTER}:params:name)%",
    }
    sinks = [{"type": "File", "file": {"path": "/dev/stdout"}}]
    access = {"settings": [{"format": {"type": "JSON", "json": log}, "sinks": sinks}]}
    listener = {
        "name": "https",
        "protocol": "HTTPS",
        "port": 443,
        "hostname": f"*.{HOST.partition('.')[2]}",
        "tls": {"mode": "Terminate", "certificateRefs": [{"name": "way-in"}]},
        "allowedRoutes": {
            "namespaces": {"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": SERVERS}}}
        },
    }
    patch = {
        "type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": "tcp-443",
        "operation": {
            "op": "add",
            "jsonPath": "filter_chains[*].filters[*].typed_config",
            "path": "/http_filters/0",
            "value": {
                "name": FILTER,
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.mcp.v3.Mcp",
                    "traffic_mode": "PASS_THROUGH",
                    "max_request_body_size": 1 << 20,
                },
            },
        },
    }
    target = _reference("Gateway", "way-in")
    return [
        made(issuer, "Issuer", "by-itself", WAY_IN, spec={"selfSigned": {}}),
        made(
            issuer,
            "Certificate",
            "authority",
            WAY_IN,
            spec={
                "isCA": True,
                "commonName": "authority of the way in",
                "secretName": "authority",
                "privateKey": key,
                "issuerRef": {"name": "by-itself"},
            },
        ),
        made(issuer, "Issuer", "authority", WAY_IN, spec={"ca": {"secretName": "authority"}}),
        made(
            issuer,
            "Certificate",
            "way-in",
            WAY_IN,
            spec={
                "secretName": "way-in",
                "dnsNames": [HOST],
                "privateKey": key,
                "issuerRef": {"name": "authority"},
            },
        ),
        made(
            f"{ENVOY}/v1alpha1",
            "EnvoyProxy",
            "way-in",
            CONTROLLER,
            spec={"provider": proxy, "telemetry": {"accessLog": access}},
        ),
        made(
            f"{CORE}/v1",
            "GatewayClass",
            "way-in",
            spec={
                "controllerName": f"{ENVOY}/gatewayclass-controller",
                "parametersRef": _reference("EnvoyProxy", "way-in", ENVOY, namespace=CONTROLLER),
            },
        ),
        # before the Gateway: no moment in which a route without a policy is open
        made(
            f"{ENVOY}/v1alpha1",
            "SecurityPolicy",
            "closed",
            WAY_IN,
            spec={"targetRefs": [target], "authorization": {"defaultAction": "Deny"}},
        ),
        made(
            f"{ENVOY}/v1alpha1",
            "EnvoyPatchPolicy",
            "mcp-filter",
            WAY_IN,
            spec={"targetRef": target, "type": "JSONPatch", "jsonPatches": [patch]},
        ),
        made(
            f"{CORE}/v1",
            "Gateway",
            "way-in",
            WAY_IN,
            spec={"gatewayClassName": "way-in", "listeners": [listener]},
        ),
    ]


# --- a server behind it


def server(cloud: Any) -> list[Object]:
    labels = {"app": "guarded"}
    container = {
        "name": "main",
        "image": f"{cloud.registry}/{images.GUARDED_MCP}",
        "ports": [{"containerPort": 3000}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 3000}, "periodSeconds": 2},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    return [
        made(
            "apps/v1",
            "Deployment",
            "guarded",
            SERVERS,
            spec={"selector": {"matchLabels": labels}, "template": template},
        ),
        made(
            "v1",
            "Service",
            "guarded",
            SERVERS,
            spec={"selector": labels, "ports": [{"name": "http", "port": 3000, "appProtocol": "http"}]},
        ),
    ]


def issuer(cloud: Any) -> str:
    """Of tokens of version 2.0."""
    settings = cloud.settings
    return f"https://{settings.host_address}:{settings.azure_port}/{settings.tenant_id}/v2.0"


def guarded(cloud: Any, audience: str) -> list[Object]:
    """The route, who may call what on it, and what tells clients where to sign in."""
    settings, role = cloud.settings, {"name": "roles", "valueType": "StringArray", "values": ["mcp.user"]}
    users = {"jwt": {"provider": "entra", "claims": [role]}}
    read = f"metadata.filter_metadata['{FILTER}']"
    methods = ["server/discover", "initialize", "notifications/initialized", "tools/list", "ping"]
    allowed = (
        f"{read}['is_mcp_request'] == true && {read}['status'] == 'mcp_ok' && ({read}['method'] in {methods} || "
        f"({read}['method'] == 'tools/call' && {read}['params']['name'] in {list(ALLOWED)}))"
    )
    provider = {
        "name": "entra",
        "issuer": issuer(cloud),
        "audiences": [audience],
        "remoteJWKS": {
            "uri": f"https://localhost:{settings.azure_port}/{settings.tenant_id}/discovery/v2.0/keys",
            "backendRefs": [_reference("Backend", "entra", ENVOY)],
        },
        "claimToHeaders": [{"claim": "oid", "header": "x-mcp-caller"}],
        "extractFrom": {"headers": [{"name": "Authorization", "valuePrefix": "Bearer "}]},
    }
    document = {
        "resource": RESOURCE,
        "authorization_servers": [issuer(cloud)],
        "scopes_supported": [f"{RESOURCE}/mcp.call"],
        "bearer_methods_supported": ["header"],
    }
    parent = {"parentRefs": [{"name": "way-in", "namespace": WAY_IN}], "hostnames": [HOST]}
    challenge = f'Bearer error="invalid_token", resource_metadata="https://{HOST}{METADATA}"'
    return [
        made(
            f"{ENVOY}/v1alpha1",
            "Backend",
            "entra",
            SERVERS,
            spec={"endpoints": [{"ip": {"address": settings.host_address, "port": settings.azure_port}}]},
        ),
        made("v1", "ConfigMap", "entra", SERVERS, data={"ca.crt": settings.ca_file.read_text()}),
        made(
            f"{CORE}/v1",
            "BackendTLSPolicy",
            "entra",
            SERVERS,
            spec={
                "targetRefs": [_reference("Backend", "entra", ENVOY)],
                "validation": {"hostname": "localhost", "caCertificateRefs": [_reference("ConfigMap", "entra", "")]},
            },
        ),
        made(
            f"{ENVOY}/v1alpha1",
            "SecurityPolicy",
            "guarded",
            SERVERS,
            spec={
                "targetRefs": [_reference("HTTPRoute", "guarded")],
                "jwt": {"providers": [provider]},
                "authorization": {
                    "defaultAction": "Deny",
                    "rules": [
                        # streams and the end of older sessions carry no call
                        {
                            "name": "sessions",
                            "action": "Allow",
                            "operation": {"methods": ["GET", "DELETE"]},
                            "principal": users,
                        },
                        {"name": "users", "action": "Allow", "principal": users, "cel": allowed},
                    ],
                },
            },
        ),
        made(
            f"{ENVOY}/v1alpha1",
            "BackendTrafficPolicy",
            "guarded",
            SERVERS,
            spec={
                "targetRefs": [_reference("HTTPRoute", "guarded")],
                "responseOverride": [
                    {
                        "match": {"statusCodes": [{"type": "Value", "value": 401}]},
                        "response": {"header": {"set": [{"name": "WWW-Authenticate", "value": challenge}]}},
                    }
                ],
            },
        ),
        made(
            f"{ENVOY}/v1alpha1",
            "SecurityPolicy",
            "metadata",
            SERVERS,
            spec={"targetRefs": [_reference("HTTPRoute", "metadata")], "authorization": {"defaultAction": "Allow"}},
        ),
        made(
            f"{ENVOY}/v1alpha1",
            "HTTPRouteFilter",
            "metadata",
            SERVERS,
            spec={
                "directResponse": {
                    "contentType": "application/json",
                    "statusCode": 200,
                    "body": {"type": "Inline", "inline": json.dumps(document)},
                }
            },
        ),
        made(
            f"{CORE}/v1",
            "HTTPRoute",
            "guarded",
            SERVERS,
            spec={
                **parent,
                "rules": [
                    {
                        "matches": [{"path": {"type": "Exact", "value": "/mcp"}}],
                        "timeouts": {"request": "0s"},
                        "backendRefs": [{"name": "guarded", "port": 3000}],
                    }
                ],
            },
        ),
        made(
            f"{CORE}/v1",
            "HTTPRoute",
            "metadata",
            SERVERS,
            spec={
                **parent,
                "rules": [
                    {
                        "matches": [{"path": {"type": "Exact", "value": METADATA}, "method": "GET"}],
                        "filters": [
                            {"type": "ExtensionRef", "extensionRef": _reference("HTTPRouteFilter", "metadata", ENVOY)}
                        ],
                    }
                ],
            },
        ),
    ]


# --- who calls


@dataclass(frozen=True)
class Caller:
    """An application of the directory with a secret, by which it is given tokens."""

    client_id: str
    secret: str


class Directory:
    """The local Entra, asked as the owner of the subscription asks Graph."""

    def __init__(self, cloud: Any) -> None:
        self._directory = apis.Directory(cloud.settings)

    def api(self, uri: str = RESOURCE, role: str = "mcp.user") -> Api:
        """An application whose tokens of version 2.0 have a role; the one user of the directory has it. One of an
        earlier run goes: no two have the same URI."""
        for known in self._directory.graph("GET", "/applications")["value"]:
            if uri in known["identifierUris"]:
                self._directory.graph("DELETE", f"/applications/{known['id']}")
        identity = str(uuid.uuid4())
        scope = {"id": str(uuid.uuid4()), "value": "mcp.call", "type": "User", "isEnabled": True}
        member = {
            "id": identity,
            "value": role,
            "displayName": role,
            "allowedMemberTypes": ["User", "Application"],
        }
        app, own = self._directory.application(
            f"api of {uri}",
            identifierUris=[uri],
            appRoles=[member],
            api={"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [scope]},
        )
        api = Api(app["appId"], own["id"], uri, identity)
        self._directory.assign(api.principal, api.role, USER.object_id)
        return api

    def caller(self, name: str, api: Api | None = None) -> Caller:
        """A daemon; with an API it has the role."""
        own, secret = self._directory.daemon(name)
        if api is not None:
            self._directory.assign(api.principal, api.role, own["id"])
        return Caller(own["appId"], secret)

    def public_client(self, name: str) -> str:
        """The id of an application that people sign in with on their machines."""
        app, _ = self._directory.application(name, publicClient={"redirectUris": ["http://localhost/callback"]})
        return str(app["appId"])

    def token_for(self, api: Api, caller: Caller) -> str:
        return self._directory.token(f"{api.uri}/.default", caller.client_id, caller.secret)


@dataclass(frozen=True)
class Api:
    audience: str
    principal: str
    uri: str
    role: str


def converse(ca: Path, proxy: str, *, calls: Sequence[tuple[str, Mapping[str, Any]]] = (), **asked: Any) -> Any:
    """What the official SDK's client tells of a conversation (programs/guarded_client.py)."""
    request = {"url": RESOURCE, "ca": str(ca), "proxy": proxy, "calls": [list(call) for call in calls], **asked}
    argv = [environments.python("mcp2"), CLIENT]
    done = subprocess.run(argv, input=json.dumps(request), capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
