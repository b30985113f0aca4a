# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness.judge import (
    condition_reasons,
    readiness_reasons,
)

CASES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "fixtures" / "readiness.yaml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda name: name.replace(" ", "-"))
def test_verdicts(case: str) -> None:
    expected = CASES[case]
    found = readiness_reasons(expected["object"])
    assert [reason.code for reason in found] == expected["codes"]
    assert any(reason.terminal for reason in found) is expected.get("terminal", False)
    assert expected.get("says", "") in "\n".join(map(str, found))


CUSTOM = {"kind": "Box", "metadata": {"name": "a", "generation": 2}}


@pytest.mark.parametrize(
    ("status", "codes"),
    [
        ({}, ["NoCondition"]),
        ({"conditions": [{"type": "Ready", "status": "True"}]}, []),
        ({"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}, ["NotObserved"]),
        ({"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]}, ["NotObserved"]),
        ({"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 2}]}, []),
        ({"conditions": [{"type": "Ready", "status": "False", "reason": "NoDisk", "message": "full"}]}, ["NoDisk"]),
    ],
)
def test_conditions_of_custom_resources(status: dict[str, Any], codes: list[str]) -> None:
    assert [reason.code for reason in condition_reasons({**CUSTOM, "status": status}, "Ready")] == codes
