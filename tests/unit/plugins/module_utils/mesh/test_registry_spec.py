# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a registry and its database, and what is refused of their declaration."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Refused
from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import manifest_problems
from ansible_collections.mcpops.platform.plugins.module_utils.kube.syntax import selector_matches
from ansible_collections.mcpops.platform.plugins.module_utils.mesh import agent_spec, mesh_registry, registry_validate
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_plan import unneeded
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_spec import (
    DeclaredRegistry,
    every_object,
    in_order,
    new_password,
    password_in,
    registry_objects,
    url_in,
)
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_validate import wrong_url
from ansible_collections.mcpops.platform.plugins.modules import mesh_registry as module

PASSWORD = "0123456789abcdef"
EXISTING = {"type": "existing", "existing_secret": {"name": "mine", "key": "url"}}
DECLARED: dict[str, dict[str, Any]] = {
    "bundled": {},
    "two": {"replicas": 2},
    "sqlite": {"database": {"type": "sqlite", "size": "1Gi", "storage_class": "managed-csi"}},
    "existing": {"database": EXISTING, "replicas": 3, "agent_namespaces": ["team"]},
}


def options(**given: Any) -> dict[str, Any]:
    validated = ArgumentSpecValidator(module.ARGUMENT_SPEC).validate({"namespace": "mesh", "kubeconfig": "/k", **given})
    assert validated.error_messages == []
    return dict(validated.validated_parameters)


def registry(**given: Any) -> DeclaredRegistry:
    return DeclaredRegistry(options(**given), PASSWORD)


def made(**given: Any) -> dict[tuple[str, str], dict[str, Any]]:
    return {(item["kind"], item["metadata"]["name"]): item for item in registry_objects(registry(**given))}


def container(item: dict[str, Any]) -> dict[str, Any]:
    [found] = item["spec"]["template"]["spec"]["containers"]
    return dict(found)


def workloads(objects: dict[tuple[str, str], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: item for (kind, name), item in objects.items() if kind in ("Deployment", "StatefulSet")}


@pytest.mark.parametrize("case", DECLARED)
def test_every_object_is_sound_and_known_again(case: str) -> None:
    objects = registry_objects(registry(**DECLARED[case]))
    assert manifest_problems(objects) == []
    assert len({(item["kind"], item["metadata"]["name"]) for item in objects}) == len(objects)
    for item in objects:
        assert item["metadata"]["labels"]["mcpops.io/mesh-registry"] == "mcp-mesh-registry"
        assert (item["kind"], item["metadata"]["name"]) in every_object(registry(**DECLARED[case]))


@pytest.mark.parametrize("case", DECLARED)
def test_services_lead_to_their_pods_alone(case: str) -> None:
    objects = made(**DECLARED[case])
    templates = {name: item["spec"]["template"] for name, item in workloads(objects).items()}
    for (kind, name), item in objects.items():
        if kind != "Service":
            continue
        chosen = [
            other
            for other, template in templates.items()
            if selector_matches({"matchLabels": item["spec"]["selector"]}, template["metadata"]["labels"])
        ]
        assert chosen == [name]
        [port] = item["spec"]["ports"]
        assert port["targetPort"] in [one["name"] for one in container(workloads(objects)[name])["ports"]]


@pytest.mark.parametrize("case", DECLARED)
def test_pods_fulfil_the_restricted_level_and_have_limits(case: str) -> None:
    for item in workloads(made(**DECLARED[case])).values():
        pod = item["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container(item)["securityContext"]["readOnlyRootFilesystem"] is True
        assert set(container(item)["resources"]) == {"requests", "limits"}


@pytest.mark.parametrize("case", DECLARED)
def test_the_database_is_told_by_a_secret_and_readiness_asks_it(case: str) -> None:
    found = container(workloads(made(**DECLARED[case]))["mcp-mesh-registry"])
    variables = {one["name"]: one for one in found["env"]}
    reference = variables["DATABASE_URL"]["valueFrom"]["secretKeyRef"]
    expected = ("mine", "url") if case == "existing" else ("mcp-mesh-registry-database", "database-url")
    assert (reference["name"], reference["key"]) == expected
    assert found["readinessProbe"]["httpGet"]["path"] == "/agents"
    assert found["livenessProbe"]["httpGet"]["path"] == "/health"
    period = found["readinessProbe"]["periodSeconds"] * found["readinessProbe"]["failureThreshold"]
    assert period + found["readinessProbe"]["timeoutSeconds"] < 30
    assert variables["MCP_MESH_LOG_LEVEL"]["value"] == "INFO"


def test_what_is_said_of_pods_holds_for_those_of_the_database_too() -> None:
    said = {"image_pull_policy": "Always", "node_selector": {"pool": "mesh"}, "image_pull_secrets": ["pull"]}
    for item in workloads(made(**said)).values():
        pod = item["spec"]["template"]["spec"]
        assert container(item)["imagePullPolicy"] == "Always"
        assert (pod["nodeSelector"], pod["imagePullSecrets"]) == ({"pool": "mesh"}, [{"name": "pull"}])


def test_a_file_belongs_to_one_pod_that_keeps_its_volume() -> None:
    objects = made(**DECLARED["sqlite"])
    assert ("Deployment", "mcp-mesh-registry") not in objects
    spec = objects["StatefulSet", "mcp-mesh-registry"]["spec"]
    assert spec["replicas"] == 1
    assert spec["volumeClaimTemplates"][0]["spec"]["storageClassName"] == "managed-csi"
    data = objects["Secret", "mcp-mesh-registry-database"]["data"]
    path = base64.b64decode(data["database-url"]).decode()
    assert path.startswith(container(objects["StatefulSet", "mcp-mesh-registry"])["volumeMounts"][1]["mountPath"] + "/")


def test_the_address_of_the_bundled_database_leads_to_it() -> None:
    objects = made()
    data = objects["Secret", "mcp-mesh-registry-database"]["data"]
    url = base64.b64decode(data["database-url"]).decode()
    assert wrong_url(url) == ""
    assert "@mcp-mesh-registry-db.mesh:5432/" in url
    assert base64.b64decode(data["password"]).decode() == PASSWORD in url
    assert ("Service", "mcp-mesh-registry-db") in objects


@pytest.mark.parametrize("case", DECLARED)
def test_the_database_comes_before_what_needs_it(case: str) -> None:
    objects = registry_objects(registry(**DECLARED[case]))
    groups = in_order(objects)
    assert sorted(map(str, [item for group in groups for item in group])) == sorted(map(str, objects))
    kinds = [{(item["kind"], item["metadata"]["name"]) for item in group} for group in groups]
    assert all(name == "mcp-mesh-registry" for _kind, name in kinds[-1])
    if case in ("bundled", "two"):
        assert ("StatefulSet", "mcp-mesh-registry-db") in kinds[0]
        assert ("Secret", "mcp-mesh-registry-database") in kinds[0]


def test_what_another_declaration_needs_no_more() -> None:
    before, after = made(), made(**DECLARED["sqlite"])
    gone = set(unneeded(registry(**DECLARED["sqlite"]), list(after.values())))
    assert set(before) - set(after) <= gone
    assert not gone & set(after)
    assert not any(kind == "PersistentVolumeClaim" for kind, _name in gone)


def test_agents_fit_the_policies_of_the_registry_and_it_those_of_agents() -> None:
    """Both are declared apart: their labels must agree."""
    objects = made(agent_namespaces=["team"])
    mesh = agent_spec.Mesh("team", "http://mcp-mesh-registry.mesh:8000", "mesh", 8000)
    agent = {item["kind"]: item for item in agent_spec.agent_objects(agent_spec.DeclaredAgent({"name": "a"}), mesh)}
    agent_labels = agent["Deployment"]["spec"]["template"]["metadata"]["labels"]
    registry_labels = workloads(objects)["mcp-mesh-registry"]["spec"]["template"]["metadata"]["labels"]
    [ingress] = objects["NetworkPolicy", "mcp-mesh-registry"]["spec"]["ingress"]
    allowed = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in ingress["from"]
        if selector_matches(peer["podSelector"], agent_labels)
    ]
    assert allowed == ["mesh", "team"]
    assert ingress["ports"] == [{"port": 8000, "protocol": "TCP"}]
    peers = [peer for rule in agent["NetworkPolicy"]["spec"]["egress"] for peer in rule["to"] if "podSelector" in peer]
    assert any(selector_matches(peer["podSelector"], registry_labels) for peer in peers)


def test_an_api_server_with_addresses_of_its_own_is_let_in() -> None:
    """One that reaches pods without pods of its own (API Server VNet Integration, kubeadm)."""
    cidrs = ["10.224.1.0/28", "fd00::/64"]
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in cidrs]
    mesh = agent_spec.Mesh("mesh", "http://r.mesh:8000", "mesh", 8000, api_server_cidrs=tuple(cidrs))
    agent = {item["kind"]: item for item in agent_spec.agent_objects(agent_spec.DeclaredAgent({"name": "a"}), mesh)}
    assert mesh_registry.problems(options(api_server_cidrs=cidrs)) == []
    of_registry = made(api_server_cidrs=cidrs)
    for policy, port in (
        (of_registry["NetworkPolicy", "mcp-mesh-registry"], 8000),
        (agent["NetworkPolicy"], 8080),
    ):
        [rule] = policy["spec"]["ingress"]
        assert [peer for peer in rule["from"] if "ipBlock" in peer] == blocks
        assert rule["ports"] == [{"port": port, "protocol": "TCP"}]
    # to its database it has nothing to say
    assert "ipBlock" not in str(of_registry["NetworkPolicy", "mcp-mesh-registry-db"])
    assert "10.224" not in str(made())


def test_the_database_lets_in_its_registry_alone_and_nothing_out() -> None:
    objects = made()
    spec = objects["NetworkPolicy", "mcp-mesh-registry-db"]["spec"]
    assert "egress" not in spec
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    [peer] = spec["ingress"][0]["from"]
    labels = workloads(objects)["mcp-mesh-registry"]["spec"]["template"]["metadata"]["labels"]
    assert selector_matches(peer["podSelector"], labels)


def test_nothing_leads_to_the_port_of_admin() -> None:
    objects = made()
    variables = {one["name"]: one.get("value") for one in container(workloads(objects)["mcp-mesh-registry"])["env"]}
    assert variables["MCP_MESH_ADMIN_PORT"] == "8001"
    assert "8001" not in str({key: item for key, item in objects.items() if key[0] in ("Service", "NetworkPolicy")})


def test_a_password_is_made_once_and_kept() -> None:
    first, second = new_password(), new_password()
    assert first != second
    assert first.isalnum()
    secret = {"data": {"password": base64.b64encode(first.encode()).decode()}}
    task = FakeTask({})
    kept = mesh_registry._with_password(task, DeclaredRegistry(options()), secret)  # type: ignore[arg-type]
    assert kept.password == first
    assert first in task.secrets
    assert password_in(None) == password_in({"data": {"password": "%%"}}) == ""


URLS = {
    "postgres://u:p@db:5432/mesh?sslmode=disable": "",
    "postgresql://u:p@db/mesh": "",
    "postgres://u:p@x.postgres.database.azure.com:5432/mesh?sslmode=require": "",
    "postgres://u:p@x.postgres.database.azure.com/mesh?sslmode=verify-full": "",
    "postgres://u:p@x.postgres.database.azure.com:5432/mesh": "sslmode=(none)",
    "postgres://u:p@x.postgres.database.azure.com:5432/mesh?sslmode=disable": "sslmode=disable",
    "mysql://u:p@db/mesh": "does not begin with",
    "/data/registry.db": "does not begin with",
    "": "does not begin with",
    "postgres://u:p@db/mesh\n": "blanks or line ends",
    "postgres:///mesh": "names no host",
    "postgres://u:p@[db/mesh": "is not a valid address",
}


@pytest.mark.parametrize("url", URLS)
def test_addresses_of_databases(url: str) -> None:
    assert (wrong_url(url) == "") == (URLS[url] == "")
    assert URLS[url] in wrong_url(url)
    assert "u:p" not in wrong_url(url)


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        (None, "does not exist"),
        ({"data": {}}, "has no key url"),
        ({"data": {"url": "%%"}}, "has no key url"),
        ({"data": {"url": base64.b64encode(b"mysql://root:s3cr3t@db").decode()}}, "does not begin with"),
    ],
)
def test_a_secret_that_cannot_work_is_refused_before_the_registry_is_made(secret: Any, words: str) -> None:
    with pytest.raises(Refused) as caught:
        mesh_registry._with_existing(FakeTask({}), registry(database=EXISTING), secret)  # type: ignore[arg-type]
    assert words in caught.value.message()
    assert "s3cr3t" not in caught.value.message()


def test_in_check_mode_an_earlier_task_would_make_the_secret() -> None:
    mesh_registry._with_existing(FakeTask({}, check_mode=True), registry(database=EXISTING), None)  # type: ignore[arg-type]
    assert url_in({"data": {"url": "eA=="}}, "url") == "x"


REQUESTS = {"cpu": "1", "memory": "1Gi"}
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "kubeconfig": ({"kubeconfig": ""}, "kubeconfig", "is empty"),
    "namespace": ({"namespace": "A"}, "namespace", "is not a valid namespace name"),
    "name": ({"name": "r" * 41}, "name", "is not a valid registry name"),
    "image": ({"image": "A B"}, "image", "is not a valid image reference"),
    "image_pull_secrets": ({"image_pull_secrets": ["A"]}, "image_pull_secrets[0]", "is not a valid Secret name"),
    "replicas": ({"replicas": 0}, "replicas", "1 to 20"),
    "many": ({"replicas": 21}, "replicas", "1 to 20"),
    "two with a file": ({"replicas": 2, "database": {"type": "sqlite"}}, "replicas", "cannot share a file"),
    "no secret": ({"database": {"type": "existing"}}, "database.existing_secret", "is needed"),
    "a secret too many": (
        {"database": {"existing_secret": {"name": "a"}}},
        "database.existing_secret",
        "belongs to type: existing",
    ),
    "secret name": (
        {"database": {"type": "existing", "existing_secret": {"name": "A"}}},
        "database.existing_secret.name",
        "is not a valid Secret name",
    ),
    "database image": ({"database": {"image": "?"}}, "database.image", "is not a valid image reference"),
    "size": ({"database": {"size": "big"}}, "database.size", "is not a valid size"),
    "storage_class": ({"database": {"storage_class": "A"}}, "database.storage_class", "is not a valid StorageClass"),
    "database resources": (
        {"database": {"resources": {"requests": REQUESTS}}},
        "database.resources",
        "lacks limits.memory",
    ),
    "of no database of ours": (
        {"database": {**EXISTING, "storage_class": "a"}},
        "database.storage_class",
        "that is made here",
    ),
    "resources": ({"resources": {"limits": {"memory": "1Gi"}}}, "resources", "lacks requests.cpu, requests.memory"),
    "amounts": (
        {"resources": {"requests": REQUESTS, "limits": {"memory": "1Mi"}}},
        "resources.requests.memory",
        "more than the limit",
    ),
    "env": ({"env": {"A-B": "x"}}, "env.A-B", "is not a valid name"),
    "env of ours": ({"env": {"DATABASE_URL": "x"}}, "env.DATABASE_URL", "is set by the module"),
    "env value": ({"env": {"A": None}}, "env.A", "is not text"),
    "node_selector": ({"node_selector": {"a": "b c"}}, "node_selector.a", "is not a valid label value"),
    "agent_namespaces": ({"agent_namespaces": ["A"]}, "agent_namespaces[0]", "is not a valid namespace name"),
    "api_server_cidrs": ({"api_server_cidrs": ["10.0.0.0/8", "10.0.0.7/28"]}, "api_server_cidrs[1]", "is not a range"),
    "an address": ({"api_server_cidrs": ["10.0.0.7"]}, "api_server_cidrs[0]", "ends with /32"),
    "delete_data": ({"delete_data": True}, "delete_data", "state: absent"),
    "wait_timeout": ({"wait_timeout": -1}, "wait_timeout", "0 or more"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_work_is_refused(case: str) -> None:
    given, path, words = REFUSED[case]
    [problem] = mesh_registry.problems(options(**given))
    assert problem.path == path
    assert words in problem.message


@pytest.mark.parametrize("case", DECLARED)
def test_what_can_work_is_accepted(case: str) -> None:
    assert mesh_registry.problems(options(**DECLARED[case])) == []


def test_other_databases_are_no_choice() -> None:
    validated = ArgumentSpecValidator(module.ARGUMENT_SPEC).validate({"namespace": "a", "database": {"type": "mysql"}})
    assert "bundled, sqlite, existing" in validated.error_messages[0]


@pytest.mark.parametrize(
    ("places", "ports"),
    [
        ("db.example.com", (5432,)),
        ("db.example.com:5432", (5432,)),
        ("db.postgres.database.azure.com:6432", (6432,)),
        ("[fd00::7]:15432", (15432,)),
        ("[fd00::7]", (5432,)),
        ("one:7000,two:6000", (6000, 7000)),
        ("one,two:6432", (5432, 6432)),
    ],
)
def test_the_way_out_is_that_to_the_port_of_the_address(places: str, ports: tuple[int, ...]) -> None:
    url = f"postgres://mesh:a%40b@{places}/mesh?sslmode=require"
    assert registry_validate.wrong_url(url) == ""
    assert registry_validate.ports_of(url) == ports
    assert registry_validate.ports_of(f"{url}&port=6432") == (6432,)
    secret = {"data": {"url": base64.b64encode(url.encode()).decode()}}
    declared = registry(database=EXISTING, backup={})
    found = mesh_registry._with_existing(FakeTask({}), declared, secret)  # type: ignore[arg-type]
    for item in mesh_registry._objects(found):
        if item["kind"] == "NetworkPolicy":
            [_dns, out] = item["spec"]["egress"]
            assert out == {"ports": [{"port": port, "protocol": "TCP"} for port in ports]}


@pytest.mark.parametrize("port", ["0", "65536", "text", "-1", "٣"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    assert "port" in registry_validate.wrong_url(f"postgres://mesh:x@db:{port}/mesh")


@pytest.mark.parametrize("domain", ["azure.com", "usgovcloudapi.net", "chinacloudapi.cn"])
@pytest.mark.parametrize("place", ["a.postgres.database.{}", "A.Postgres.Database.{}:6432", "b,a.postgres.database.{}"])
def test_azure_databases_of_all_clouds_want_encryption(domain: str, place: str) -> None:
    url = f"postgres://mesh:x@{place.format(domain)}/mesh"
    assert "sslmode=require" in registry_validate.wrong_url(url)
    assert "sslmode=disable" in registry_validate.wrong_url(f"{url}?sslmode=disable")
    assert registry_validate.wrong_url(f"{url}?sslmode=verify-full") == ""
