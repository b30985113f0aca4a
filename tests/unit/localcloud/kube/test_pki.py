# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from localcloud.kube.layout import API_SERVICE_ADDRESS, ClusterLayout
from localcloud.kube.pki import ensure_pki, kubeconfig


@pytest.fixture
def pki(layout: ClusterLayout) -> Path:
    ensure_pki(layout)
    return layout.pki


def test_a_cluster_of_an_older_local_cloud_gets_the_identities_it_lacks(layout: ClusterLayout, pki: Path) -> None:
    existing = (pki / "admin.crt").read_bytes()
    for file in pki.glob("volumes.*"):
        file.unlink()
    ensure_pki(layout)
    assert certificate(pki / "volumes.crt").issuer == certificate(pki / "ca.crt").subject
    assert kubeconfig(layout, "volumes") == json.loads((pki / "volumes.kubeconfig").read_text())
    assert (pki / "admin.crt").read_bytes() == existing


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_the_api_server_is_named_by_every_address_it_is_reached_at(layout: ClusterLayout, pki: Path) -> None:
    names = certificate(pki / "apiserver.crt").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(a) for a in names.get_values_for_type(x509.IPAddress)} == {
        "127.0.0.1",
        layout.node_address,
        API_SERVICE_ADDRESS,
    }
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)


@pytest.mark.parametrize(
    ("name", "user", "group"),
    [
        ("admin", "kubernetes-admin", "system:masters"),
        ("kubelet", "system:node:node-dev", "system:nodes"),
        ("scheduler", "system:kube-scheduler", None),
    ],
)
def test_clients_are_who_kubernetes_expects(pki: Path, name: str, user: str, group: str | None) -> None:
    client = certificate(pki / f"{name}.crt")
    client.verify_directly_issued_by(certificate(pki / "ca.crt"))
    groups = [attribute.value for attribute in client.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    assert client.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == user
    assert groups == ([group] if group else [])


def test_every_private_key_is_the_owners(pki: Path) -> None:
    assert pki.stat().st_mode & 0o777 == 0o700
    for file in [*pki.glob("*.key"), *pki.glob("*.kubeconfig")]:
        assert file.stat().st_mode & 0o777 == 0o600, file


def test_the_front_proxy_has_an_authority_of_its_own(pki: Path) -> None:
    with pytest.raises(ValueError):
        certificate(pki / "front-proxy-client.crt").verify_directly_issued_by(certificate(pki / "ca.crt"))


def test_a_second_start_keeps_everything(layout: ClusterLayout, pki: Path) -> None:
    before = {file.name: file.read_bytes() for file in pki.iterdir()}
    ensure_pki(layout)
    assert {file.name: file.read_bytes() for file in pki.iterdir()} == before


def test_the_kubeconfig_needs_no_other_file(layout: ClusterLayout, pki: Path) -> None:
    config = kubeconfig(layout, "admin")
    assert config["clusters"][0]["cluster"]["server"] == "https://10.213.3.2:6443"
    assert base64.b64decode(config["users"][0]["user"]["client-key-data"]) == (pki / "admin.key").read_bytes()
