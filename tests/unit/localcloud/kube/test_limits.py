# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.kube.limits import NEEDED, raise_inotify_instances, restore_inotify_instances


class Machine:
    """Its limit, and the local clouds that are up on it."""

    def __init__(self, directory: Path, limit: int) -> None:
        self.file = directory / "limit"
        self.remembered = directory / "remembered"
        self.clouds: set[str] = set()
        self.file.write_text(f"{limit}\n")

    @property
    def limit(self) -> int:
        return int(self.file.read_text())

    def step(self, step: str) -> None:
        """`a up`, `a down`, or a number that somebody sets."""
        name, _space, what = step.partition(" ")
        if what == "up":
            self.clouds.add(name)
            raise_inotify_instances(self.remembered, self.file)
        elif what == "down":
            self.clouds.discard(name)
            restore_inotify_instances(lambda: bool(self.clouds), self.remembered, self.file)
        else:
            self.file.write_text(f"{step}\n")


# what was there, what happens, and the limit after each step
COURSES: dict[str, tuple[int, dict[str, int]]] = {
    "too low: raised and put back": (128, {"a up": NEEDED, "a down": 128}),
    "high enough: left alone": (NEEDED * 2, {"a up": NEEDED * 2, "a down": NEEDED * 2}),
    "set by somebody else since: left alone": (128, {"a up": NEEDED, "4096": 4096, "a down": 4096}),
    "the first goes first": (128, {"a up": NEEDED, "b up": NEEDED, "a down": NEEDED, "b down": 128}),
    "the first goes last": (128, {"a up": NEEDED, "b up": NEEDED, "b down": NEEDED, "a down": 128}),
    "a chain in which never all are up": (
        128,
        {"a up": NEEDED, "b up": NEEDED, "a down": NEEDED, "c up": NEEDED, "b down": NEEDED, "c down": 128},
    ),
    "lowered while one is up": (
        128,
        {"a up": NEEDED, "512": 512, "b up": NEEDED, "a down": NEEDED, "b down": 512},
    ),
}


@pytest.mark.parametrize("course", COURSES)
def test_the_limit_is_raised_and_put_back_by_the_last(course: str, tmp_path: Path) -> None:
    before, steps = COURSES[course]
    machine = Machine(tmp_path, before)
    for step, limit in steps.items():
        machine.step(step)
        assert machine.limit == limit, step
    assert not machine.remembered.exists()


def test_one_that_comes_while_the_last_goes_keeps_the_raised_limit(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 128)
    machine.step("a up")
    answers = iter([False, True])
    restore_inotify_instances(lambda: next(answers), machine.remembered, machine.file)
    assert machine.limit == NEEDED
    machine.step("a down")
    assert machine.limit == 128
