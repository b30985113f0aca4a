# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Envoy Gateway: what a trial says of it closed, and of each way in which somebody could open it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import gateway_calls as calls
from support import mesh
from support.playbook import LOCAL_HOST, Run, run_playbook, run_tasks

from localcloud.images.catalog import ECHO_MCP
from localcloud.images.gateway import ENVOY

pytestmark = [pytest.mark.integration, pytest.mark.slow]

Rows = list[dict[str, Any]]
GATEWAY: dict[str, Any] = {
    "namespace": calls.NAMESPACE,
    "listeners": [{"hostname": "*.mcp.test", "tls": {"issuer": {"name": "authority"}}}],
    "route_namespaces": [calls.SERVERS],
    "callers": [{"name": "tests"}],
    "backends": [{"namespace": calls.SERVERS, "port": 3000}],
    # the controller's own is another version, by its digest
    "envoy": {"image": f"docker.io/{ENVOY}"},
    "wait_timeout": 180,
}
AUTH: dict[str, Any] = {
    "name": "tests",
    "issuer": calls.ISSUER,
    "audiences": [calls.AUDIENCE],
    "jwks_config_map": calls.KEYS,
    "access": [{"roles": ["user"], "tools": ["echo", "add"]}, {"roles": ["admin"]}],
}
ROUTE: dict[str, Any] = {"name": "guarded", "host": calls.HOST, "pod_labels": calls.LABELS}
ROUTES: dict[str, Any] = {
    "namespace": calls.SERVERS,
    "gateway": {"namespace": calls.NAMESPACE},
    "routes": [ROUTE],
    "auth": [AUTH],
    "prune": True,
}
POLICY = f"{ROUTE['name']}-from-gateway"
OUTSIDE, NEIGHBOUR = "outside", f"allowed pod in {calls.SERVERS}"
NO_TOKEN = {"no token", "old era without headers", "lying name", "batch", "SSE path"}
FORGED = {"wrong audience", "wrong issuer", "expired", "other tenant", "foreign key", "unsigned"}
ALLOWED = ("allowed call", "allowed call of the older era")
GIVEN = {"forbidden tool", "old era without headers", "lying name", "lying method", "batch"}
LABEL = "mcpops.io/gateway-trial"


@pytest.fixture
def stands(installed: Any, cluster: Any, run_task: Any) -> Iterator[None]:
    """The gateway is closed before each test and after it, whatever it opens."""
    run_task("gateway", GATEWAY)
    run_task("gateway_route", ROUTES)
    yield
    cluster.kubectl("delete", "service,httproute", "-n", calls.SERVERS, "-l", "opened=yes", "--wait=true")
    run_task("gateway_route", ROUTES)


@pytest.fixture
def args(cloud: Any, cluster: Any, installed: Any, tmp_path: Path) -> dict[str, Any]:
    return {
        "namespace": calls.NAMESPACE,
        "route_namespace": calls.SERVERS,
        "routes": [ROUTE],
        "auth": [AUTH],
        "access_token": installed.token("user"),
        "refused_tokens": {
            "wrong_audience": installed.token("user", aud="api://other"),
            "wrong_issuer": installed.token("user", iss="https://other.test/"),
            "expired": installed.token("user", exp=int(time.time()) - 600),
        },
        "gateway_ca": str(calls.authority(cluster, tmp_path)),
        "image": f"{cloud.registry}/{ECHO_MCP}",
        "evidence": str(tmp_path / "new" / "evidence.json"),
        # for machines with other things to do
        "timeout": 8,
    }


def left_behind(cluster: Any) -> list[str]:
    """What trials have made and is not on its way out. Pods go with their Job."""
    found = cluster.get("jobs,secrets", "--all-namespaces", "-l", LABEL)["items"]
    found += cluster.get("namespaces", "-l", LABEL)["items"]
    return [f"{one['kind']} {one['metadata']['name']}" for one in found if "deletionTimestamp" not in one["metadata"]]


def tried(rows: Rows, source: str, credential: str, kind: str = "gateway") -> dict[str, str]:
    """Trial -> outcome."""
    return {
        row["trial"]: row["outcome"]
        for row in rows
        if row["source"].startswith(source) and row["credential"] == credential and row["kind"] == kind
    }


def opened(result: dict[str, Any], **wanted: str) -> Rows:
    return [
        row
        for row in result.get("trials", ())
        if row["outcome"] == "open" and all(row[key].startswith(value) for key, value in wanted.items())
    ]


def red(run_task: Any, args: dict[str, Any], **wanted: str) -> dict[str, Any]:
    """The failure that shows these rows open: what was changed is in force a moment later."""
    deadline = time.monotonic() + 60
    while True:
        try:
            failed: dict[str, Any] = run_task("gateway_trial", args, fails=True)
            if opened(failed, **wanted):
                return failed
            assert time.monotonic() < deadline, failed["msg"]
        except AssertionError:
            if time.monotonic() > deadline:
                raise


def test_a_closed_gateway_is_proven_from_everywhere(
    stands: None, args: dict[str, Any], cluster: Any, run_task: Any
) -> None:
    done = run_task("gateway_trial", args)
    assert done["changed"] is False
    assert done["open"] == []
    rows = done["trials"]
    for source in (OUTSIDE, "foreign pod", NEIGHBOUR):
        assert tried(rows, source, "none") == dict.fromkeys(NO_TOKEN, "refused"), source
        assert tried(rows, source, "forged") == dict.fromkeys(FORGED, "refused"), source
        assert tried(rows, source, "signed") == dict.fromkeys(
            ("wrong audience", "wrong issuer", "expired"), "refused"
        ), source
        wanted = {**dict.fromkeys(ALLOWED, "passed"), **dict.fromkeys(GIVEN, "refused")}
        assert tried(rows, source, "given") == wanted, source
        assert tried(rows, source, "none", "unknown_host") == {"no token": "refused"}, source
        asked = {"no token"} if source == OUTSIDE else NO_TOKEN
        inside = {"cluster_ip": {"direct call"}, "pod_ip": {"direct call"}, "gateway_service": asked}
        for kind, trials in inside.items():
            # whatever else there is on the network of this machine
            right = {"refused", "not_tried"} if source == OUTSIDE else {"refused"}
            # signed tokens go to the listeners alone
            assert {
                row["outcome"]
                for row in rows
                if row["source"].startswith(source) and row["kind"] == kind and row["credential"] != "signed"
            } <= right
            assert set(tried(rows, source, "none", kind)) == trials, (source, kind)
        control = {"control": "passed"} if source != OUTSIDE else {}
        assert tried(rows, source, "none", "api_server") == control
    evidence = json.loads(Path(args["evidence"]).read_text())
    assert evidence["trials"] == rows
    assert evidence["summary"] == done["summary"]
    assert not any(args["access_token"][-20:] in text for text in (json.dumps(done), json.dumps(evidence)))
    assert left_behind(cluster) == []


def test_check_mode_makes_no_pod(stands: None, args: dict[str, Any], cluster: Any, run_task: Any) -> None:
    done = run_task("gateway_trial", args, check=True)
    from_here = [row for row in done["trials"] if row["source"] == OUTSIDE and row["kind"] == "gateway"]
    others = [row for row in done["trials"] if row["source"] != OUTSIDE]
    assert {row["outcome"] for row in from_here} == {"refused", "passed"}
    assert {row["outcome"] for row in others} == {"not_tried"}
    assert "check mode: no pod is made" in {row["seen"] for row in others}
    assert "Check mode: nothing was tried from pods." in done["notes"]
    assert not Path(args["evidence"]).exists()


def patch_open(cluster: Any) -> None:
    allowed = '{"spec":{"authorization":{"defaultAction":"Allow","rules":null},"jwt":null}}'
    cluster.kubectl("patch", "securitypolicy", "-n", calls.SERVERS, "guarded", "--type=merge", "-p", allowed)


def tools_open(cluster: Any) -> None:
    """A token is asked for, and may call whatever there is."""
    allowed = '{"spec":{"authorization":{"defaultAction":"Allow","rules":null}}}'
    cluster.kubectl("patch", "securitypolicy", "-n", calls.SERVERS, "guarded", "--type=merge", "-p", allowed)


def audiences_open(cluster: Any) -> None:
    """A token of the issuer is asked for, whoever it is for."""
    [provider] = cluster.get("securitypolicy", "guarded", "-n", calls.SERVERS)["spec"]["jwt"]["providers"]
    provider.pop("audiences")
    patch = json.dumps({"spec": {"jwt": {"providers": [provider]}}})
    cluster.kubectl("patch", "securitypolicy", "-n", calls.SERVERS, "guarded", "--type=merge", "-p", patch)


def forget_policy(cluster: Any) -> None:
    cluster.kubectl("delete", "networkpolicy", "-n", calls.SERVERS, POLICY)


def node_port(cluster: Any) -> None:
    forget_policy(cluster)
    spec = {"type": "NodePort", "selector": calls.LABELS, "ports": [{"port": 80, "targetPort": 3000}]}
    made = {"name": "shortcut", "namespace": calls.SERVERS, "labels": {"opened": "yes"}}
    mesh.apply(cluster, [{"apiVersion": "v1", "kind": "Service", "metadata": made, "spec": spec}])


def behind_a_match(cluster: Any) -> None:
    """One that takes nothing but calls with a header, of a path."""
    path = {"type": "RegularExpression", "value": "/m[a-c]p"}
    undeclared_route(cluster, matches=[{"path": path, "headers": [{"name": "X-Team", "value": "a"}]}])


def undeclared_route(cluster: Any, **rule: Any) -> None:
    """Beside the declared one, with a policy that lets everybody in."""
    made = {"name": "shortcut", "namespace": calls.SERVERS, "labels": {"opened": "yes"}}
    spec = {
        "parentRefs": [{"name": "mcp", "namespace": calls.NAMESPACE}],
        "hostnames": ["shortcut.mcp.test"],
        "rules": [{"backendRefs": [{"name": "guarded", "port": 3000}], **rule}],
    }
    target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "shortcut"}
    allowed = {"targetRefs": [target], "authorization": {"defaultAction": "Allow"}}
    mesh.apply(
        cluster,
        [
            {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": made, "spec": spec},
            {
                "apiVersion": "gateway.envoyproxy.io/v1alpha1",
                "kind": "SecurityPolicy",
                "metadata": made,
                "spec": allowed,
            },
        ],
    )


@pytest.mark.parametrize(
    ("open_it", "row"),
    [
        pytest.param(patch_open, {"kind": "gateway", "source": OUTSIDE, "trial": "no token"}, id="policy that allows"),
        pytest.param(
            undeclared_route, {"kind": "gateway", "route": f"{calls.SERVERS}/shortcut"}, id="undeclared route"
        ),
        pytest.param(behind_a_match, {"kind": "gateway", "route": f"{calls.SERVERS}/shortcut"}, id="behind a match"),
        pytest.param(tools_open, {"trial": "forbidden tool", "credential": "given"}, id="rule that allows all tools"),
        pytest.param(forget_policy, {"kind": "pod_ip", "source": "foreign pod"}, id="no NetworkPolicy: pod"),
        pytest.param(forget_policy, {"kind": "cluster_ip", "source": "foreign pod"}, id="no NetworkPolicy: Service"),
        pytest.param(node_port, {"kind": "node_port", "source": OUTSIDE}, id="NodePort"),
    ],
)
def test_an_open_way_is_red_and_named(
    open_it: Callable[[Any], None],
    row: dict[str, str],
    stands: None,
    args: dict[str, Any],
    cluster: Any,
    run_task: Any,
) -> None:
    open_it(cluster)
    failed = red(run_task, args, **row)
    [first, *_others] = opened(failed, **row)
    assert first["path"] in failed["msg"]
    assert first["path"] in failed["open"]
    assert json.loads(Path(args["evidence"]).read_text())["open"] == failed["open"]
    assert left_behind(cluster) == []


def test_a_declared_caller_may_and_its_neighbour_may_not(
    stands: None, args: dict[str, Any], cluster: Any, run_task: Any
) -> None:
    edge = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "edge", "namespace": calls.SERVERS},
        "spec": {
            "podSelector": {"matchLabels": calls.LABELS},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "planner"}}}]}],
        },
    }
    mesh.apply(cluster, [edge])
    planner = f"{NEIGHBOUR} (app=planner)"
    try:
        callers = [
            {"namespace": calls.SERVERS, "pod_labels": {"app": "planner"}, "services": ["guarded"]},
            {"namespace": "default", "pod_labels": {"app": "planner"}},
        ]
        done = run_task("gateway_trial", {**args, "callers": callers})
        seen = {row["source"]: row["seen"] for row in done["trials"] if row["kind"] == "pod_ip"}
        assert seen[planner].startswith("HTTP "), seen
        assert tried(done["trials"], planner, "none", "pod_ip") == {"direct call": "declared"}
        assert tried(done["trials"], "allowed pod in default (app=planner)", "none", "pod_ip") == {
            "direct call": "refused"
        }
        # a pod with the labels of others is behind no Service of theirs
        failed = run_task("gateway_trial", {**args, "callers": [{**callers[0], "services": []}]}, fails=True)
        assert opened(failed, kind="pod_ip", source=planner)
    finally:
        cluster.kubectl("delete", "networkpolicy", "-n", calls.SERVERS, "edge")


def test_without_a_token_nothing_is_said_of_tools(stands: None, args: dict[str, Any], run_task: Any) -> None:
    done = run_task("gateway_trial", {**args, "access_token": "", "refused_tokens": None})
    assert tried(done["trials"], OUTSIDE, "given") == dict.fromkeys(GIVEN, "not_tried")


def test_a_token_that_opens_nothing_proves_nothing(
    stands: None, args: dict[str, Any], installed: Any, run_task: Any
) -> None:
    failed = run_task("gateway_trial", {**args, "access_token": installed.token("nobody")}, fails=True)
    assert set(tried(failed["trials"], OUTSIDE, "given").values()) == {"not_tried"}
    assert "access_token" in failed["msg"]
    assert "RBAC: access denied" in failed["msg"]
    assert failed["open"] == []


def test_a_token_of_any_audience_is_red(stands: None, args: dict[str, Any], cluster: Any, run_task: Any) -> None:
    """The tool that is called is nobody's, so it is a rule that refuses: this says nothing of the audience."""
    audiences_open(cluster)

    def said() -> str:
        try:
            return str(run_task("gateway_trial", args, fails=True)["msg"])
        except AssertionError:
            return ""

    mesh.until(lambda: "refused_tokens.wrong_audience: proves nothing at guarded/guarded" in said())


def test_a_refused_token_that_is_wrong_in_more_proves_nothing(
    stands: None, args: dict[str, Any], installed: Any, run_task: Any
) -> None:
    ended = installed.token("user", aud="api://other", exp=int(time.time()) - 600)
    tokens = {"wrong_audience": ended, "other_tenant": "opaque"}
    failed = run_task("gateway_trial", {**args, "refused_tokens": tokens}, fails=True)
    assert "refused_tokens.wrong_audience: has ended" in failed["msg"]
    assert "refused_tokens.other_tenant: is not a JWT" in failed["msg"]


def test_pods_that_reach_nothing_are_no_proof(stands: None, args: dict[str, Any], cluster: Any, run_task: Any) -> None:
    closed = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "no-way-out", "namespace": calls.SERVERS},
        "spec": {"podSelector": {"matchLabels": {"app": "planner"}}, "policyTypes": ["Egress"]},
    }
    mesh.apply(cluster, [closed])
    try:
        callers = [{"namespace": calls.SERVERS, "pod_labels": {"app": "planner"}}]
        failed = run_task("gateway_trial", {**args, "callers": callers}, fails=True)
        assert f"NetworkPolicy {calls.SERVERS}/no-way-out limits its pods" in failed["msg"]
        assert tried(failed["trials"], f"{NEIGHBOUR} (app=planner)", "none", "pod_ip") == {"direct call": "not_tried"}
        assert tried(failed["trials"], "foreign pod", "none", "pod_ip") == {"direct call": "refused"}
    finally:
        cluster.kubectl("delete", "networkpolicy", "-n", calls.SERVERS, "no-way-out")


def test_pods_that_cannot_run_are_no_proof(stands: None, args: dict[str, Any], cluster: Any, run_task: Any) -> None:
    missing = f"{args['image'].partition('/')[0]}/no-such-image:1"
    failed = run_task("gateway_trial", {**args, "image": missing, "wait_timeout": 40}, fails=True)
    assert "nothing could be tried from there" in failed["msg"]
    assert "no-such-image" in failed["msg"]
    assert left_behind(cluster) == []


def test_verification_of_a_site_writes_its_evidence_and_is_red_for_an_open_way(
    stands: None, args: dict[str, Any], cloud: Any, cluster: Any, tmp_path: Path
) -> None:
    host = {
        **LOCAL_HOST,
        "mcpops_kubeconfig": str(cluster.kubeconfig),
        "mcpops_process_environment": cloud.process_environment(),
        "gateway_listeners": GATEWAY["listeners"],
        "gateway_routes": [ROUTE],
        "gateway_route_namespace": calls.SERVERS,
        "gateway_auth": [AUTH],
        "gateway_trial_access_token": args["access_token"],
        "gateway_trial_ca": args["gateway_ca"],
        "gateway_trial_image": args["image"],
        "gateway_trial_timeout": args["timeout"],
        "gateway_trial_evidence": args["evidence"],
    }
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"clusters": {"hosts": {"edge": host}}}))

    def verified() -> Run:
        return run_playbook("mcpops.platform.verify", "-i", inventory)

    assert args["access_token"] not in verified().ok().output
    evidence = json.loads(Path(args["evidence"]).read_text())
    assert evidence["open"] == []
    assert {row["source"].partition(" in ")[0] for row in evidence["trials"]} == {
        OUTSIDE,
        "foreign pod",
        "allowed pod",
    }
    patch_open(cluster)
    client = calls.Client(
        evidence["trials"][0]["path"].partition(" at ")[2].partition(":")[0], Path(args["gateway_ca"])
    )
    calls_until = time.monotonic() + 60
    while client.modern("", "echo").status >= 400:
        assert time.monotonic() < calls_until
        time.sleep(0.3)
    failed = verified()
    assert failed.returncode != 0, failed.output
    [opened_way, *_others] = json.loads(Path(args["evidence"]).read_text())["open"]
    assert f"https://{calls.HOST}:443/mcp" in opened_way
    assert opened_way in " ".join(failed.output.split())


def test_a_teardown_keeps_what_another_gateway_uses(installed: Any, cloud: Any, cluster: Any, run_task: Any) -> None:
    """Its class, its controller, and the namespace of both.

    It is the last one: a controller that has seen a Gateway go gives no status to the EnvoyPatchPolicy of one that is
    made again under its name (docs/gateway.md).
    """
    run_task("gateway", GATEWAY)
    run_task("gateway_route", ROUTES)
    second = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "second", "namespace": calls.NAMESPACE},
        "spec": {"gatewayClassName": "eg", "listeners": [{"name": "http", "protocol": "HTTP", "port": 8080}]},
    }
    mesh.apply(cluster, [second])
    variables = {
        "gateway_kubeconfig": str(cluster.kubeconfig),
        "gateway_namespace": calls.NAMESPACE,
        "gateway_route_namespace": calls.SERVERS,
        "site_teardown_in_cluster": True,
        "site_teardown_namespaces": True,
    }
    tasks = [{"ansible.builtin.include_role": {"name": "mcpops.platform.gateway", "tasks_from": "teardown"}}]
    try:
        done = run_tasks(tasks, play=calls.play(cloud, cluster), variables=variables).ok()
        assert f"Kept, because other Gateways are there ({calls.NAMESPACE}/second)" in done.output
        assert "Remove Envoy Gateway" not in done.changed
        names = {one["metadata"]["name"] for one in cluster.get("gateways", "-n", calls.NAMESPACE)["items"]}
        assert names == {"second"}
        assert cluster.get("gatewayclass", "eg")["spec"]
        assert "deletionTimestamp" not in cluster.get("namespace", calls.NAMESPACE)["metadata"]
        controllers = cluster.get("deployment", "envoy-gateway", "-n", calls.CONTROLLER)
        assert controllers["status"]["readyReplicas"] == 1
    finally:
        cluster.kubectl("delete", "gateway", "-n", calls.NAMESPACE, "second")
