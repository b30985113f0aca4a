# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task does beside its work has the task's means, and says nothing in its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.task import SilentTask


@pytest.mark.parametrize("tells_progress", [True, False])
def test_a_silent_task_masks_secrets_and_neither_warns_nor_counts_as_a_change(tells_progress: bool) -> None:
    task = FakeTask({"own": 1}, run_directory=Path("run"))
    silent = SilentTask(task, {"other": 2}, tells_progress=tells_progress)
    for say in (silent.warn, silent.wrote, silent.progress, silent.secret):
        say("word")
    assert (task.warnings, task.written, task.secrets) == ([], [], {"word"})
    assert task.reported == (["word"] if tells_progress else [])
    assert silent.params == {"other": 2} and silent.run_directory == Path("run")


@pytest.mark.parametrize("check_mode", [True, False])
def test_check_mode_is_chosen_and_not_taken_over(check_mode: bool) -> None:
    task = FakeTask({}, check_mode=not check_mode)
    assert SilentTask(task, {}, check_mode=check_mode).check_mode is check_mode
