# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user hears when the cluster cannot be reached or does not want them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

TaskRunner = Callable[..., dict[str, Any]]

DECLARED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}


@pytest.fixture
def kubeconfig(cluster: Any, tmp_path: Path) -> Callable[..., str]:
    """The cluster's kubeconfig with other cluster or user entries, in a file of its own."""

    def written(cluster_entry: dict[str, Any] | None = None, user: dict[str, Any] | None = None) -> str:
        config = yaml.safe_load(cluster.kubeconfig.read_text())
        config["clusters"][0]["cluster"].update(cluster_entry or {})
        if user is not None:
            config["users"][0]["user"] = user
        path = tmp_path / "config"
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
        return str(path)

    return written


def wrong_authority() -> str:
    """Some certificate that has nothing to do with the cluster."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "another authority")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.PEM)).decode()


CASES: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None, list[str]]] = {
    "nobody listens": (
        {"server": "https://127.0.0.1:9"},
        None,
        ["cluster unreachable: https://127.0.0.1:9 refuses connections", "Check that the cluster is running"],
    ),
    "no such name": (
        {"server": "https://api.invalid:6443"},
        None,
        ["has a name that does not resolve", "private cluster"],
    ),
    "another authority": (
        {"certificate-authority-data": wrong_authority()},
        None,
        ["presents a certificate that is not trusted", "aks_kubeconfig"],
    ),
    "wrong token": (None, {"token": "nonsense-1f7"}, ["does not accept the credentials", "fetch the kubeconfig again"]),
    "plugin that is not installed": (
        None,
        {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-kubelogin"}},
        ["credential plugin no-such-kubelogin", "cannot be started", "put it into PATH"],
    ),
    "plugin that fails": (
        None,
        {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": "sh",
                "args": ["-c", "echo 'the login has expired' >&2; exit 4"],
            }
        },
        ["the login has expired (ExitStatus4)"],
    ),
}


@pytest.mark.parametrize("case", CASES, ids=lambda name: name.replace(" ", "-"))
def test_what_is_said(run_task: TaskRunner, kubeconfig: Callable[..., str], case: str) -> None:
    cluster_entry, user, reported = CASES[case]
    args = {"definitions": [DECLARED], "kubeconfig": kubeconfig(cluster_entry, user)}
    failed = run_task("k8s_objects", args, fails=True)
    for words in reported:
        assert words in failed["msg"]
    assert "nonsense-1f7" not in str(failed)


def test_a_right_that_is_missing(run_task: TaskRunner, cluster: Any, namespace: str) -> None:
    declared = {**DECLARED, "metadata": {"name": "a", "namespace": namespace}}
    args = {"definitions": [declared], "impersonate_user": "visitor"}
    failed = run_task("k8s_objects", args, fails=True)
    assert 'User "visitor" cannot' in failed["msg"]
    assert "Role or ClusterRole" in failed["msg"]


def test_variables_of_the_play_name_the_cluster(run_task: TaskRunner, cluster: Any, namespace: str) -> None:
    # the control plane makes it some time after the namespace
    cluster.kubectl("wait", "configmap/kube-root-ca.crt", "-n", namespace, "--for=create", "--timeout=30s")
    args = {"kind": "ConfigMap", "namespace": namespace, "kubeconfig": None}
    result = run_task("k8s_objects_info", args, env={"K8S_AUTH_KUBECONFIG": str(cluster.kubeconfig)})
    assert [item["metadata"]["name"] for item in result["objects"]] == ["kube-root-ca.crt"]


def test_an_exec_plugin_runs_once_a_run(run_all: Any, cluster: Any, tmp_path: Path, kubeconfig: Any) -> None:
    token = cluster.kubectl("create", "token", "default", "-n", "default").strip()
    runs = tmp_path / "runs"
    script = tmp_path / "plugin"
    script.write_text(
        "#!/bin/sh\n"
        f"echo run >> {runs}\n"
        'echo \'{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",\'\n'
        f'echo \'"status":{{"token":"{token}"}}}}\'\n'
    )
    script.chmod(0o700)
    spec = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script)}}
    task = {"mcpops.platform.k8s_objects_info": {"kind": "Thing", "api_version": "no.example.com/v1"}}
    done = run_all([task, task, task], kubeconfig=Path(kubeconfig(user=spec))).ok()
    assert len(done.results) == 3
    assert runs.read_text() == "run\n"
    assert token not in done.output
