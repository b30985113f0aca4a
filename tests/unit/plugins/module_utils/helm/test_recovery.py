# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from support.clock import FakeClock

from ansible_collections.mcpops.platform.plugins.module_utils.helm import release_record
from ansible_collections.mcpops.platform.plugins.module_utils.helm.release_record import History, Release


def release(revision: int, status: str, seconds_old: float | None = 3600) -> Release:
    started = None if seconds_old is None else datetime.now(timezone.utc) - timedelta(seconds=seconds_old)
    return Release("web", "shop", revision, status, "", "web", "1.2.3", "9", {}, "", started, f"r{revision}")


DEPLOYED = release(2, "deployed")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        pytest.param(History(), None, id="nothing there"),
        pytest.param(History(DEPLOYED, DEPLOYED), None, id="in order"),
        pytest.param(History(release(3, "failed"), DEPLOYED), None, id="failed is finished"),
        pytest.param(History(release(3, "pending-upgrade"), DEPLOYED), "goes back to revision 2", id="killed upgrade"),
        pytest.param(
            History(release(3, "pending-rollback"), DEPLOYED), "goes back to revision 2", id="killed rollback"
        ),
        pytest.param(History(release(1, "pending-install")), "record is deleted", id="killed install"),
        pytest.param(History(release(2, "uninstalling")), "record is deleted", id="killed uninstall"),
    ],
)
def test_what_recovery_does_is_said(found: History, text: str | None) -> None:
    stated = release_record.recovery_note(found)
    assert (stated is None) == (text is None)
    assert text is None or text in str(stated)


@pytest.mark.parametrize(("seconds", "oldest"), [(5, 10), (3600, 3700), (-60, float("inf")), (None, float("inf"))])
def test_a_record_without_a_plausible_time_is_old(seconds: float | None, oldest: float) -> None:
    assert (seconds or 0) - 1 < release_record.record_age(release(1, "pending-install", seconds)) <= oldest


class Waiter:
    """A task that may only say what it waits for."""

    def __init__(self) -> None:
        self.stated: list[str] = []

    def progress(self, message: str) -> None:
        self.stated.append(message)


def settle(
    monkeypatch: pytest.MonkeyPatch, first: Release, later: list[Release], stale_after: int
) -> tuple[Any, Waiter]:
    FakeClock().install(monkeypatch)
    answers = iter(History(item) for item in later)
    task = Waiter()
    return release_record.await_unfinished(task, lambda: next(answers), History(first), stale_after), task  # type: ignore[arg-type]


def test_a_young_record_is_waited_for_until_its_helm_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    young, done = release(3, "pending-upgrade", 1), release(3, "deployed", 2)
    found, task = settle(monkeypatch, young, [young, done], stale_after=60)
    assert found.newest == done
    assert len(task.stated) == 2


def test_an_old_record_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    left = release(3, "pending-upgrade", 61)
    found, task = settle(monkeypatch, left, [], stale_after=60)
    assert found.newest == left
    assert task.stated == []
