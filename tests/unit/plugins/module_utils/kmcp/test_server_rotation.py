# SPDX-License-Identifier: GPL-3.0-or-later
"""What MCP servers use, the record of it in the MCPServer, and restarts that somebody has asked for."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_children, server_rotation
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.readiness import ObservedServer
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_children import RESTARTED_AT
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import Declared, declared_from
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.config_digest import (
    DIGEST_ANNOTATION,
    object_content,
    read_record,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import foreign_routes
from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import ObjectRef

from ..kube.conftest import FakeTask
from .recorded import changes

OBJECTS = Path(__file__).parent / "children"
KEYS = ObjectRef("v1", "Secret", "keys", "mcp")


class Cluster:
    server = "https://127.0.0.1:6443"


def declared(**options: Any) -> Declared:
    [server] = declared_from({"name": "echo", "namespace": "mcp", "image": "echo:1.0.0", **options})
    return server


def secret(value: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "uid": "u"}, "data": {"A": value}}


def recorded(server: Declared, live: dict[Any, Any], *, task: FakeTask | None = None, **more: Any) -> Declared:
    kube = cast(Kube, Cluster())
    [marked], _records = server_rotation.with_records(
        kube, task or FakeTask(), [server], live, **{"unreadable": (), **more}
    )
    return marked


def in_pods(server: Declared) -> dict[str, str]:
    return read_record(server.deployment.get("annotations"))


def of_itself(server: Declared) -> dict[str, str]:
    return read_record(server.resource["metadata"].get("annotations"))


USES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing": ({"env": {"A": "1"}, "image_pull_secrets": ["registry"]}, []),
    "variables": ({"secret_refs": ["keys"]}, ["Secret keys"]),
    "files": ({"config_map_refs": ["settings"]}, ["ConfigMap settings"]),
    "volumes": (
        {"volumes": [{"name": "tls", "secret": {"secretName": "tls"}}, {"name": "tmp", "emptyDir": {}}]},
        ["Secret tls"],
    ),
    "a container beside it": (
        {"sidecars": [{"name": "proxy", "envFrom": [{"configMapRef": {"name": "proxy"}}]}]},
        ["ConfigMap proxy"],
    ),
    "by the raw specification": (
        {"spec": {"deployment": {"secretRefs": [{"name": "raw"}]}}},
        ["Secret raw"],
    ),
}


@pytest.mark.parametrize("case", USES)
def test_what_a_server_uses(case: str) -> None:
    options, expected = USES[case]
    assert [str(one) for one in server_rotation.used_references(declared(**options).resource)] == expected


def test_a_value_that_changes_changes_the_pods_and_is_not_shown() -> None:
    server = declared(secret_refs=["keys"], annotations={"own": "x"})
    first = recorded(server, {KEYS: secret("YQ==")})
    assert list(in_pods(first)) == ["secret/keys"]
    assert first.deployment["annotations"]["own"] == "x"
    existing = ObjectRef("kagent.dev/v1alpha1", "MCPServer", "echo", "mcp")
    live = {existing: first.resource, KEYS: secret("YQ==")}
    assert recorded(server, live).resource == first.resource
    rotated = recorded(server, {**live, KEYS: secret("Yg==")})
    assert in_pods(rotated) != in_pods(first)
    assert "YQ==" not in json.dumps(rotated.resource)
    # one that is gone, or may not be read, replaces nothing
    assert recorded(server, {existing: first.resource}).resource == first.resource
    task = FakeTask()
    unread = recorded(server, {existing: first.resource}, task=task, unreadable=[KEYS])
    assert unread.resource == first.resource
    assert "Secret mcp/keys: may not be read" in task.warnings[0]


def test_a_server_of_before_gets_its_record_beside_the_pods() -> None:
    server = declared(secret_refs=["keys"], server_annotations={"own": "x"})
    live = {
        ObjectRef("kagent.dev/v1alpha1", "MCPServer", "echo", "mcp"): dict(server.resource),
        KEYS: secret("YQ=="),
    }
    marked = recorded(server, live)
    assert (in_pods(marked), list(of_itself(marked))) == ({}, ["secret/keys"])
    assert marked.resource["metadata"]["annotations"]["own"] == "x"


def test_switched_off_the_record_stays_as_it_stands() -> None:
    existing = recorded(declared(secret_refs=["keys"]), {KEYS: secret("YQ==")})
    live = {ObjectRef("kagent.dev/v1alpha1", "MCPServer", "echo", "mcp"): existing.resource, KEYS: secret("Yg==")}
    off = declared(secret_refs=["keys"], roll_on_config_change=False)
    assert server_rotation.config_targets([off]) == []
    assert in_pods(recorded(off, live)) == in_pods(existing)
    assert in_pods(recorded(off, {KEYS: secret("Yg==")})) == {}


def test_entries_follow_the_task_unless_they_say_otherwise() -> None:
    entries = [{"name": "a"}, {"name": "b", "roll_on_config_change": True}]
    servers = declared_from({"namespace": "mcp", "servers": entries, "roll_on_config_change": False})
    assert [server_rotation.follows_config(server) for server in servers] == [False, True]
    assert server_rotation.follows_config(declared())


def test_what_an_earlier_task_of_a_check_mode_run_would_write_is_reckoned_with(tmp_path: Path) -> None:
    from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.rotation import ContentMemory

    kube, task = cast(Kube, Cluster()), FakeTask(check_mode=True, run_directory=tmp_path)
    ContentMemory(kube, task).remember({KEYS: object_content(secret("YQ=="))}, {KEYS: object_content(secret("Yg=="))})
    server = declared(secret_refs=["keys"])
    existing = recorded(server, {KEYS: secret("YQ==")})
    live = {ObjectRef("kagent.dev/v1alpha1", "MCPServer", "echo", "mcp"): existing.resource, KEYS: secret("YQ==")}
    assert in_pods(recorded(server, live, task=task)) != in_pods(existing)
    # written since by somebody else: what was planned then is worth nothing
    written = {**live, KEYS: secret("Yw==")}
    assert in_pods(recorded(server, written, task=task)) == in_pods(recorded(server, written))
    assert in_pods(recorded(server, live)) == in_pods(existing)
    stored = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "keys" in stored
    assert "Yg==" not in stored


# --- restarts ------------------------------------------------------------------------------------------------------


def restarted(at: str, in_spec: str | None = None, manager: str = "kubectl-rollout") -> dict[str, Any]:
    """The objects of a server whose pods somebody has restarted."""
    objects: dict[str, Any] = json.loads((OBJECTS / "pristine.json").read_text(encoding="utf-8"))
    child = objects["Deployment"]
    child["spec"]["template"]["metadata"].setdefault("annotations", {})[RESTARTED_AT] = at
    fields = {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {f"f:{RESTARTED_AT}": {}}}}}}
    child["metadata"]["managedFields"].append({"manager": manager, "operation": "Update", "fieldsV1": fields})
    if in_spec is not None:
        objects["MCPServer"]["spec"]["deployment"]["annotations"] = {RESTARTED_AT: in_spec}
    return objects


@pytest.mark.parametrize("manager", ["kubectl-rollout", "k9s", "argocd-server"])
@pytest.mark.parametrize("in_spec", [None, "2026-01-01T00:00:00Z"])
def test_a_restart_is_nobodys_drift(manager: str, in_spec: str | None) -> None:
    objects = restarted("2026-02-01T00:00:00Z", in_spec, manager)
    assert changes(objects) == ()
    # and nobody's ownership is taken for it
    assert foreign_routes(objects["Deployment"], server_children.CONTROLLER_MANAGERS) == {}


def test_what_else_is_written_into_the_template_is_still_drift() -> None:
    objects = restarted("2026-02-01T00:00:00Z")
    entry = objects["Deployment"]["metadata"]["managedFields"][-1]
    entry["fieldsV1"]["f:spec"]["f:template"]["f:metadata"]["f:annotations"]["f:sidecar.istio.io/inject"] = {}
    objects["Deployment"]["spec"]["template"]["metadata"]["annotations"]["sidecar.istio.io/inject"] = "true"
    [change] = changes(objects)
    assert change.path == 'Deployment.spec.template.metadata.annotations."sidecar.istio.io/inject"'


def seen(objects: dict[str, Any]) -> tuple[Declared, ObservedServer]:
    """The server as it stands, declared as it stands, and owned by us."""
    live = copy.deepcopy(objects["MCPServer"])
    spec = copy.deepcopy(live["spec"])
    annotations = spec["deployment"].get("annotations", {})
    annotations.pop(RESTARTED_AT, None)
    resource = {key: live[key] for key in ("apiVersion", "kind")}
    resource |= {"metadata": {"name": "echo", "namespace": live["metadata"]["namespace"]}, "spec": spec}
    return Declared("", {"name": "echo"}, resource), ObservedServer(live, objects)


# (what the Deployment has, what the MCPServer has, whether KMCP is made to look) → what the MCPServer gets
RESTARTS: dict[str, tuple[str, str | None, bool, str | None]] = {
    "nothing else changes": ("2026-02-01T00:00:00Z", None, False, None),
    "a repair": ("2026-02-01T00:00:00Z", None, True, "2026-02-01T00:00:00Z"),
    "kept from last time": ("2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z", False, "2026-02-01T00:00:00Z"),
    "restarted since, and a repair": (
        "2026-03-01T00:00:00Z",
        "2026-02-01T00:00:00Z",
        True,
        "2026-03-01T00:00:00Z",
    ),
}


@pytest.mark.parametrize("case", RESTARTS)
def test_a_restart_goes_into_the_server_when_its_pods_would_lose_it(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at, in_spec, repaired, expected = RESTARTS[case]
    server, observed = seen(restarted(at, in_spec))
    monkeypatch.setattr(server_rotation, "is_written", lambda live, declared: False)
    found = server_rotation.with_restart(server, observed, repaired=repaired)
    assert (found.deployment.get("annotations") or {}).get(RESTARTED_AT) == expected


def test_a_restart_that_is_declared_is_the_users_word() -> None:
    server, observed = seen(restarted("2026-03-01T00:00:00Z"))
    server.resource["spec"]["deployment"]["annotations"] = {RESTARTED_AT: "mine", DIGEST_ANNOTATION: ""}
    assert server_rotation.with_restart(server, observed, repaired=True) is server


def test_a_change_of_the_declaration_counts_as_a_write() -> None:
    server, observed = seen(restarted("2026-03-01T00:00:00Z"))
    server.resource["spec"]["timeout"] = "99s"
    found = server_rotation.with_restart(server, observed, repaired=False)
    assert found.deployment["annotations"][RESTARTED_AT] == "2026-03-01T00:00:00Z"


@pytest.mark.parametrize(
    "deployment",
    [
        {"secretRefs": [None, {"name": "s"}], "configMapRefs": ["m"]},
        {"secretRefs": [{"name": "s"}], "sidecars": [None, {"env": {"A": "b"}, "envFrom": "x"}]},
        {"secretRefs": [{"name": "s"}], "volumes": [7, {"secret": "s"}, {"projected": {"sources": [None]}}]},
    ],
)
def test_what_the_api_server_will_refuse_is_passed_over(deployment: dict[str, Any]) -> None:
    assert [one.label for one in server_rotation.used_references({"spec": {"deployment": deployment}})] == ["secret/s"]
