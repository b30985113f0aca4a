# SPDX-License-Identifier: GPL-3.0-or-later
"""What the teardown of one gateway leaves to others, by the role's own conditions and without a cluster."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from support.playbook import CHECKOUT, LOCAL_HOST, Run, run_tasks

CLASS, POLICY, CONTROLLER, NAMESPACES = (
    "Remove the class of Envoy Gateway",
    "Remove who reaches the controller",
    "Remove Envoy Gateway",
    "Remove the namespaces with all that is in them",
)
ENVOY = "gateway.envoyproxy.io/gatewayclass-controller"
CLASSES = [
    {"metadata": {"name": name}, "spec": {"controllerName": controller}}
    for name, controller in (("eg", ENVOY), ("eg2", ENVOY), ("other", "example.com/other"))
]
# namespace, name and class of each Gateway that is left; what is removed all the same, and what is said
CASES: dict[str, tuple[list[tuple[str, str, str]], set[str], str]] = {
    "alone": ([("gateway", "mcp", "eg")], {CLASS, POLICY, CONTROLLER, NAMESPACES}, ""),
    "of another controller": ([("o", "mcp", "other")], {CLASS, POLICY, CONTROLLER, NAMESPACES}, ""),
    "same namespace": (
        [("gateway", "b", "other")],
        {CLASS, POLICY, CONTROLLER, NAMESPACES},
        "(gateway/b): namespace gateway.",
    ),
    "same class": ([("o", "mcp", "eg")], {NAMESPACES}, "(o/mcp): Envoy Gateway in namespace egs, GatewayClass eg."),
    "same controller": ([("o", "mcp", "eg2")], {CLASS, NAMESPACES}, "(o/mcp): Envoy Gateway in namespace egs."),
    "all of it": (
        [("gateway", "b", "eg")],
        set(),
        "namespace gateway, Envoy Gateway in namespace egs, GatewayClass eg.",
    ),
}


def left(gateways: list[tuple[str, str, str]]) -> dict[str, Any]:
    objects = [
        {"metadata": {"namespace": place, "name": name}, "spec": {"gatewayClassName": of_class}}
        for place, name, of_class in gateways
    ]
    return {"gateway_left": {"results": [{"objects": objects}, {"objects": CLASSES}]}}


@pytest.fixture(scope="module")
def torn_down() -> Run:
    """One host for each case; modules of the collection only say that they ran."""
    role = yaml.safe_load((CHECKOUT / "roles" / "gateway" / "tasks" / "teardown.yml").read_text(encoding="utf-8"))
    [block] = [task for task in role if task["name"] == "Remove what no other Gateway uses"]
    for task in block["block"]:
        for module in [key for key in task if key.startswith("mcpops.platform.")]:
            task["ansible.builtin.debug"] = {"msg": task.pop(module).get("definitions", "")}
    variables = {
        "gateway_namespace": "gateway",
        "gateway_name": "mcp",
        "gateway_class_name": "",
        "gateway_renderer": "envoy",
        "gateway_controller_install": True,
        "gateway_controller_namespace": "egs",
        "site_teardown_in_cluster": True,
        "site_teardown_namespaces": True,
    }
    hosts = {name.replace(" ", "-"): {**LOCAL_HOST, **left(rows)} for name, (rows, _gone, _said) in CASES.items()}
    return run_tasks([block], variables=variables, hosts=hosts).ok()


@pytest.mark.parametrize("case", CASES)
def test_what_others_use_is_kept_and_named(torn_down: Run, case: str) -> None:
    _rows, gone, said = CASES[case]
    # what was skipped has said nothing
    ran = {
        row["task"]: str(row["result"]["msg"])
        for row in torn_down.results
        if row["host"] == case.replace(" ", "-") and "msg" in row["result"]
    }
    told = ran.pop("Say what is kept for other Gateways", "")
    assert set(ran) == gone
    assert told.endswith(said) and bool(told) is bool(said)
    if case in ("same namespace", "same class"):
        kept = "gateway" if case == "same namespace" else "egs"
        assert f"'name': '{kept}'" not in ran[NAMESPACES]
