# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for messages."""

from __future__ import annotations

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.text import counted, listed, sentence


@pytest.mark.parametrize(("number", "stated"), [(0, "0 nodes"), (1, "1 node"), (2, "2 nodes")])
def test_numbers(number: int, stated: str) -> None:
    assert counted(number, "node") == stated


@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("number", range(6))
def test_lists_are_cut_and_counted(number: int, most: int) -> None:
    items = dict.fromkeys(range(number))
    shown, _and, more = listed(items, most).partition(" and ")
    reported = shown.split(", ") if shown else []
    assert reported == [str(item) for item in items][:most]
    assert more == (f"{number - most} more" if number > most else "")


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        (" it ends ", "it ends."),
        ("It ends.", "It ends."),
        ("Does it?", "Does it?"),
        ("it ends (soon)", "it ends (soon)."),
        ("It ends. (Soon.)", "It ends. (Soon.)"),
        ("a\nlog", "a\nlog"),
    ],
)
def test_sentences(text: str, stated: str) -> None:
    assert sentence(text) == stated
