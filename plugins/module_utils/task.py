# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operation is given and what it returns, independent of how Ansible runs it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .plan import Plan, diffs
from .waiting import Deadline

ANSWER_LOST = "its answer was lost"
"""Behind what was sent and may have been done."""
KILL_AFTER_SECONDS = 10
"""How long a command that is told to end may take for that."""


@dataclass(frozen=True)
class CommandOutput:
    """What a finished child process left."""

    returncode: int
    stdout: str
    stderr: str


class Task(Protocol):
    """One run of one module for one host."""

    params: dict[str, Any]
    check_mode: bool
    diff_mode: bool
    run_directory: Path | None
    """A private directory shared by all tasks of this run (0700), or None where a module runs alone."""

    def run_command(
        self, argv: Sequence[str], stdin: str | None = None, env: Mapping[str, str] | None = None, shown: bool = False
    ) -> CommandOutput:
        """`shown`: what it writes to standard error is for a person, at once, while it goes on (a code to log in with).

        Not where a module runs alone: its output reaches nobody before it ends.
        """

    def warn(self, message: str) -> None: ...

    def progress(self, message: str) -> None:
        """Tell a person who waits what is going on; throttled, never part of the result."""

    def secret(self, value: str) -> None:
        """From here on `value` appears in no result, message or diff of this task."""

    def wrote(self, what: str) -> None:
        """A service has accepted a change, or may have: should the task fail later, it has changed something."""


class SilentTask:
    """A Task with the means of another that neither warns nor counts as a change, for what is done beside its work."""

    diff_mode = False

    def __init__(
        self, task: Task, params: dict[str, Any], *, check_mode: bool = False, tells_progress: bool = False
    ) -> None:
        self.params = params
        self.check_mode = check_mode
        self.run_directory = task.run_directory
        self.run_command = task.run_command
        self.secret = task.secret
        self.progress = task.progress if tells_progress else self.warn

    def warn(self, message: str) -> None:
        """The task that this is done for says itself what it found."""

    def wrote(self, what: str) -> None:
        """The task that this is done for says itself what it did."""


@dataclass(frozen=True)
class Result:
    """What a successful operation reports; failures are exceptions of `errors.py`."""

    changed: bool
    msg: str = ""
    plans: tuple[Plan, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan, values: Mapping[str, Any] | None = None, msg: str = "") -> Result:
        return cls(changed=plan.changed, msg=msg or plan.summary(), plans=(plan,), values=values or {})

    def to_dict(self, diff_mode: bool) -> dict[str, Any]:
        """The keys Ansible sees: `changed`, `msg`, `notes` and `diff` where they say something, and the values."""
        notes = [note for plan in self.plans for note in plan.notes]
        return {
            "changed": self.changed,
            **self.values,
            **({"msg": self.msg} if self.msg else {}),
            **({"notes": notes} if notes else {}),
            **({"diff": diffs(self.plans)} if diff_mode else {}),
        }


class OverdueCommand(TimeoutError):
    """A command that was ended because its time was over; `said` is what it had written to standard error."""

    def __init__(self, seconds: int, said: str) -> None:
        super().__init__(f"it was not over within {seconds} s, and was ended")
        self.said = said


def run_within(
    task: Task,
    seconds: int,
    argv: Sequence[str],
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    shown: bool = False,
) -> CommandOutput:
    """A command that is ended, with all that it has started, when the time is over: OverdueCommand.

    Where there is no `timeout` (coreutils), it is waited for.
    """
    limit, known = shutil.which("timeout"), shutil.which(argv[0], path=(env or {}).get("PATH"))
    prefix = [limit, f"--kill-after={KILL_AFTER_SECONDS}", str(seconds)] if limit and known else []
    deadline = Deadline(seconds)
    done = task.run_command([*prefix, *argv], stdin=stdin, env=env, shown=shown)
    if prefix and done.returncode in (124, 137) and deadline.passed:
        raise OverdueCommand(seconds, done.stderr)
    return done


Operation = Callable[[Task], Result]
