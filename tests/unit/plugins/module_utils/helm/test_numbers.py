# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers among values, as the real helm keeps them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.helm.plan import document_changes
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import rounding_warnings
from ansible_collections.mcpops.platform.plugins.module_utils.kube.syntax import json_text

from ..kube.go_scalars import helm_reads

NUMBERS: dict[str, Any] = {
    "beyond 2^53": 9007199254740993,
    "in a list of mappings": [{"id": 2**60 + 1}, [-(2**63)]],
    "more than a float's range of whole numbers": 123456789012345678901234567890,
    "a whole float": 3.0,
    "an exponent": 1e21,
    "small": [5e-324, -0.0, 1e-7, 0.1 + 0.2],
    "the largest": sys.float_info.max,
}


@pytest.mark.parametrize("case", NUMBERS)
def test_a_second_run_changes_nothing(case: str, tmp_path: Path) -> None:
    declared = {"v": NUMBERS[case]}
    kept = helm_reads(str(Path(sys.executable).with_name("helm")), tmp_path)(json_text({"d": declared}))
    assert kept is not None
    # the record is JSON as well
    assert document_changes(json.loads(json.dumps(kept)), declared, "values") == []


@pytest.mark.parametrize(("before", "after"), [(2**60, 2**60 + 2**9), (1, 1.5), (1, True), (0, None), (1, "1")])
def test_what_helm_tells_apart_is_a_change(before: Any, after: Any) -> None:
    assert len(document_changes({"v": before}, {"v": after}, "values")) == 1


def test_what_helm_rounds_is_told_with_its_place() -> None:
    values = {"id": 2**53 + 1, "ids": [1, {"x": -(2**63) + 1}], "fine": 2**60, "text": "9007199254740993", "on": True}
    first, second = rounding_warnings(values)
    assert first.startswith("values.id: helm keeps numbers as 64-bit floats")
    assert second.startswith("values.ids[1].x: ")
    assert "9007199254740993" not in first
    assert rounding_warnings({"huge": 10**400}) != []
    assert rounding_warnings(None) == []
