# SPDX-License-Identifier: GPL-3.0-or-later
"""The role cluster_setup with every source it passes on, and with pruning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.playbook import Run

MANIFEST = "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}, namespace: '{namespace}'}}, data: {{a: b}}}}\n"


def applied(run: Run) -> dict[str, Any]:
    """The result of the role's first task; the next one keeps releases."""
    return run.of("test", "mcpops.platform.cluster_setup : Apply namespaces and objects")


@pytest.mark.slow
def test_every_source_and_pruning(run_all: Any, cluster: Any, namespace: str, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text("resources: [map.yaml]\n")
    (overlay / "map.yaml").write_text(MANIFEST.format(name="built", namespace=namespace))
    (tmp_path / "file.yaml").write_text(MANIFEST.format(name="read", namespace=namespace))
    (tmp_path / "map.yml.j2").write_text(MANIFEST.format(name="{{ 'rend' ~ 'ered' }}", namespace=namespace))
    declared = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "inline", "namespace": namespace}}
    variables: dict[str, Any] = {
        "cluster_setup_kubeconfig": str(cluster.kubeconfig),
        "cluster_setup_namespaces": [{"name": namespace, "pod_security": "restricted"}],
        "cluster_setup_objects": [declared],
        "cluster_setup_src": [str(tmp_path / "file.yaml")],
        "cluster_setup_templates": [str(tmp_path / "map.yml.j2")],
        "cluster_setup_kustomizations": [str(overlay)],
        "cluster_setup_bundle": namespace,
        "cluster_setup_prune": True,
    }
    env = {"PATH": f"{Path(cluster.kubectl_binary).parent}:/usr/bin:/bin"}

    def converge(**changed: Any) -> dict[str, Any]:
        role = {"ansible.builtin.include_role": {"name": "mcpops.platform.cluster_setup"}}
        return applied(run_all([{**role, "vars": {**variables, **changed}}], env=env).ok())

    first = converge()
    assert [row["name"] for row in first["objects"]] == [namespace, "inline", "read", "rendered", "built"]
    assert not converge()["changed"]
    fewer = converge(cluster_setup_src=[])
    assert [row["name"] for row in fewer["objects"] if row.get("pruned")] == ["read"]
    assert not cluster.kubectl("get", "configmap", "read", "-n", namespace, "--ignore-not-found")


# A load balancer that never gets an address, and a pod that no node takes: nothing ever makes them ready.
UNREADY: list[dict[str, Any]] = [
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "door"},
        "spec": {"defaultBackend": {"service": {"name": "later", "port": {"number": 80}}}},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "outside"},
        # no public IP address of the local Azure
        "spec": {"type": "LoadBalancer", "loadBalancerIP": "192.0.2.1", "ports": [{"port": 80}]},
    },
]


@pytest.mark.parametrize("unready", UNREADY, ids=lambda item: item["kind"])
def test_what_becomes_ready_later_need_not_be_waited_for(
    run_all: Any, cluster: Any, namespace: str, unready: dict[str, Any]
) -> None:
    declared = {**unready, "metadata": {**unready["metadata"], "namespace": namespace}}
    variables: dict[str, Any] = {
        "cluster_setup_kubeconfig": str(cluster.kubeconfig),
        "cluster_setup_namespaces": [{"name": namespace}],
        "cluster_setup_objects": [declared],
        "cluster_setup_wait_timeout": 2,
    }
    left_out = {"cluster_setup_object_options": [{"kind": unready["kind"], "wait": False}]}
    role = {"ansible.builtin.include_role": {"name": "mcpops.platform.cluster_setup"}}
    failed = run_all([{**role, "vars": variables}])
    assert failed.returncode and f"{unready['kind']} {namespace}/" in failed.last["msg"]
    assert not applied(run_all([{**role, "vars": {**variables, "cluster_setup_wait": False}}]).ok())["changed"]
    assert not applied(run_all([{**role, "vars": {**variables, **left_out}}]).ok())["changed"]
