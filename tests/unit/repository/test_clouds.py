# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the integration level never meet: each has its own state, network and ports."""

from __future__ import annotations

import itertools
import subprocess

import pytest
from gate import clouds

from localcloud.settings import Settings


def test_no_two_clouds_share_anything() -> None:
    base = {"LOCALCLOUD_STATE": "/nowhere/usual"}
    known = [Settings.load(base), *(Settings.load({**base, **clouds.variables(name, base)}) for name in clouds.OWN)]
    for one, other in itertools.combinations(known, 2):
        for attribute in ("state", "network", "azure_port", "registry_port", "packages_port", "instance"):
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
