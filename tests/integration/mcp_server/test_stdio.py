# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of standard input and output behind KMCP's adapter: they run and answer, and what goes wrong is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import kmcp as support

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("kmcp")]

ADAPTER = "ghcr.io/agentgateway/agentgateway"
SAY = """
from mcp.server.fastmcp import FastMCP
server = FastMCP("say")
server.tool(name="say")(lambda text: text)
server.run("stdio")
"""
CALLS = [
    {"name": "say", "tool": "say", "arguments": {"text": "over a pipe"}, "expect": "over a pipe"},
    {"name": "words", "tool": "count", "arguments": {"text": "one two three"}, "expect": "3"},
    {
        "name": "units",
        "tool": "convert",
        "arguments": {"value": 1, "source": "mi", "target": "m"},
        "expect": "1609.344",
    },
]

Run = Callable[..., dict[str, Any]]


def stdio(cloud: Any, **options: Any) -> dict[str, Any]:
    image = {} if options.get("command") in ("npx", "uvx") else {"image": f"{cloud.registry}/echo-mcp:1.0.0"}
    return {"transport": "stdio", **image, **options}


def servers(cloud: Any, *names: str) -> list[dict[str, Any]]:
    packages = cloud.environment["packages"]
    known = {
        "say": stdio(cloud, command="python", args=["-c", SAY]),
        "words": stdio(
            cloud, command="npx", args=["-y", "words-mcp@1.0.0"], env={"npm_config_registry": f"{packages}/npm/"}
        ),
        "units": stdio(
            cloud, command="uvx", args=["units-mcp==1.0.0"], env={"UV_DEFAULT_INDEX": f"{packages}/pypi/simple/"}
        ),
    }
    return [{"name": name, "port": 3100, **known[name]} for name in names]


@pytest.fixture
def apply(run_task: Any, cloud: Any, namespace: str) -> Run:
    def run(*declared: dict[str, Any], **options: Any) -> dict[str, Any]:
        task = {name: options.pop(name) for name in ("state", "wait", "adapter_image") if name in options}
        given = {"namespace": namespace, "servers": list(declared), "wait_timeout": 120, **task}
        result: dict[str, Any] = run_task("mcp_server", given, **options)
        return result

    return run


@pytest.fixture
def ask(run_task: Any, namespace: str) -> Run:
    def run(*calls: dict[str, Any], **options: Any) -> dict[str, Any]:
        asked = [{"port": 3100, **call} for call in calls]
        given = {"namespace": namespace, "servers": asked, "wait_timeout": 90, "timeout": 30}
        given |= {name: options.pop(name) for name in ("wait_timeout", "timeout") if name in options}
        result: dict[str, Any] = run_task("mcp_probe", given, **options)
        return result

    return run


def from_nothing_to_gone(apply: Run, ask: Run, cluster: Any, namespace: str, declared: list[dict[str, Any]]) -> None:
    names = [server["name"] for server in declared]
    assert apply(*declared, check=True)["changed"]
    assert cluster.get("mcpservers.kagent.dev", "-n", namespace)["items"] == []
    made = apply(*declared)
    assert [row["ready_replicas"] for row in made["servers"]] == [1] * len(names)
    for pod in cluster.get("pods", "-n", namespace)["items"]:
        # KMCP's own choice, unmodified, under the restricted level
        assert pod["spec"]["initContainers"][0]["image"] == f"{ADAPTER}:0.9.0-musl"
    assert not apply(*declared, check=True)["changed"]
    assert not apply(*declared)["changed"]

    answered = ask(*(call for call in CALLS if call["name"] in names))["servers"]
    assert [row["reachable"] for row in answered] == [True] * len(names)
    # the adapter speaks for the program
    assert {(row["era"], row["server_info"]["name"]) for row in answered} == {("legacy", "rmcp")}

    ready = ("mcpservers.kagent.dev", "--all", "--for=condition=Ready", "--timeout=60s")
    cluster.kubectl("-n", namespace, "wait", *ready)
    cluster.kubectl("-n", namespace, "delete", "service", names[0])
    image = {"spec": {"template": {"spec": {"initContainers": [{"name": "copy-binary", "args": ["--version"]}]}}}}
    cluster.kubectl("-n", namespace, "patch", "deployment", names[-1], "-p", json.dumps(image))
    drifted = apply(*declared, check=True)
    shown = "".join(part["before"] for part in drifted["diff"])
    assert "--version" in shown and "set by kubectl-patch" in shown
    assert apply(*declared)["changed"]
    assert not apply(*declared)["changed"]
    assert all(row["reachable"] for row in ask(*(call for call in CALLS if call["name"] in names))["servers"])

    assert apply(*declared, state="absent")["changed"]
    assert cluster.get("pods", "-n", namespace)["items"] == []
    assert not apply(*declared, state="absent")["changed"]


def test_a_program_of_an_image_and_one_of_a_registry_from_nothing_to_gone(
    apply: Run, ask: Run, cloud: Any, cluster: Any, namespace: str
) -> None:
    from_nothing_to_gone(apply, ask, cluster, namespace, servers(cloud, "say", "words"))


@pytest.mark.slow
def test_one_of_an_index_from_nothing_to_gone(apply: Run, ask: Run, cloud: Any, cluster: Any, namespace: str) -> None:
    from_nothing_to_gone(apply, ask, cluster, namespace, servers(cloud, "units"))


def test_an_adapter_that_cannot_be_pulled_is_told_as_such(
    apply: Run, run_task: Any, cloud: Any, cluster: Any, namespace: str
) -> None:
    [declared] = servers(cloud, "say")
    missing = f"{cloud.registry}/mirror/agentgateway:0.9.0-musl"
    failed = apply(declared, adapter_image=missing, fails=True)
    reported = failed["msg"]
    assert f"the image of KMCP's adapter for stdio servers, {missing} cannot be pulled" in reported
    assert "container copy-binary" in reported and "not the server's own image" in reported
    assert "adapter_image" in reported and "adapter_version" in reported
    assert "echo-mcp" not in reported
    found = run_task("k8s_diagnosis_info", {"namespaces": [namespace]})["findings"]
    [pull] = [one for one in found if one["code"] == "ImagePull"]
    assert "KMCP's adapter" in pull["summary"] and "adapter_image" in pull["advice"]
    # the adapter under another name
    assert apply(declared, adapter_image=f"{cloud.registry}/agentgateway/agentgateway:0.9.0-musl")["changed"]


@pytest.fixture
def controller_of_another_adapter(cloud: Any, cluster: Any, kmcp: None) -> Iterator[str]:
    """The shared controller takes agentgateway 0.9.99, which nobody has published, until the test is over."""
    options = {
        "chart_repository": f"oci://{cloud.registry}/kagent-dev/kmcp/helm",
        "ca_file": cloud.environment["registry_ca_file"],
        "values": {},
        "wait_timeout": 180,
    }
    support.run(cloud, cluster, {"mcpops.platform.kmcp_install": {**options, "adapter_version": "0.9.99"}})
    yield f"{ADAPTER}:0.9.99-musl"
    support.run(cloud, cluster, {"mcpops.platform.kmcp_install": options})


@pytest.mark.slow
def test_the_controller_takes_another_version_of_the_adapter(
    apply: Run, controller_of_another_adapter: str, cloud: Any
) -> None:
    failed = apply(*servers(cloud, "say"), fails=True)
    assert f"stdio servers, {controller_of_another_adapter} cannot be pulled" in failed["msg"]


QUITS = "import sys; print('the catalogue is ' + 'locked', file=sys.stderr); sys.exit(3)"
# before anything else, or a busy machine is still importing when the probe gives up
CHATS = "print('Welcome!', flush=True)\n" + SAY


@pytest.mark.slow
def test_programs_that_do_not_speak_are_told_with_their_log(
    apply: Run, ask: Run, cloud: Any, cluster: Any, namespace: str
) -> None:
    declared = [
        {"name": "quits", **stdio(cloud, command="python", args=["-c", QUITS])},
        {"name": "chats", **stdio(cloud, command="python", args=["-c", CHATS])},
        {"name": "missing", **stdio(cloud, command="no-such-program")},
    ]
    # a running adapter is all that the cluster sees
    assert [row["ready_replicas"] for row in apply(*declared)["servers"]] == [1, 1, 1]
    calls = [{"name": server["name"], "port": 3000} for server in declared]
    failed = ask(*calls, fails=True, wait_timeout=16, timeout=8)
    quits, chats, missing = (row["error"] for row in failed["servers"])
    assert (quits["code"], chats["code"], missing["code"]) == ("Timeout", "Timeout", "ProgramNotStarted")
    assert "the catalogue is locked" in quits["message"] and "its program has ended" in quits["hint"]
    assert "Welcome!" in chats["message"]
    assert "cannot start 'no-such-program'" in missing["message"]


@pytest.mark.slow
def test_what_the_module_refuses_breaks_as_it_says(
    apply: Run, ask: Run, cloud: Any, cluster: Any, namespace: str
) -> None:
    """Servers written by hand: one without a command, and one on a port of the adapter's own."""
    [declared] = servers(cloud, "say")
    refused = apply({**declared, "command": None}, {**declared, "name": "own-port", "port": 15021}, fails=True)
    assert "command: is missing" in refused["msg"] and "15021 is the adapter's own" in refused["msg"]

    apply({**declared, "name": "no-command"}, {**declared, "name": "own-port"})
    patches: dict[str, dict[str, Any]] = {"no-command": {"cmd": None, "args": None}, "own-port": {"port": 15021}}
    for name, deployment in patches.items():
        patch = json.dumps({"spec": {"deployment": deployment}})
        cluster.kubectl("-n", namespace, "patch", "mcpservers.kagent.dev", name, "--type=merge", "-p", patch)
    for name in patches:
        generation = "jsonpath={.status.observedGeneration}=2"
        cluster.kubectl("-n", namespace, "wait", "mcpservers.kagent.dev", name, f"--for={generation}", "--timeout=60s")
        cluster.kubectl("-n", namespace, "rollout", "status", f"deployment/{name}", "--timeout=90s")
    calls = [{"name": "no-command"}, {"name": "own-port", "port": 15021}]
    failed = ask(*calls, fails=True, wait_timeout=15, timeout=4)
    without, elsewhere = (row["error"] for row in failed["servers"])
    assert without["code"] == "ProgramNotStarted" and "was given no command" in without["message"]
    # it runs, and something else answers there
    assert elsewhere["code"] == "PathNotFound"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["words", "units"])
def test_npx_and_uvx_in_a_read_only_file_system(apply: Run, ask: Run, cloud: Any, namespace: str, name: str) -> None:
    [declared] = servers(cloud, name)
    sealed = {**declared, "security_context": {"readOnlyRootFilesystem": True}}
    refused = apply(sealed, fails=True)
    assert "no volume is mounted there that can be written to" in refused["msg"]
    room = {
        "env": {**declared["env"], "HOME": "/scratch"},
        "volumes": [{"name": "scratch", "emptyDir": {}}],
        "volume_mounts": [{"name": "scratch", "mountPath": "/scratch"}],
    }
    apply({**sealed, **room})
    [answered] = ask(*(call for call in CALLS if call["name"] == name))["servers"]
    assert answered["reachable"]


@pytest.mark.slow
def test_a_package_without_a_version_runs_and_is_warned_of(run_all: Any, cloud: Any, namespace: str) -> None:
    [declared] = servers(cloud, "words")
    floating = {**declared, "args": ["-y", "words-mcp"], "namespace": namespace, "wait_timeout": 120}
    call = {**CALLS[1], "namespace": namespace, "port": 3100, "wait_timeout": 90, "timeout": 30}
    run = run_all([{"mcpops.platform.mcp_server": floating}, {"mcpops.platform.mcp_probe": call}]).ok()
    output = " ".join(run.output.split())
    assert "npx runs words-mcp in whatever version it finds when a session begins" in output
    assert "NAME@1.2.3" in output
