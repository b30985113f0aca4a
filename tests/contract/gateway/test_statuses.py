# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of statuses against the conditions and reasons that Gateway API 1.6.1 and Envoy Gateway 1.9.1 publish
as constants of their Go modules (apis/v1, api/v1alpha1): a word that nobody writes would be waited for for ever."""

from __future__ import annotations

import ast
import functools
import inspect
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from gate.checkout import CHECKOUT
from support.gateways import MODULE

from ansible_collections.mcpops.platform.plugins.module_utils.gateway import gateway_readiness
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.gateway_readiness import JUDGES

pytestmark = pytest.mark.slow

GATEWAY_API = "sigs.k8s.io/gateway-api@v1.6.1"
UNIT = CHECKOUT / "tests/unit/plugins/module_utils/gateway/test_gateway_readiness.py"
# cert-manager's, which are no constants of these modules
OF_OTHERS = {"Ready", "DoesNotExist"}
ASKED = {
    "judge_class": ("GatewayClass", {"Accepted"}),
    "judge_gateway": ("Gateway", {"Accepted", "Programmed"}),
    "_listeners": ("Listener", {"Accepted", "ResolvedRefs"}),
    "judge_route": ("Route", {"Accepted", "ResolvedRefs"}),
    "judge_policy": ("Policy", {"Accepted", "Programmed"}),
}


_STATUS = re.compile(r'^\t\w+ +(?:gwapiv1\.)?(\w+Condition(?:Type|Reason)) += +"(\w+)"', re.MULTILINE)


def sources_of(module: str) -> Path:
    """A Go module, from Go's cache of modules once it was fetched."""
    go = shutil.which("go") or "/usr/local/go/bin/go"
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GO111MODULE": "on"}
    asked = [go, "mod", "download", "-json", module]
    answer = subprocess.run(asked, capture_output=True, text=True, check=True, env=environment, cwd="/")
    return Path(json.loads(answer.stdout)["Dir"])


@functools.lru_cache(maxsize=1)
def published_statuses() -> dict[str, set[str]]:
    """Type in Go -> the conditions or reasons of it that are published."""
    folders = (sources_of(GATEWAY_API) / "apis" / "v1", sources_of(MODULE) / "api" / "v1alpha1")
    found: dict[str, set[str]] = {}
    for file in (one for folder in folders for one in sorted(folder.glob("*.go"))):
        for kind, value in _STATUS.findall(file.read_text(encoding="utf-8")):
            found.setdefault(kind, set()).add(value)
    return found


def published(kind: str, what: str) -> set[str]:
    return published_statuses()[f"{kind}Condition{what}"]


@pytest.mark.parametrize("function", ASKED)
def test_conditions_that_are_asked_for_are_published(function: str) -> None:
    kind, wanted = ASKED[function]
    source = inspect.getsource(getattr(gateway_readiness, function))
    every = set().union(*(found for name, found in published_statuses().items() if name.endswith("Type")))
    assert {text for text in re.findall(r'"(\w+)"', source) if text in every} == wanted
    assert wanted <= published(kind, "Type")


def test_statuses_of_the_tests_are_made_of_published_words() -> None:
    every = set().union(*published_statuses().values()) | OF_OTHERS
    written = [
        [one.value for one in call.args[:3] if isinstance(one, ast.Constant)]
        for call in ast.walk(ast.parse(UNIT.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "condition"
    ]
    words = {word for row in written for word in row} - {"True", "False"}
    assert {"AddressNotAssigned", "InvalidCertificateRef", "ResourceNotFound", "BackendNotFound"} <= words
    assert words <= every


def listener(condition: dict[str, Any]) -> dict[str, Any]:
    fine = [{"type": name, "status": "True"} for name in ("Accepted", "ResolvedRefs") if name != condition["type"]]
    whole = [{"type": name, "status": "True"} for name in ("Accepted", "Programmed")]
    return {
        "spec": {"listeners": [{"name": "a"}]},
        "status": {
            "conditions": whole,
            "listeners": [{"name": "a", "conditions": [*fine, condition]}],
            "addresses": [{"value": "10.0.0.1"}],
        },
    }


def of_kind(kind: str, condition: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The judge's kind, and an object of which all but this condition holds."""
    asked = next(wanted for name, wanted in ASKED.values() if name == kind)
    conditions = [{"type": name, "status": "True"} for name in sorted(asked) if name != condition["type"]]
    conditions.append(condition)
    if kind == "Listener":
        return "Gateway", listener(condition)
    if kind == "Route":
        parent = {"name": "g", "namespace": "n"}
        status: dict[str, Any] = {"parents": [{"parentRef": parent, "conditions": conditions}]}
        return "HTTPRoute", {"spec": {"parentRefs": [parent]}, "status": status}
    if kind == "Policy":
        return "EnvoyPatchPolicy", {"status": {"ancestors": [{"conditions": conditions}]}}
    addresses = [{"value": "10.0.0.1"}]
    return kind, {"status": {"conditions": conditions, "addresses": addresses}}


@pytest.mark.parametrize("kind", [kind for kind, _wanted in ASKED.values()])
def test_whatever_reason_a_controller_gives_it_is_told(kind: str) -> None:
    asked = next(wanted for name, wanted in ASKED.values() if name == kind)
    reasons = sorted(published(kind, "Reason"))
    assert len(reasons) > 3
    for condition in sorted(asked):
        for reason in reasons:
            said = {"type": condition, "status": "False", "reason": reason, "message": "as it is"}
            judged, item = of_kind(kind, said)
            item = {**item, "kind": judged, "metadata": {"name": "x", "namespace": "n"}}
            judge = next(one for (_group, name), one in JUDGES.items() if name == judged)
            found = judge(item)
            assert len(found) == 1 and reason in found[0].message and found[0].hint
            said["status"] = "True"
            assert judge(item) == []
