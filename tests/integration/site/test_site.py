# SPDX-License-Identifier: GPL-3.0-or-later
"""The promise of the README: a second run changes nothing, and what was changed by hand is shown and repaired."""

from __future__ import annotations

import asyncio
import json
import shutil
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from support.container_registry import RegistryUser
from support.playbook import CHECKOUT, Run, run_playbook
from support.portal import Portal
from support.snapshot import snapshot

from .conftest import Site

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Second:
    """A second run at -vvvv, and what it left in the logs of Azure and of the cluster."""

    run: Run
    azure_requests: list[dict[str, Any]]
    azure_writes: list[dict[str, Any]]
    cluster_writes: list[str]
    helm_started: bool


@pytest.fixture(scope="module")
def second(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Second:
    directory = tmp_path_factory.mktemp("second")
    asked, azure, cluster = len(site.azure_requests()), len(site.azure_writes()), len(site.cluster_writes())
    run = site.run("--diff", "-vvvv", env=_counting_helm(directory)).ok()
    return Second(
        run,
        site.azure_requests()[asked:],
        site.azure_writes()[azure:],
        site.cluster_writes()[cluster:],
        (directory / "helm-was-started").exists(),
    )


def test_a_second_run_changes_nothing_and_asks_once(second: Second) -> None:
    assert second.run.changed == []
    assert second.azure_writes == []
    # the lease comes and goes
    leases = [write.partition("?")[0] for write in second.cluster_writes]
    assert [write.split("/leases")[0].split(" ")[0] for write in leases] == ["create", "delete"], leases
    assert all("/namespaces/kube-system/leases" in write for write in leases), leases
    paths = [request["path"].split("?")[0].lower() for request in second.azure_requests]
    assert len([path for path in paths if "/oauth2/" in path]) <= 1
    resources = Counter(path for path in paths if "/providers/" in path)
    assert max(resources.values()) == 1, resources
    assert not second.helm_started
    # what is left out, and the choice of a file of tasks, are shown to nobody; three of them are a registry, its image,
    # and the role of the nodes there, two the preflight of the platform
    shown = [one for one in second.run.results if one["status"] != "skipped" and "include_tasks" not in one["action"]]
    assert len(shown) <= 23, [result["task"] for result in shown]


def test_the_run_ends_with_what_answers(second: Second) -> None:
    output = second.run.output
    assert "hello from the platform" in output and "mcp/echo" in output
    assert "teardown_confirm=local-1" in output


@pytest.mark.slow
def test_a_new_image_under_the_same_tag_reaches_the_pods(site: Site, tmp_path: Path) -> None:
    """In the same run; who does not look at the registry leaves what runs."""
    shutil.copytree(CHECKOUT / "examples", tmp_path / "examples")
    own = ("-e", f"local_examples={tmp_path / 'examples'}")
    before = echo_image(site)
    assert "/echo-mcp:1.0.0@sha256:" in before and site.run(*own).ok().changed == []
    with (tmp_path / "examples" / "echo-mcp" / "server.py").open("a", encoding="utf-8") as program:
        program.write("# changed\n")
    rolled = site.run(*own).ok()
    after = echo_image(site)
    assert [name.rpartition(" : ")[2] for name in rolled.changed] == [
        "Put the images into the registries",
        "Converge the MCP servers",
    ]
    assert after.partition("@")[0] == before.partition("@")[0] and after != before
    assert running_images(site) == {after}
    for arguments in (own, ("--tags", "mcp"), ("--limit", "local-1")):
        assert site.run(*arguments).ok().changed == [], arguments
    # and back to what the checkout has
    assert site.run().ok().changed and echo_image(site) == before


def echo_image(site: Site) -> str:
    return site.kubectl("get", "mcpservers.kagent.dev", "echo", "-n", "mcp", "-o", "jsonpath={.spec.deployment.image}")


def running_images(site: Site) -> set[str]:
    """Of pods that nobody has asked to go."""
    pods = json.loads(site.kubectl("get", "pods", "-n", "mcp", "-l", "app.kubernetes.io/instance=echo", "-o", "json"))
    kept = [pod for pod in pods["items"] if not pod["metadata"].get("deletionTimestamp")]
    return {container["image"] for pod in kept for container in pod["spec"]["containers"]}


def test_the_nodes_pull_from_the_declared_registry(site: Site, cloud: Any) -> None:
    """The image that the platform's registry has built runs, and nobody without a role is given a token to pull it."""
    group = "resourceGroups/rg-mcpops-local/providers/Microsoft.ContainerRegistry/registries"
    (registry,) = Portal(cloud.environment, cloud.secret).get(group, "2025-11-01")["value"]
    host = registry["properties"]["loginServer"]
    assert host == cloud.environment["login_server"] != cloud.registry
    pods = json.loads(site.kubectl("get", "pods", "-n", "mcp", "-o", "json"))["items"]
    echoes = [pod for pod in pods if pod["metadata"]["labels"].get("app.kubernetes.io/instance") == "echo"]
    images = {container["image"] for pod in echoes for container in pod["spec"]["containers"]}
    assert {image.partition("@sha256:")[0] for image in images} == {f"{host}/echo-mcp:1.0.0"}
    nobody = RegistryUser(host, cloud.environment["ca_file"])
    assert nobody.token("repository:echo-mcp:pull").status_code == 401
    owner = RegistryUser(host, cloud.environment["ca_file"], Portal(cloud.environment, cloud.secret).token())
    config = owner.config("echo-mcp", "1.0.0")["config"]
    assert config["Entrypoint"] == ["python", "/app/server.py"]


def test_the_client_secret_is_in_no_output(site: Site, second: Second) -> None:
    secret = (site.state / "client-secret").read_text(encoding="ascii").strip()
    assert secret not in second.run.output and secret not in str(second.run.results)


@dataclass(frozen=True)
class Drift:
    """Something done by hand, and words that the diff must show."""

    by_hand: Callable[[Site], object]
    shown: tuple[str, ...]


DRIFTS = {
    "the server's Service is deleted": Drift(
        lambda site: site.kubectl("delete", "service", "echo", "-n", "mcp"), ("Service", "echo")
    ),
    "the namespace's Pod Security label is edited": Drift(
        lambda site: site.kubectl(
            "label", "namespace", "mcp", "pod-security.kubernetes.io/enforce=privileged", "--overwrite"
        ),
        ("pod-security.kubernetes.io/enforce", "privileged", "restricted"),
    ),
    "the server's Deployment is scaled to zero": Drift(
        lambda site: site.kubectl("scale", "deployment", "echo", "-n", "mcp", "--replicas=0"), ("replicas", "0")
    ),
    "an environment variable is added to the server": Drift(
        lambda site: site.kubectl(
            "patch", "mcpserver", "echo", "-n", "mcp", "--type=merge", "-p", '{"spec":{"deployment":{"env":{"X":"1"}}}}'
        ),
        ("spec.deployment.env.X", "kubectl-patch"),
    ),
}


# the first two together: test_drift.py
@pytest.mark.slow
@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS.keys())
def test_a_drift_alone_is_shown_then_repaired(site: Site, drift: Drift) -> None:
    site.settle()
    clean = snapshot(site.kubectl)
    drift.by_hand(site)
    site.shows_and_repairs(clean, drift.shown)


def test_check_mode_from_nothing_lists_everything_and_writes_nothing(site: Site, tmp_path: Path) -> None:
    writes = site.azure_writes()
    (tmp_path / "group_vars").symlink_to(CHECKOUT / "inventories" / "local" / "group_vars")
    own = {"mcpops_resource_group": "rg-nothing-yet", "mcpops_kubeconfig": str(tmp_path / "kubeconfig")}
    platform = {"hosts": {"nothing": own}}
    clusters = {"hosts": {"nothing-1": {**own, "mcpops_platform": "nothing"}}}
    inventory = {"all": {"children": {"platforms": platform, "clusters": clusters}}}
    (tmp_path / "hosts.json").write_text(json.dumps(inventory), encoding="utf-8")
    run = run_playbook("-i", tmp_path, CHECKOUT / "site.yml", "--check", "--diff").ok()
    for planned in ("rg-nothing-yet", "nothing-1", "Namespace mcp", "kmcp-crds", "MCPServer mcp/echo"):
        assert planned in run.output, planned
    assert len(run.changed) >= 6, run.changed
    assert site.azure_writes() == writes
    assert not (tmp_path / "kubeconfig").exists()


@pytest.mark.slow
def test_another_run_is_told_who_is_at_work_and_a_failing_run_leaves_the_cluster_free(site: Site) -> None:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "mcpops-platform", "namespace": "kube-system"},
        "spec": {
            "holderIdentity": "alice@another-controller",
            "leaseDurationSeconds": 60,
            "renewTime": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
    }
    site.kubectl("create", "-f", "-", stdin=json.dumps(lease))
    refused = site.run("--tags", "setup")
    assert refused.returncode != 0
    assert "another run holds the lease" in refused.output and "alice@another-controller works on it" in refused.output
    assert "mcpops-platform" in site.kubectl("get", "leases", "-n", "kube-system", "-o", "name")
    site.kubectl("delete", "lease", "mcpops-platform", "-n", "kube-system")
    failed = site.run("--tags", "setup", "-e", '{"cluster_setup_objects": [{"apiVersion": "v1", "kind": "ConfigMap"}]}')
    assert failed.returncode != 0 and "metadata" in failed.output
    assert "mcpops-platform" not in site.kubectl("get", "leases", "-n", "kube-system", "-o", "name")


def test_the_official_client_calls_the_server_through_a_port_forward(site: Site) -> None:
    command = [site.kubectl_binary, "--kubeconfig", str(site.kubeconfig)]
    command += ["-n", "mcp", "port-forward", "service/echo", ":3000", "--address", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forward:
        try:
            assert forward.stdout is not None
            # "Forwarding from 127.0.0.1:45555 -> 3000"
            port = forward.stdout.readline().split(" -> ")[0].rsplit(":", 1)[1]
            assert asyncio.run(_echo(f"http://127.0.0.1:{port}/mcp", "over a port-forward")) == "over a port-forward"
        finally:
            forward.kill()


async def _echo(url: str, text: str) -> str:
    async with streamablehttp_client(url) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        answer = await session.call_tool("echo", {"text": text})
        (content,) = answer.content
        return str(getattr(content, "text", ""))


def test_the_kubeconfig_is_private(site: Site) -> None:
    assert stat.S_IMODE(site.kubeconfig.stat().st_mode) == 0o600


@pytest.mark.slow
def test_the_kubeconfig_that_the_cluster_role_wrote_is_the_one_in_use(site: Site, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.touch(mode=0o600)
    own.write_bytes(site.kubeconfig.read_bytes())
    given = json.dumps({"aks_cluster_kubeconfig": str(own), "mcpops_kubeconfig": str(tmp_path / "nowhere")})
    for playbook, tags in (("site.yml", "setup"), ("playbooks/verify.yml", "all"), ("playbooks/diagnose.yml", "all")):
        run = site.run("-e", given, "--tags", tags, playbook=playbook).ok()
        # the commands at the end repeat what this one was given
        used = [one for one in run.results if one["task"] != "Show what answers"]
        assert used and str(tmp_path / "nowhere") not in json.dumps(used), run.output


def test_teardown_wants_a_name(site: Site) -> None:
    writes = len(site.azure_writes())
    for confirm in ("", "nobody"):
        run = site.run("-e", f"teardown_confirm={confirm}", playbook="playbooks/teardown.yml")
        assert run.returncode != 0 and "teardown_confirm=local-1" in run.output
    assert site.azure_writes()[writes:] == []


def _counting_helm(directory: Path) -> dict[str, str]:
    """A PATH on which helm leaves a mark before it runs."""
    shim = directory / "bin" / "helm"
    shim.parent.mkdir()
    real = Path(sys.executable).parent / "helm"
    shim.write_text(f'#!/bin/sh\ntouch {directory}/helm-was-started\nexec {real} "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    return {"PATH": f"{shim.parent}:{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:/sbin"}
