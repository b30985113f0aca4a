# SPDX-License-Identifier: GPL-3.0-or-later
"""What every play of the collection's playbooks has to have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS: dict[str, list[dict[str, Any]]] = {
    path.stem: [play for play in yaml.safe_load(path.read_text()) if "hosts" in play]
    for path in sorted((ROOT / "playbooks").glob("*.yml"))
}
OF_THE_SITE = [name for name, plays in PLAYBOOKS.items() if any("clusters" in str(play["hosts"]) for play in plays)]
# core ends a play of another strategy at actions that look at all hosts at once, and rings need lockstep
WANTED = {"strategy": "linear", "gather_facts": False}


def lacking(play: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in WANTED.items() if play.get(key, ...) != value}


@pytest.mark.parametrize("play", [{"gather_facts": False}, {**WANTED, "strategy": "free"}, {"strategy": "linear"}])
def test_a_play_that_lacks_something_is_found(play: dict[str, Any]) -> None:
    assert lacking(play)


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_every_play_runs_in_lockstep(name: str) -> None:
    assert {play["name"]: lacking(play) for play in PLAYBOOKS[name] if lacking(play)} == {}


@pytest.mark.parametrize("name", OF_THE_SITE)
def test_the_first_play_runs_whatever_inventory_there_is(name: str) -> None:
    """Else nobody says that there is none."""
    first, *_others = PLAYBOOKS[name]
    assert first["hosts"].endswith("all:localhost")
    assert any("mcpops.platform.site_validate" in task for task in first["tasks"])
