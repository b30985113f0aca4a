# SPDX-License-Identifier: GPL-3.0-or-later
"""Which interpreter a row of the core matrix gets."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from gate.checkout import CHECKOUT
from gate.matrix import ROWS, NoPython, Row, find_python

ROW = Row("2.99", ("3.13", "3.11"))


def interpreter(path: Path, answer: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_a_shim_that_does_not_start_is_passed_over(tmp_path: Path) -> None:
    interpreter(tmp_path / "shims" / "python3.13", "exit 127")
    real = interpreter(tmp_path / "versions" / "3.13.0" / "bin" / "python3.13", "echo 3.13")
    assert find_python(ROW, f"{tmp_path}/shims:{tmp_path}/none", tmp_path / "versions") == real


def test_the_preferred_version_wins(tmp_path: Path) -> None:
    interpreter(tmp_path / "bin" / "python3.11", "echo 3.11")
    preferred = interpreter(tmp_path / "bin" / "python3.13", "echo 3.13")
    assert find_python(ROW, str(tmp_path / "bin"), tmp_path / "versions") == preferred


def test_no_interpreter_says_which_would_do(tmp_path: Path) -> None:
    with pytest.raises(NoPython, match=r"2\.99 needs one of Python 3\.13, 3\.11"):
        find_python(ROW, str(tmp_path), tmp_path)


def test_the_matrix_starts_at_the_oldest_supported_core() -> None:
    runtime = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert runtime["requires_ansible"] == f">={ROWS[0].core}.0"
