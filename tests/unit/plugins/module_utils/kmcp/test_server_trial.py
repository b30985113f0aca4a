# SPDX-License-Identifier: GPL-3.0-or-later
"""The Deployment that is tried before a server is written is the one that the real controller has made."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_rotation
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.readiness import ObservedServer
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import Declared, declared_from
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.syntax import same_quantity

OBJECTS = Path(__file__).parent / "children"
INVALID = ServiceError("x", "Deployment is invalid", status=422)


def seen(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OBJECTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def missing(wanted: Any, live: Any, path: str = "") -> list[str]:
    """The places where what is tried is not a part of what the controller has made."""
    if isinstance(wanted, dict):
        here = live if isinstance(live, dict) else {}
        return [place for key, value in wanted.items() for place in missing(value, here.get(key), f"{path}.{key}")]
    if isinstance(wanted, list):
        others = live if isinstance(live, list) else []
        if len(wanted) != len(others):
            return [path]
        return [place for one, other in zip(wanted, others) for place in missing(one, other, f"{path}[]")]
    if same_quantity(wanted, live):
        return []
    nothing = wanted in (None, False, "", 0) and live is None
    return [] if nothing or str(wanted) == str(live) or wanted == "(made by KMCP)" else [path]


@pytest.mark.parametrize("name", ["complete_http", "complete_stdio", "pristine"])
def test_what_is_tried_is_what_the_controller_makes(name: str) -> None:
    objects = seen(name)
    tried = server_rotation.trial_deployment(objects["MCPServer"])
    made = objects["Deployment"]
    assert tried["metadata"]["generateName"] == f"{made['metadata']['name']}-"
    assert "name" not in tried["metadata"]
    assert tried["spec"]["selector"] == made["spec"]["selector"]
    # values that the API server replaces by its own
    defaulted = {
        ".spec.template.spec.containers[].readinessProbe.periodSeconds",
        ".spec.template.spec.containers[].terminationMessagePath",
    }
    assert set(missing(tried["spec"], made["spec"], ".spec")) <= defaulted
    assert {"image", "env", "envFrom"} & set(made["spec"]["template"]["spec"]["containers"][0]) <= set(
        tried["spec"]["template"]["spec"]["containers"][0]
    )


@dataclass
class Api:
    answer: ServiceError | None = None
    asked: list[str] = field(default_factory=list)

    def request(self, method: str, path: str, *, query: dict[str, str], body: Any, quiet: bool, action: str) -> None:
        assert (method, query["dryRun"], quiet) == ("POST", "All", True)
        assert body["metadata"]["namespace"] == "mcp"
        self.asked.append(f"{path} {action}")
        if self.answer is not None:
            raise self.answer


def refused(api: Api, observed: ObservedServer | None = None, **options: Any) -> list[ServiceError]:
    [server] = declared_from({"servers": [{"name": "a", "namespace": "mcp", "image": "a:1", **options}]})
    return list(
        server_rotation.refused_deployments(
            cast(Kube, api), [server], {server.key: observed or ObservedServer()}
        ).values()
    )


PARTS: dict[str, dict[str, Any]] = {
    "toleration": {"tolerations": [{"operator": "exists"}]},
    "sidecar": {"sidecars": [{"name": "b"}]},
    "security": {"security_context": {"privileged": True}},
    "pod security": {"pod_security_context": {"runAsUser": -1}},
    "raw": {"spec": {"deployment": {"affinity": {"nodeAffinity": {}}}}},
}


@pytest.mark.parametrize("options", PARTS.values(), ids=PARTS)
def test_what_kubernetes_would_refuse_is_known_before_the_server_is_written(options: dict[str, Any]) -> None:
    api = Api(INVALID)
    assert refused(api, **options) == [INVALID]
    assert api.asked == [
        "/apis/apps/v1/namespaces/mcp/deployments MCPServer mcp/a: Kubernetes would refuse the Deployment that KMCP "
        "makes of it"
    ]


@pytest.mark.parametrize("status", [403, 404, 400, 500])
def test_that_this_identity_may_not_ask_says_nothing(status: int) -> None:
    assert refused(Api(ServiceError("x", "no", status=status)), **PARTS["sidecar"]) == []


def test_a_plain_server_costs_no_request() -> None:
    api = Api(INVALID)
    assert refused(api, env={"A": "1"}, port=8080, callers=[]) == []
    assert api.asked == []


def test_a_server_that_stands_as_declared_costs_no_request() -> None:
    objects = seen("complete_http")
    live = objects["MCPServer"]
    spec = live["spec"]
    options = {"name": "tools", "namespace": "mcp", "spec": spec}
    declared = Declared(
        "", options, {**live, "metadata": {"name": "tools", "namespace": "mcp", "labels": {}}, "spec": spec}
    )
    api = Api(INVALID)
    fields = {"f:spec": {}}
    live["metadata"]["managedFields"] = [{"manager": "mcpops", "operation": "Apply", "fieldsV1": fields}]
    server_rotation.refused_deployments(cast(Kube, api), [declared], {declared.key: ObservedServer(live)})
    assert api.asked == []
