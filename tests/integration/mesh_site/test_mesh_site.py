# SPDX-License-Identifier: GPL-3.0-or-later
"""A site with a mesh, as a user runs it: planned, made, left alone, broken by hand, repaired, torn down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import mesh
from support.playbook import LOCAL_HOST, Run, run_playbook

pytestmark = [pytest.mark.integration, pytest.mark.slow]

HOST, NAMESPACE = "meshed", "mesh-site"
VOLUME = f"data-{mesh.REGISTRY_SERVICE}-db-0"
SECRET = f"{mesh.REGISTRY_SERVICE}-database"
CALL = {"agent": "greeter", "tool": "greet", "arguments": {"name": "Ada"}}
RUNTIME = "mcpmesh/python-runtime:3.8.0"


@dataclass(frozen=True)
class MeshSite:
    directory: Path
    cluster: Any

    def play(self, playbook: str, *arguments: str, **variables: Any) -> Run:
        place = f"drift_report_directory={self.directory / 'drift-report'}"
        more = ("-e", json.dumps(variables)) if variables else ()
        inventory = self.directory / "hosts.json"
        return run_playbook(f"mcpops.platform.{playbook}", "-i", inventory, "-e", place, *more, *arguments)

    def kubectl(self, *arguments: str) -> str:
        found: str = self.cluster.kubectl("-n", NAMESPACE, *arguments)
        return found

    def names(self, kinds: str) -> set[str]:
        listed = self.kubectl("get", kinds, "-o", "name")
        return {line.rpartition("/")[2] for line in listed.splitlines()}

    def uid(self, kind: str, name: str) -> str:
        return self.kubectl("get", kind, name, "-o", "jsonpath={.metadata.uid}")

    @property
    def drifted(self) -> set[tuple[str, str]]:
        report = json.loads((self.directory / "drift-report" / "drift-report.json").read_text(encoding="utf-8"))
        (host,) = (one for one in report["hosts"] if one["name"] == HOST)
        return {(one["stage"], one["object"].partition(" ")[0]) for one in host["differences"]}


def agents(cloud: Any) -> list[dict[str, Any]]:
    image = mesh.image(cloud, RUNTIME)
    return [
        {
            "name": "dates",
            "image": image,
            "script": "dates.py",
            "capabilities": [{"name": "date_service", "version": "^1.0"}],
        },
        {
            "name": "greeter",
            "image": image,
            "script": "greeter.py",
            "dependencies": [{"capability": "date_service", "version": ">=1.0.0"}],
        },
    ]


@pytest.fixture(scope="module")
def site(cloud: Any, cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeshSite]:
    """A cluster that somebody else has made, so that what was put into it is removed from it."""
    mesh.provide(cloud)
    directory = tmp_path_factory.mktemp("mesh-site")
    variables = {
        **LOCAL_HOST,
        "aks_cluster_backend": "existing",
        "mcpops_kubeconfig": str(cluster.kubeconfig),
        "mcpops_process_environment": {"NO_PROXY": cloud.process_environment()["NO_PROXY"]},
        "mcpops_kmcp_chart_repository": f"oci://{cloud.registry}/kagent-dev/kmcp/helm",
        "mcpops_registry_ca_file": cloud.environment["registry_ca_file"],
        "mcpops_mesh_namespace": NAMESPACE,
        "mcp_mesh_image": mesh.image(cloud, "mcpmesh/registry:3.7.1"),
        "mcp_mesh_database": {"image": mesh.image(cloud, "library/postgres:15"), "size": "1Gi"},
        "mcp_mesh_agents_code": str(mesh.EXAMPLES),
        "mcpops_mesh_agents": agents(cloud),
        "mcpops_mesh_calls": [{**CALL, "expect_regex": r"Hello Ada, it is \d{4}-\d{2}-\d{2}"}],
    }
    hosts = {"clusters": {"hosts": {HOST: variables}}}
    (directory / "hosts.json").write_text(json.dumps({"all": {"children": hosts}}), encoding="utf-8")
    yield MeshSite(directory, cluster)
    for namespace in (NAMESPACE, "mcp", "kmcp-system"):
        cluster.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false")


# one after the other, as in the life of a site


def test_a_plan_from_nothing_makes_nothing(site: MeshSite) -> None:
    planned = site.play("site", "--check", "--diff").ok()
    assert {"Converge the registry", "Converge the agents of the mesh"} <= names_of(planned)
    assert site.cluster.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "name") == ""


def names_of(run: Run) -> set[str]:
    return {task.rpartition(" : ")[2] for task in run.changed}


def test_the_first_run_ends_with_agents_that_have_found_each_other(site: MeshSite) -> None:
    made = site.play("site").ok()
    rows = [line.split() for line in made.of(HOST, "Show what answers")["msg"]]
    (greeter,) = (row for row in rows if row[:1] == ["greeter"])
    assert greeter[1:4] == ["1", "greeting", "date_service=dates"] and greeter[5:7] == ["Hello", "Ada,"]
    level = "jsonpath={.metadata.labels.pod-security\\.kubernetes\\.io/enforce}"
    assert site.kubectl("get", "namespace", NAMESPACE, "-o", level) == "restricted"
    assert site.names("resourcequotas") == site.names("limitranges") == {"mcp-mesh"}
    # every container says what it asks for, and none has a token
    for pod in site.cluster.get("-n", NAMESPACE, "pods")["items"]:
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert all({"requests", "limits"} <= set(one["resources"]) for one in pod["spec"]["containers"])


@pytest.mark.parametrize("check", [(), ("--check",)])
def test_a_second_run_changes_nothing(site: MeshSite, check: tuple[str, ...]) -> None:
    assert site.play("site", *check).ok().changed == []
    assert site.play("verify").ok().changed == []


def test_what_was_changed_by_hand_is_reported_and_repaired(site: MeshSite) -> None:
    site.kubectl("scale", "deployment/dates", "--replicas=0")
    everybody = {"spec": {"ingress": [{}]}}
    site.kubectl("patch", "networkpolicy", mesh.REGISTRY_SERVICE, "--type=merge", "-p", json.dumps(everybody))
    code = {"data": {"greeter.py": "print('somebody else')\n"}}
    site.kubectl("patch", "configmap", "greeter", "--type=merge", "-p", json.dumps(code))
    site.kubectl("patch", "resourcequota", "mcp-mesh", "--type=merge", "-p", '{"spec": {"hard": {"pods": "1000"}}}')

    found = site.play("drift")
    assert found.returncode == 2, found.output
    assert site.drifted == {
        ("mesh", "Deployment"),
        ("mesh", "NetworkPolicy"),
        ("mesh", "ConfigMap"),
        ("mesh", "ResourceQuota"),
    }
    # what looks changes nothing
    assert site.kubectl("get", "deployment", "dates", "-o", "jsonpath={.spec.replicas}") == "0"

    repaired = site.play("site", "--tags", "mesh,verify").ok()
    assert names_of(repaired) == {
        "Apply the namespace of the mesh",
        "Converge the registry",
        "Converge the agents of the mesh",
    }
    assert site.play("drift").ok().returncode == 0


def test_a_wrong_answer_and_a_lost_agent_make_verification_red(site: MeshSite) -> None:
    wrong = site.play("verify", mcpops_mesh_calls=[{**CALL, "expect": "Good evening"}])
    assert wrong.returncode != 0 and "Good evening" in wrong.output
    shown = "\n".join(wrong.of(HOST, "Show what answers")["msg"])
    assert "agents of the mesh that did not answer as declared: greeter" in shown

    asks_for_more = [{"name": "dates", "capabilities": [{"name": "date_service", "version": ">=2"}]}]
    wanting = site.play("verify", mcpops_mesh_agents=asks_for_more, mcpops_mesh_calls=[], site_verify_wait_timeout=1)
    assert wanting.returncode != 0 and "CapabilityVersion" in wanting.output


def test_a_teardown_keeps_data_until_it_is_told_not_to(site: MeshSite) -> None:
    volume, secret = site.uid("persistentvolumeclaim", VOLUME), site.uid("secret", SECRET)
    confirmed = ("-e", f"teardown_confirm={HOST}")
    planned = site.play("teardown", *confirmed, "--check").ok()
    assert {"Remove the agents of the mesh", "Remove the registry"} <= names_of(planned)
    assert site.names("deployments") == {"dates", "greeter", mesh.REGISTRY_SERVICE}

    site.play("teardown", *confirmed).ok()
    assert site.names("deployments,statefulsets,services,networkpolicies") == set()
    assert (site.uid("persistentvolumeclaim", VOLUME), site.uid("secret", SECRET)) == (volume, secret)

    # the database takes the password that it was made with
    site.play("site", "--tags", "setup,mesh,verify", mcpops_mcp_calls=[]).ok()
    assert (site.uid("persistentvolumeclaim", VOLUME), site.uid("secret", SECRET)) == (volume, secret)

    site.play("teardown", *confirmed, mcp_mesh_delete_data=True).ok()
    assert site.names("persistentvolumeclaims,secrets") == set()
    site.play("teardown", *confirmed, mcp_mesh_delete_data=True, site_teardown_namespaces=True).ok()
    assert site.cluster.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "name") == ""
