# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent of the Microsoft Agent Framework where policies are enforced: made, asked, broken, repaired, removed.

Its model is played and knows nothing; what it answers was told by tools of real MCP servers of KMCP, of both eras."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from support import mesh
from support.restricted_pods import python_pod

pytestmark = [pytest.mark.integration, pytest.mark.slow]

KEY = "opaque-Zt81-92734650"
MODEL = "model"
KINDS = "deployments,services,serviceaccounts,configmaps,secrets,networkpolicies,poddisruptionbudgets"


def model(cloud: Any, namespace: str) -> list[dict[str, Any]]:
    ready = {"httpGet": {"path": "/ready", "port": 8080}}
    env = [{"name": "MODEL_KEY", "value": KEY}]
    return mesh.workload(MODEL, namespace, f"{cloud.registry}/stub-model:1.0.0", 8080, ready, env=env)


def server(name: str) -> dict[str, Any]:
    return {"name": name, "url": f"http://{name}:3000/mcp"}


def declared(cloud: Any, namespace: str, **options: Any) -> dict[str, Any]:
    agent = {
        "name": "helper",
        "image": f"{cloud.registry}/examples/agent:1.0.0",
        "files": [
            {
                "path": "/app/config/agent.toml",
                "toml": {
                    "agent": {
                        "system_prompt_file": "/app/config/system_prompt.txt",
                        "openai": {"base_url": f"http://{MODEL}:8080/v1", "model": "stub"},
                        "mcp": [server("echo"), server("calendar")],
                    }
                },
            },
            {"path": "/app/config/system_prompt.txt", "text": "Say what your tools say."},
        ],
        "secrets": {"backend": "plain", "values": {"OPENAI_API_KEY": KEY}},
        "calls": [
            {"pod_labels": {"app": MODEL}, "ports": [8080]},
            *({"pod_labels": {"app.kubernetes.io/name": name}, "ports": [3000]} for name in ("echo", "calendar")),
        ],
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "request_timeout": 0,
        **options,
    }
    return {"namespace": namespace, "agents": [agent], "wait_timeout": 280}


def question(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"agent": "helper", "path": "/chat", "body": {"message": f"Call {tool} with {json.dumps(arguments)}"}}


def changes(result: dict[str, Any]) -> dict[str, list[str]]:
    return {one["after_header"]: [change["path"] for change in one["changes"]] for one in result["diff"]}


@pytest.fixture
def behind(cloud: Any, cluster: Any, namespace: str, kmcp: None, images: None, run_task: Any) -> str:
    """A namespace with two MCP servers of KMCP, one of each era, and a model."""
    mesh.apply(cluster, model(cloud, namespace))
    servers = [
        {"name": name, "image": f"{cloud.registry}/{name}-mcp:1.0.0", "port": 3000} for name in ("echo", "calendar")
    ]
    run_task("mcp_server", {"namespace": namespace, "servers": servers, "wait_timeout": 280})
    mesh.rolled_out(cluster, namespace, MODEL)
    return namespace


def test_an_agent_from_nothing_to_an_answer_and_back(
    cloud: Any, cluster: Any, behind: str, direct: Any, run_task: Any
) -> None:
    task = declared(cloud, behind)
    before = cluster.get("-n", behind, KINDS)["items"]
    planned = direct(task, check=True)
    assert planned["changed"]
    assert {one["metadata"]["uid"] for one in cluster.get("-n", behind, KINDS)["items"]} == {
        one["metadata"]["uid"] for one in before
    }

    made = direct(task)
    assert made["agents"][0]["url"] == f"http://helper.{behind}.svc"
    assert KEY not in json.dumps({**made, "invocation": None}).replace(json.dumps(task), "")
    for check in (False, True):
        again = direct(task, check=check)
        assert not again["changed"], changes(again)

    # what only a tool can tell, by a server of each era
    ask = {
        "namespace": behind,
        "agents": [{"name": "helper"}],
        "calls": [
            {**question("echo", text="as-the-tool-says"), "expect_regex": "The tool says: .*as-the-tool-says"},
            {**question("weekday", day="2026-12-01"), "expect_regex": "The tool says: .*Tuesday"},
        ],
        "wait_timeout": 60,
    }
    told = run_task("agent_workload_info", ask)
    assert told["agents"][0]["components"] == {"mcp/calendar": "ok", "mcp/echo": "ok", "model": "ok"}
    assert [one["as_expected"] for one in told["answers"]] == [True, True]
    wrong = run_task(
        "agent_workload_info",
        {**ask, "calls": [{**question("echo", text="a"), "expect_regex": "no such text"}], "wait_timeout": 0},
        fails=True,
    )
    assert [one["code"] for one in wrong["error"]["reasons"]] == ["AgentAnswerWrong"]

    # by hand: another number of pods, a Service that leads nowhere, a policy that is gone, a file that says otherwise
    cluster.kubectl("-n", behind, "scale", "deployment/helper", "--replicas=0")
    patch = json.dumps({"spec": {"selector": {"app.kubernetes.io/name": "nobody"}}})
    cluster.kubectl("-n", behind, "patch", "service", "helper", "-p", patch)
    cluster.kubectl("-n", behind, "delete", "networkpolicy", "helper")
    text = json.dumps({"data": {"app.config.system_prompt.txt": "Lie."}})
    cluster.kubectl("-n", behind, "patch", "configmap", "helper", "-p", text)
    shown = direct(task, check=True)
    names = ("Deployment", "Service", "NetworkPolicy", "ConfigMap")
    assert set(changes(shown)) == {f"{kind} {behind}/helper" for kind in names}
    assert direct(task)["changed"]
    assert not direct(task)["changed"]
    run_task("agent_workload_info", ask)

    gone = direct({**task, "state": "absent"})
    assert gone["changed"]
    left = cluster.get("-n", behind, KINDS)["items"]
    assert {one["metadata"]["uid"] for one in left} == {one["metadata"]["uid"] for one in before}
    assert not direct({**task, "state": "absent"})["changed"]


def test_what_is_behind_an_agent_is_named_when_it_is_away(
    cloud: Any, cluster: Any, behind: str, direct: Any, run_task: Any
) -> None:
    """And the agent is not restarted for it."""
    direct(declared(cloud, behind))
    pods = [
        one["metadata"]["uid"] for one in cluster.get("-n", behind, "pods", "-l", "mcpops.io/agent-workload")["items"]
    ]
    cluster.kubectl("-n", behind, "scale", f"deployment/{MODEL}", "--replicas=0")
    mesh.until(lambda: not cluster.get("-n", behind, "pods", "-l", f"app={MODEL}")["items"])
    ask = {"namespace": behind, "agents": [{"name": "helper"}], "wait_timeout": 0}
    failed = run_task("agent_workload_info", ask, fails=True)
    assert [one["code"] for one in failed["error"]["reasons"]] == ["AgentComponentUnhealthy"]
    assert "model is down" in failed["msg"] and "mcp/echo" not in failed["msg"]
    found = run_task("k8s_diagnosis_info", {"namespaces": [behind], "probe": True})["findings"]
    assert not [one for one in found if one["code"] == "AgentUnreachable"]
    after = cluster.get("-n", behind, "pods", "-l", "mcpops.io/agent-workload")["items"]
    assert [one["metadata"]["uid"] for one in after] == pods
    assert [one["status"]["containerStatuses"][0]["restartCount"] for one in after] == [0]


def test_pods_follow_files_and_secrets_and_nobody_else_is_let_in(
    cloud: Any, cluster: Any, behind: str, direct: Any, run_task: Any
) -> None:
    task = declared(cloud, behind)
    direct(task)
    image = cluster.get("-n", behind, "deployment", "helper")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == task["agents"][0]["image"]

    # another file is another pod; only what is declared gets in
    changed = copy.deepcopy(task)
    changed["agents"][0]["files"][1]["text"] = "Say it twice."
    assert set(changes(direct(changed))) == {f"ConfigMap {behind}/helper", f"Deployment {behind}/helper"}
    changed["agents"][0]["secrets"]["values"]["OPENAI_API_KEY"] = "opaque-another-83645"
    assert set(changes(direct(changed))) == {f"Secret {behind}/helper-secrets", f"Deployment {behind}/helper"}
    ask = {"namespace": behind, "agents": [{"name": "helper"}], "wait_timeout": 0}
    failed = run_task("agent_workload_info", ask, fails=True)
    assert "model is down" in failed["msg"] and "401" in failed["msg"]

    caller = python_pod(cloud.settings, "caller", "import time; time.sleep(3600)")
    caller["metadata"].update(labels={"role": "caller"}, namespace=behind)
    mesh.apply(cluster, [caller])
    cluster.kubectl("-n", behind, "wait", "pod/caller", "--for=condition=ContainersReady", "--timeout=90s")
    program = "import urllib.request; print(urllib.request.urlopen('http://helper/health/live', timeout=3).status)"
    call = ("-n", behind, "exec", "caller", "--", "python", "-c", program)
    assert "200" not in cluster.kubectl(*call, check=False)
    task["agents"][0]["callers"] = [{"pod_labels": {"role": "caller"}}]
    direct(task)
    mesh.until(lambda: "200" in cluster.kubectl(*call, check=False))
    # what is no longer declared goes
    task["agents"][0].update(network_policy=False, callers=None, calls=None)
    assert f"NetworkPolicy {behind}/helper" in changes(direct(task))


def test_what_pods_would_wait_for_is_refused_before_anything_is_changed(
    cloud: Any, cluster: Any, namespace: str, images: None, direct: Any
) -> None:
    keys = {"backend": "existing", "name": "keys", "keys": {"OPENAI_API_KEY": "model", "OTHER": "other"}}
    task = declared(cloud, namespace, secrets=keys)
    refused = direct(task, fails=True)
    assert refused["error"]["kind"] == "refused"
    assert "does not exist" in refused["msg"]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": namespace}}
    mesh.apply(cluster, [{**secret, "stringData": {"model": KEY}}])
    refused = direct(task, check=True, fails=True)
    assert "has no other" in refused["msg"]
    assert cluster.get("-n", namespace, "deployments,services")["items"] == []
    monitored = declared(cloud, namespace, monitoring={"group": "azmonitoring.coreos.com"})
    refused = direct(monitored, fails=True)
    assert "does not serve" in refused["msg"]
    taken = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "helper", "namespace": namespace}}
    mesh.apply(cluster, [taken])
    refused = direct(declared(cloud, namespace), fails=True)
    assert "was not created by agent_workload" in refused["msg"]
