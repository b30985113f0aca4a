# SPDX-License-Identifier: GPL-3.0-or-later
"""What gateways are tried with: a controller, a guarded server, an issuer of tokens, calls over HTTPS from outside."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import urllib3
from cryptography.hazmat.primitives.asymmetric import rsa

from support import gateway, mesh
from support.playbook import run_tasks

NAMESPACE, SERVERS, CONTROLLER = "gateway", "guarded", "envoy-gateway-system"
ISSUER, AUDIENCE, KEYS = "https://issuer.test/", "api://mcp-gateway", "issuer-keys"
HOST = "guarded.mcp.test"
MODERN, LEGACY = "2026-07-28", "2025-11-25"
LABELS = {"app": "guarded"}


def play(cloud: Any, cluster: Any) -> dict[str, Any]:
    groups = {"group/mcpops.platform.kubernetes": {"kubeconfig": str(cluster.kubeconfig)}}
    return {"environment": cloud.process_environment(), "module_defaults": groups}


def install(cloud: Any, cluster: Any) -> None:
    """The controllers, and what they are given."""
    gateway.provide(cloud)
    tasks: list[dict[str, Any]] = [{"mcpops.platform.helm_release": one} for one in gateway.releases(cloud)]
    objects = {"definitions": _around(cloud.registry), "wait": True, "wait_timeout": 120}
    run_tasks([*tasks, {"mcpops.platform.k8s_objects": objects}], play=play(cloud, cluster)).ok()


def server(registry: str, name: str = "guarded", labels: Mapping[str, str] = LABELS) -> list[dict[str, Any]]:
    """Its Deployment and its Service."""
    container = {
        "name": "server",
        "image": f"{registry}/guarded-mcp:1.0.0",
        "ports": [{"containerPort": 3000}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 3000}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "containers": [container],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": SERVERS},
            "spec": {
                "selector": {"matchLabels": dict(labels)},
                "template": {"metadata": {"labels": dict(labels)}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": SERVERS},
            "spec": {"selector": dict(labels), "ports": [{"port": 3000, "targetPort": 3000}]},
        },
    ]


def _around(registry: str) -> list[dict[str, Any]]:
    """The server with what the gateway before it needs."""
    issuers: list[dict[str, Any]] = [
        {"metadata": {"name": "selfsigned"}, "spec": {"selfSigned": {}}},
        {"metadata": {"name": "authority"}, "spec": {"ca": {"secretName": "authority"}}},
    ]
    return [
        *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (NAMESPACE, SERVERS)),
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": "eg"},
            "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
        },
        *server(registry),
        *({"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", **one} for one in issuers),
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": {"name": "authority", "namespace": "cert-manager"},
            "spec": {
                "isCA": True,
                "commonName": "authority of the tests",
                "secretName": "authority",
                "privateKey": {"algorithm": "ECDSA"},
                "issuerRef": {"name": "selfsigned", "kind": "ClusterIssuer"},
            },
        },
    ]


@dataclass(frozen=True)
class Issuer:
    """Signs tokens with a key of its own, whose public half the gateway knows."""

    key: rsa.RSAPrivateKey

    @classmethod
    def new(cls) -> Issuer:
        return cls(rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @classmethod
    def published(cls, cluster: Any) -> Issuer:
        issuer = cls.new()
        mesh.apply(cluster, [issuer.keys(SERVERS)])
        return issuer

    def keys(self, namespace: str) -> dict[str, Any]:
        """The ConfigMap that routes name."""
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        document = json.dumps({"keys": [{**public, "kid": "1", "use": "sig", "alg": "RS256"}]})
        metadata = {"name": KEYS, "namespace": namespace}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"jwks": document}}

    def token(self, *roles: str, **claims: Any) -> str:
        given = {"iss": ISSUER, "aud": AUDIENCE, "sub": "agent-7", "exp": int(time.time()) + 600, "roles": list(roles)}
        return jwt.encode({**given, **claims}, self.key, "RS256", headers={"kid": "1"})


@dataclass(frozen=True)
class Client:
    """Calls a gateway at its address, by the name of a route."""

    address: str
    ca_file: Path
    host: str = HOST

    def send(
        self, body: Any, token: str = "", *, method: str = "POST", path: str = "/mcp", **headers: str
    ) -> urllib3.BaseHTTPResponse:
        pool = urllib3.HTTPSConnectionPool(
            self.address,
            443,
            server_hostname=self.host,
            assert_hostname=self.host,
            ca_certs=str(self.ca_file),
            timeout=10.0,
        )
        sent = {
            "Host": self.host,
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        return pool.request(method, path, body=data, headers=sent, retries=False)

    def legacy(self, token: str, tool: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """A whole conversation of the legacy era; the answer to the call."""
        hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        first = self.send({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}, token)
        if first.status != 200:
            return first
        session = first.headers.get("mcp-session-id", "")
        own = {"Mcp_Session_Id": session, "MCP_Protocol_Version": LEGACY}
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"}, token, **own)
        answer = self.send(call(tool, arguments), token, **own)
        self.send(None, token, method="DELETE", **own)
        return answer

    def modern(self, token: str, tool: str, arguments: Mapping[str, Any] | None = None, **headers: str) -> Any:
        own = {"MCP_Protocol_Version": MODERN, "Mcp_Method": "tools/call", "Mcp_Name": tool}
        return self.send(call(tool, arguments, modern=True), token, **{**own, **headers})


def call(tool: str, arguments: Mapping[str, Any] | None = None, *, modern: bool = False) -> dict[str, Any]:
    prefix = "io.modelcontextprotocol"
    meta = {f"{prefix}/protocolVersion": MODERN, f"{prefix}/clientCapabilities": {}} if modern else None
    params = {"name": tool, "arguments": dict(arguments or {"text": "hi"}), **({"_meta": meta} if meta else {})}
    return {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}


def proxy_log(cluster: Any) -> list[dict[str, Any]]:
    """The lines of the access log, of proxies that run."""
    labels = f"gateway.envoyproxy.io/owning-gateway-namespace={NAMESPACE}"
    running = [
        pod["metadata"]["name"]
        for pod in cluster.get("pods", "-n", CONTROLLER, "-l", labels)["items"]
        if all(one["ready"] for one in pod["status"].get("containerStatuses") or [{"ready": False}])
    ]
    texts = [cluster.kubectl("logs", "-n", CONTROLLER, name, "-c", "envoy", "--tail=-1") for name in running]
    lines = [line for text in texts for line in text.splitlines() if line.startswith("{")]
    return [found for found in map(json.loads, lines) if "detail" in found]


def authority(cluster: Any, directory: Path) -> Path:
    """The certificate of the authority that signed the listener's."""
    path = "jsonpath={.data.ca\\.crt}"
    encoded = cluster.kubectl("get", "secret", "-n", "cert-manager", "authority", "-o", path)
    decoded = subprocess.run(["base64", "-d"], input=encoded.encode(), capture_output=True, check=True).stdout
    file = directory / "authority.crt"
    file.write_bytes(decoded)
    return file


def settled(look: Callable[[], Any], wanted: Any, seconds: float = 15) -> None:
    """A policy takes effect a moment after it is accepted."""
    deadline = time.monotonic() + seconds
    while (found := look()) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.3)
