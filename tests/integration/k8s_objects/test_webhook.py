# SPDX-License-Identifier: GPL-3.0-or-later
"""Admission webhooks that refuse dry runs: the API server's own words by a proxy, and a real webhook that says no."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.fault_proxy import FaultProxy
from support.workloads import deployment, pod_spec, until

Apply = Callable[..., dict[str, Any]]
# what the API server answers for a webhook that is registered with side effects
SIDE_EFFECTS = 'admission webhook "ledger.example.com" does not support dry run'


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": data}


@pytest.fixture
def refusing(proxy: FaultProxy) -> FaultProxy:
    proxy.inject(method="PATCH", target="dryRun=All", status=400, message=SIDE_EFFECTS, reason="BadRequest", times=99)
    proxy.inject(method="DELETE", target="dryRun=All", status=400, message=SIDE_EFFECTS, reason="BadRequest", times=99)
    return proxy


def test_check_mode_tells_what_it_can(apply: Apply, refusing: FaultProxy, cluster: Any, namespace: str) -> None:
    through = {"kubeconfig": refusing.kubeconfig()}
    new = apply(definitions=[config_map(a="1")], check=True, **through)
    assert new["changed"]
    assert new["notes"] == [
        f"ConfigMap {namespace}/m: would be applied; the admission webhook ledger.example.com refuses dry runs"
    ]
    apply(definitions=[config_map(a="1", b="2")], **through)
    would = apply(definitions=[config_map(a="9")], check=True, **through)
    assert "only declared fields are compared" in would["notes"][0]
    assert would["diff"][0]["before"] == 'data.a: "1"\ndata.b: "2"\n'
    assert would["diff"][0]["after"] == 'data.a: "9"\n'
    gone = apply(definitions=[config_map()], state="absent", check=True, **through)
    assert gone["changed"]
    assert "would be deleted; the admission webhook ledger.example.com refuses dry runs" in gone["notes"][0]
    assert cluster.get("configmap", "m", "-n", namespace)["data"] == {"a": "1", "b": "2"}


def test_what_only_a_dry_run_would_tell_is_applied(
    apply: Apply, refusing: FaultProxy, cluster: Any, namespace: str
) -> None:
    through = {"kubeconfig": refusing.kubeconfig()}
    # made by somebody else: whose the fields are is not known before an apply
    cluster.kubectl("create", "configmap", "m", "-n", namespace, "--from-literal=a=1")
    adopted = apply(definitions=[config_map(a="1")], **through)
    assert adopted["changed"]
    assert "metadata.managedFields" in adopted["diff"][0]["after"]
    version = cluster.get("configmap", "m", "-n", namespace)["metadata"]["resourceVersion"]
    assert not apply(definitions=[config_map(a="1")], **through)["changed"]
    assert cluster.get("configmap", "m", "-n", namespace)["metadata"]["resourceVersion"] == version


SERVER = """
import http.server, json, ssl

class Webhook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        answer = {"uid": request["uid"], "allowed": not request.get("dryRun")}
        if not answer["allowed"]:
            answer["status"] = {"message": "this webhook counts, and does not answer a dry run"}
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = http.server.ThreadingHTTPServer(("", 8443), Webhook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def certificate(name: str) -> tuple[str, str]:
    """(certificate, key) as base64 of PEM, good for this host name and its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "webhook")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    return base64.b64encode(pem).decode(), base64.b64encode(private).decode()


@pytest.fixture
def webhook(apply: Apply, cluster: Any, cloud: Any, namespace: str) -> Iterator[str]:
    """A running webhook for the ConfigMaps of this namespace that lets nothing through dry."""
    crt, key = certificate(f"webhook.{namespace}.svc")
    spec = pod_spec(cloud.registry, SERVER, volumeMounts=[{"name": "tls", "mountPath": "/tls"}])
    spec["containers"][0]["readinessProbe"] = {"tcpSocket": {"port": 8443}, "periodSeconds": 1}
    spec["volumes"] = [{"name": "tls", "secret": {"secretName": "tls"}}]
    running = deployment(spec)
    service = {"selector": {"app": "web"}, "ports": [{"port": 443, "targetPort": 8443}]}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
    hook = {
        "name": "counts.example.com",
        "clientConfig": {"service": {"name": "webhook", "namespace": namespace}, "caBundle": crt},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "NoneOnDryRun",
        "failurePolicy": "Fail",
    }
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [hook],
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tls"},
        "data": {"tls.crt": crt, "tls.key": key},
    }
    front = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "webhook"}, "spec": service}
    apply(definitions=[secret, front, running], wait=True, wait_timeout=90)
    apply(definitions=[configuration])
    # a Service is ready when it leads to a ready pod; the node's kube-proxy hears of that a moment later
    first = ("create", "configmap", "first", "-n", namespace)
    assert until(lambda: cluster.kubectl(*first, check=False), bool, seconds=30, pause=0.2)
    yield hook["name"]
    cluster.kubectl("delete", "validatingwebhookconfiguration", namespace)


@pytest.mark.slow
def test_a_real_webhook(apply: Apply, webhook: str, cluster: Any, namespace: str, tmp_path: Path) -> None:
    made = apply(definitions=[config_map(a="1")])
    assert made["changed"]
    would = apply(definitions=[config_map(a="2")], check=True)
    assert f"the admission webhook {webhook} refuses dry runs" in would["notes"][0]
    assert would["diff"][0]["after"] == 'data.a: "2"\n'
    new = {**config_map(a="1"), "metadata": {"name": "new"}}
    assert "would be applied" in apply(definitions=[new], check=True)["notes"][0]
    assert apply(definitions=[config_map(a="2")])["changed"]
    assert not apply(definitions=[config_map(a="2")])["changed"]
    assert cluster.get("configmap", "m", "-n", namespace)["data"] == {"a": "2"}
