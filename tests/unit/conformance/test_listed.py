# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of what need not be green: every entry says what, for which revision, and why."""

from __future__ import annotations

from typing import Any

import pytest
from conformance import listed
from conformance.listed import ListError

ENTRY = {"scenario": "auth/flow", "revisions": ["2026-07-28"], "checks": ["token-request"], "reason": "no token"}


def document(*entries: Any) -> dict[str, Any]:
    return {"not_applicable": list(entries), "untestable": []}


def test_the_committed_list_is_read() -> None:
    exceptions = listed.load()
    assert exceptions.scenarios
    assert all(entry.reason.endswith(".") for entry in (*exceptions.scenarios, *exceptions.unseen))


def test_a_revision_may_be_read_as_a_date() -> None:
    read = listed.yaml.safe_load("{scenario: a, revisions: [2026-07-28], checks: [c], reason: r}")
    assert listed.parse(document(read)).not_applicable("2026-07-28", "a") is not None


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (None, "sections"),
        ({"not_applicable": []}, "sections"),
        (document("auth/flow"), r"not_applicable\[0\] needs"),
        (document({**ENTRY, "because": "x"}), "nothing else"),
        (document({key: value for key, value in ENTRY.items() if key != "reason"}), "needs"),
        (document({**ENTRY, "reason": " "}), "no reason"),
        (document({**ENTRY, "checks": []}), "no checks"),
        (document({**ENTRY, "revisions": []}), "no revisions"),
        (document(ENTRY, {**ENTRY, "reason": "another"}), "more than once"),
    ],
    ids=["empty", "section", "text", "key", "missing", "reason", "checks", "revisions", "twice"],
)
def test_an_entry_that_does_not_say_all_is_refused(bad: Any, message: str) -> None:
    with pytest.raises(ListError, match=message):
        listed.parse(bad)
