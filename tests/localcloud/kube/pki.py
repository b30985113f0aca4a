# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, certificates and kubeconfigs of one cluster."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from localcloud.authority import Authority
from localcloud.files import write_atomically
from localcloud.kube.layout import API_SERVICE_ADDRESS, ClusterLayout

# kubeconfig name: (user, group)
CLIENTS: dict[str, tuple[str, str | None]] = {
    "controller-manager": ("system:kube-controller-manager", None),
    "scheduler": ("system:kube-scheduler", None),
    "kube-proxy": ("system:kube-proxy", None),
    "network-policies": ("system:network-policies", None),
    "volumes": ("system:volumes", None),
    "load-balancers": ("system:load-balancers", None),
    # last: its kubeconfig says that everything else is there
    "admin": ("kubernetes-admin", "system:masters"),
}


def kubeconfig(layout: ClusterLayout, user: str) -> dict[str, Any]:
    """A kubeconfig that needs no other file."""

    def embedded(name: str) -> str:
        return base64.b64encode((layout.pki / name).read_bytes()).decode()

    cluster = {"server": layout.api_server, "certificate-authority-data": embedded("ca.crt")}
    credentials = {"client-certificate-data": embedded(f"{user}.crt"), "client-key-data": embedded(f"{user}.key")}
    context = {"cluster": layout.path.name, "user": f"{user}-{layout.path.name}"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": layout.path.name,
        "clusters": [{"name": layout.path.name, "cluster": cluster}],
        "users": [{"name": context["user"], "user": credentials}],
        "contexts": [{"name": layout.path.name, "context": context}],
    }


def _service_account_keys(directory: Path) -> None:
    # RSA: AKS signs service account tokens with RS256, and clients may insist on it.
    key = rsa.generate_private_key(65537, 2048)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    write_atomically(directory / "sa.key", private)
    write_atomically(directory / "sa.pub", public)


def service_account_key(layout: ClusterLayout) -> dict[str, Any]:
    """What verifies service accounts' tokens, as the API server's /openid/v1/jwks has it: its name is the digest of it
    (https://github.com/kubernetes/kubernetes, pkg/serviceaccount/jwt.go)."""
    key = serialization.load_pem_public_key((layout.pki / "sa.pub").read_bytes())
    assert isinstance(key, rsa.RSAPublicKey)
    whole = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    kid = base64.urlsafe_b64encode(hashlib.sha256(whole).digest()).decode().rstrip("=")
    numbers = key.public_numbers()
    parts = {"n": numbers.n, "e": numbers.e}
    encoded = {part: _base64(value.to_bytes((value.bit_length() + 7) // 8, "big")) for part, value in parts.items()}
    return {"use": "sig", "kty": "RSA", "kid": kid, "alg": "RS256", **encoded}


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _ensure_clients(layout: ClusterLayout, root: Authority) -> None:
    """Those that are not there yet: a cluster made by an older local cloud knows fewer."""
    node = (f"system:node:{layout.node_name}", "system:nodes")
    for name, (user, group) in {"kubelet": node, **CLIENTS}.items():
        file = layout.pki / f"{name}.kubeconfig"
        if not file.exists():
            root.issue(user, group, client=True).write(layout.pki / f"{name}.crt", layout.pki / f"{name}.key")
            write_atomically(file, json.dumps(kubeconfig(layout, name), indent=1))


def ensure_pki(layout: ClusterLayout) -> None:
    """Everything once; the admin kubeconfig is written last and says that the rest is there."""
    last = layout.pki / "admin.kubeconfig"
    if last.exists():
        _ensure_clients(layout, Authority.load(layout.pki / "ca.crt", layout.pki / "ca.key"))
        return
    layout.pki.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(authority: Authority, name: str, user: str, group: str | None = None, **usage: Any) -> None:
        pair = authority.issue(user, group, **usage)
        pair.write(layout.pki / f"{name}.crt", layout.pki / f"{name}.key")

    root, front = Authority.create("kubernetes-ca"), Authority.create("front-proxy-ca")
    root.pair.write(layout.pki / "ca.crt", layout.pki / "ca.key")
    front.pair.write(layout.pki / "front-proxy-ca.crt", layout.pki / "front-proxy-ca.key")

    services = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    addresses = ["localhost", "127.0.0.1", layout.node_address, API_SERVICE_ADDRESS]
    write(root, "apiserver", "kube-apiserver", names=[*services, *addresses], server=True)
    write(root, "etcd", "etcd", names=["localhost", "127.0.0.1"], server=True, client=True)
    write(root, "apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters", client=True)
    write(front, "front-proxy-client", "front-proxy-client", client=True)
    node = (f"system:node:{layout.node_name}", "system:nodes")
    write(root, "kubelet-server", *node, names=[layout.node_name, layout.node_address, "127.0.0.1"], server=True)
    _service_account_keys(layout.pki)
    _ensure_clients(layout, root)
