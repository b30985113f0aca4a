# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the integration level never meet: each has its own state, network and ports."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import pytest
from gate import clouds, stages

from localcloud.settings import Settings


def test_no_two_clouds_share_anything() -> None:
    base = {"LOCALCLOUD_STATE": "/nowhere/usual"}
    known = [Settings.load(base), *(Settings.load({**base, **clouds.variables(name, base)}) for name in clouds.OWN)]
    for one, other in itertools.combinations(known, 2):
        for attribute in ("state", "network", "azure_port", "registry_port", "instance"):
            assert getattr(one, attribute) != getattr(other, attribute), attribute


@pytest.mark.parametrize("fails", ["up", "pytest", ""])
def test_a_cloud_is_removed_whatever_happened(fails: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def fake_run(argv: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        ran.append(argv[-1])
        return subprocess.CompletedProcess(argv, int(argv[-1] == fails))

    monkeypatch.setattr(clouds.subprocess, "run", fake_run)
    monkeypatch.setattr(clouds, "tool", lambda *argv: list(argv))
    monkeypatch.setattr(clouds.signal, "signal", lambda *_: None)
    assert clouds.main(["with", "azure", "pytest"]) == int(bool(fails))
    assert ran == (["up", "reset"] if fails == "up" else ["up", "pytest", "reset"])


def test_every_directory_of_the_level_runs_in_one_part_or_lane() -> None:
    directories = {path.name for path in (stages.CHECKOUT / "tests" / "integration").iterdir() if path.is_dir()}
    steps = [*stages.integration(), *(step for name in stages.LANES for step in stages.lane(name))]
    given = [Path(word).name for step in steps for word in step.argv if word.startswith("tests/")]
    assert sorted(given) == sorted(directories - {"__pycache__"})


def test_a_lane_is_run_by_the_long_run_but_not_by_its_other_stage() -> None:
    chosen = {stage.name: stage for stage in stages.STAGES}
    makefile = (stages.CHECKOUT / "Makefile").read_text(encoding="utf-8")
    (long_run,) = (line for line in makefile.splitlines() if "--down long " in line)
    for name in stages.LANES:
        assert f"long-{name}" in long_run.split()
        assert f"test-long-{name}: " in makefile
        (step,) = chosen[f"long-{name}"].steps()
        assert step.argv[3:5] == ("with", name)
        assert f"tests/integration/{name}" not in [word for other in stages.long() for word in other.argv]
