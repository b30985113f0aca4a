# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of an agent, and what they must be for others to find it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import manifest_problems
from ansible_collections.mcpops.platform.plugins.module_utils.kube.syntax import selector_matches
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.agent_code import Code
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.agent_spec import (
    CHILDREN,
    DeclaredAgent,
    Mesh,
    agent_objects,
    undeclared_children,
)
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_readiness import Expected, same_host

MESH = Mesh("agents", "http://mcp-mesh-registry.mesh:8000", "mesh", 8000, "tools")
CODE = Code({"main.py": b"x", "lib/a.py": b"y"})
EVERYTHING: dict[str, Any] = {
    "name": "greeter",
    "version": "1.2.0",
    "image": "r.example.com/greeter:1",
    "autoscaling": {"min_replicas": 2, "max_replicas": 5, "cpu_percent": 70, "memory_percent": None},
    "env": {"A": 1, "B": None, "C": True},
    "secret_env": {"KEY": {"name": "s", "key": "api-key"}},
    "secret_refs": ["more"],
    "config_map_refs": ["settings"],
    "image_pull_secrets": ["pull"],
    "persistence": {"size": "1Gi", "storage_class": "azurefile", "access_mode": "ReadWriteMany", "mount_path": "/srv"},
    "node_selector": {"pool": 1},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "labels": {"team": "x"},
    "annotations": {"note": "y"},
    "run_as_user": 1001,
    "capabilities": [{"name": "greeting", "version": "^2"}],
    "dependencies": [{"capability": "date_service", "version": None, "optional": True}],
    "egress": [{"to": [{"ipBlock": {"cidr": "10.9.0.0/16"}}]}],
}
ENTRIES: dict[str, dict[str, Any]] = {
    "least": {"name": "dates", "image": "i:1"},
    "two pods": {"name": "dates", "image": "i:1", "replicas": 2},
    "a volume": {"name": "dates", "image": "i:1", "persistence": {"size": "1Gi"}},
    "another port": {"name": "dates", "image": "i:1", "port": 9000},
    "everything": EVERYTHING,
}


def made(options: dict[str, Any], code: Code | None = None) -> dict[str, dict[str, Any]]:
    return {item["kind"]: item for item in agent_objects(DeclaredAgent(options, code), MESH)}


def pod(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return found


def container(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    [found] = pod(objects)["containers"]
    return dict(found)


def variables(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container(objects)["env"]}


@pytest.mark.parametrize("entry", ENTRIES)
def test_what_an_agent_announces_leads_to_its_pods(entry: str) -> None:
    """Host → Service → selector → labels → port → container: every step of the way."""
    objects = made(ENTRIES[entry])
    service, template = objects["Service"], objects["Deployment"]["spec"]["template"]
    host = variables(objects)["MCP_MESH_HTTP_HOST"]
    assert same_host(host, f"{service['metadata']['name']}.{service['metadata']['namespace']}")
    for selector in (service["spec"]["selector"], objects["Deployment"]["spec"]["selector"]["matchLabels"]):
        assert selector_matches({"matchLabels": selector}, template["metadata"]["labels"])
    [port] = service["spec"]["ports"]
    [listening] = container(objects)["ports"]
    assert port["targetPort"] == listening["name"]
    assert str(listening["containerPort"]) == variables(objects)["MCP_MESH_HTTP_PORT"] == str(port["port"])
    assert service["metadata"]["name"] == template["metadata"]["labels"]["app.kubernetes.io/name"]


@pytest.mark.parametrize("entry", ENTRIES)
def test_pods_fulfil_the_restricted_level_and_have_no_token(entry: str) -> None:
    objects = made(ENTRIES[entry], CODE)
    assert pod(objects)["automountServiceAccountToken"] is False
    assert objects["ServiceAccount"]["automountServiceAccountToken"] is False
    assert pod(objects)["serviceAccountName"] == objects["ServiceAccount"]["metadata"]["name"]
    security = container(objects)["securityContext"]
    assert security == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod(objects)["securityContext"]["runAsNonRoot"] is True
    assert pod(objects)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert set(container(objects)["resources"]) == {"requests", "limits"}


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_object_is_sound_and_known_again(entry: str) -> None:
    objects = agent_objects(DeclaredAgent(ENTRIES[entry], CODE), MESH)
    assert manifest_problems(objects) == []
    for item in objects:
        assert item["kind"] in CHILDREN
        assert item["metadata"]["labels"]["mcpops.io/mesh-agent"] == item["metadata"]["name"]
        assert item["metadata"]["labels"]["mcpops.io/mesh-agents"] == "tools"
    assert len({item["kind"] for item in objects}) == len(objects)


def test_probes_never_ask_for_health() -> None:
    found = container(made(ENTRIES["least"]))
    paths = {name: found[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {"startupProbe": "/startupz", "livenessProbe": "/livez", "readinessProbe": "/ready"}


def test_an_update_leaves_no_gap_but_where_a_volume_makes_one() -> None:
    spec = made(ENTRIES["two pods"])["Deployment"]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["minReadySeconds"] >= 5
    assert made(ENTRIES["a volume"])["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    assert made(EVERYTHING)["Deployment"]["spec"]["strategy"]["type"] == "RollingUpdate"


def test_a_pod_that_goes_stays_until_the_one_that_replaces_it_has_registered() -> None:
    for entry in ("least", "two pods", "everything"):
        objects = made(ENTRIES[entry])
        stays = container(objects)["lifecycle"]["preStop"]["sleep"]["seconds"]
        # registering takes up to 5 s, and ending itself takes time as well
        assert 5 < stays < pod(objects)["terminationGracePeriodSeconds"] - 10
    # nobody replaces it meanwhile, so that this would make the gap longer
    assert "lifecycle" not in container(made(ENTRIES["a volume"]))


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ({}, set()),
        ({"replicas": 2}, {"PodDisruptionBudget"}),
        ({"persistence": {"size": "1Gi"}}, {"PersistentVolumeClaim"}),
        (
            {"autoscaling": {"min_replicas": 1, "max_replicas": 1, "cpu_percent": 50}},
            {"HorizontalPodAutoscaler"},
        ),
        (
            {"autoscaling": {"min_replicas": 1, "max_replicas": 3, "cpu_percent": 50}},
            {"HorizontalPodAutoscaler", "PodDisruptionBudget"},
        ),
    ],
)
def test_what_is_declared_has_its_object_and_nothing_else(options: dict[str, Any], kinds: set[str]) -> None:
    objects = made({**ENTRIES["least"], **options})
    assert set(objects) == {"ServiceAccount", "Service", "Deployment", "NetworkPolicy", *kinds}
    name = objects["Service"]["metadata"]["name"]
    beside = {(kind, name) for kind in set(CHILDREN) - set(objects) - {"PersistentVolumeClaim"}}
    assert set(undeclared_children(name, list(objects.values()))) == {*beside, ("Service", f"{name}-exposed")}
    assert ("replicas" in objects["Deployment"]["spec"]) == ("autoscaling" not in options)


def test_code_is_mounted_and_another_one_means_other_pods() -> None:
    objects = made(ENTRIES["least"], CODE)
    assert container(objects)["args"] == ["/app/agent/main.py"]
    assert {"name": "code", "mountPath": "/app/agent", "readOnly": True} in container(objects)["volumeMounts"]
    other = made(ENTRIES["least"], Code({"main.py": b"z", "lib/a.py": b"y"}))
    digests = [
        one["Deployment"]["spec"]["template"]["metadata"]["annotations"]["mcpops.io/agent-code"]
        for one in (objects, other)
    ]
    assert digests[0] != digests[1]
    assert "ConfigMap" not in made(ENTRIES["least"])
    assert "args" not in container(made(ENTRIES["least"]))


def test_variables_are_text_and_come_in_one_order() -> None:
    found = variables(made(EVERYTHING))
    assert (found["A"], found["B"], found["C"]) == ("1", "", "true")
    assert found["KEY"] == {"secretKeyRef": {"name": "s", "key": "api-key"}}
    names = [one["name"] for one in container(made(EVERYTHING))["env"]]
    assert names == sorted(names)
    references = container(made(EVERYTHING))["envFrom"]
    assert references == [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "more"}}]


def test_a_policy_lets_out_to_the_registry_other_agents_and_dns() -> None:
    spec = made(EVERYTHING)["NetworkPolicy"]["spec"]
    ports = [rule.get("ports") for rule in spec["egress"]]
    assert [{"port": 8000, "protocol": "TCP"}] in ports
    assert [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}] in ports
    assert EVERYTHING["egress"][0] in spec["egress"]
    [ingress] = spec["ingress"]
    assert ingress["ports"] == [{"port": 8080, "protocol": "TCP"}]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert "NetworkPolicy" not in made({**ENTRIES["least"], "network_policy": False})


def test_what_the_registry_must_say() -> None:
    assert DeclaredAgent(EVERYTHING).expected("agents") == Expected(
        "greeter", 2, "greeter.agents", (("greeting", "^2"),), (("date_service", "", True),)
    )
    assert DeclaredAgent({"name": "a", "replicas": 0}).expected("b").replicas == 0


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        ({"cpu_percent": 70}, {"cpu": 70}),
        ({"memory_percent": 80}, {"memory": 80}),
        ({"cpu_percent": 70, "memory_percent": 80}, {"cpu": 70, "memory": 80}),
    ],
)
def test_each_measure_scales_by_its_own_percentage(scaling: dict[str, int], expected: dict[str, int]) -> None:
    options = {**ENTRIES["least"], "autoscaling": {"min_replicas": 1, "max_replicas": 3, **scaling}}
    metrics = made(options)["HorizontalPodAutoscaler"]["spec"]["metrics"]
    found = {one["resource"]["name"]: one["resource"]["target"]["averageUtilization"] for one in metrics}
    assert found == expected


def test_how_soon_there_are_fewer_pods_is_left_to_kubernetes_unless_declared() -> None:
    scaling = {"min_replicas": 1, "max_replicas": 3, "cpu_percent": 50}

    def behavior(**stated: int) -> Any:
        objects = made({**ENTRIES["least"], "autoscaling": {**scaling, **stated}})
        return objects["HorizontalPodAutoscaler"]["spec"].get("behavior")

    assert behavior() is None
    assert behavior(stabilization_window=0) == {"scaleDown": {"stabilizationWindowSeconds": 0}}


def test_what_may_become_several_pods_is_spread_as_several_are() -> None:
    def spread(**options: Any) -> bool:
        objects = made({**ENTRIES["least"], **options})
        return "topologySpreadConstraints" in objects["Deployment"]["spec"]["template"]["spec"]

    assert not spread()
    assert spread(replicas=2)
    assert spread(autoscaling={"min_replicas": 1, "max_replicas": 2, "cpu_percent": 50})


def test_what_the_module_sets_is_never_the_users() -> None:
    """Also where somebody has validated nothing: another name would lead others to a pod that is not there."""
    taken = {"app.kubernetes.io/name": "other", "app.kubernetes.io/component": "registry"}
    given = {**ENTRIES["least"], "labels": taken, "env": {"MCP_MESH_HTTP_HOST": "other", "MCP_MESH_REGISTRY_URL": "x"}}
    objects = made(given)
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert selector_matches(objects["Deployment"]["spec"]["selector"], labels)
    assert variables(objects)["MCP_MESH_HTTP_HOST"] == "dates.agents"
    assert variables(objects)["MCP_MESH_REGISTRY_URL"] == MESH.registry_url
