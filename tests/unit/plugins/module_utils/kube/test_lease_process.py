# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.site_lock import run_has_ended


def gone() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(f"ansible-local-{os.getpid()}abcdefgh", False, id="lives"),
        pytest.param(f"ansible-local-{gone()}abcdefgh", True, id="is gone"),
        pytest.param("elsewhere", False, id="nobody can tell"),
    ],
)
def test_a_run_whose_process_is_gone_has_ended(name: str, expected: bool) -> None:
    assert run_has_ended(Path("/tmp") / name) == expected
