# SPDX-License-Identifier: GPL-3.0-or-later
"""The README has what a collection's page has to have, in a form that still works where it is rendered elsewhere."""

from __future__ import annotations

import re

import pytest
from gate.checkout import CHECKOUT

# What the partner certification asks of a README; each by the words its heading may use.
SECTIONS = {
    "requirements": r"requirements",
    "installation": r"install",
    "use cases": r"use cases|using|usage|what it does",
    "testing": r"test",
    "release notes": r"release notes|changelog",
    "licence": r"licen[sc]e",
}


@pytest.fixture(scope="module")
def readme() -> str:
    path = CHECKOUT / "README.md"
    assert path.is_file(), "there is no README.md"
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("words", SECTIONS.values(), ids=SECTIONS.keys())
def test_a_required_section_is_there(words: str, readme: str) -> None:
    headings = re.findall(r"^#+ +(.+)$", readme, re.MULTILINE)
    assert any(re.search(words, heading, re.IGNORECASE) for heading in headings), headings


def test_links_work_wherever_it_is_rendered(readme: str) -> None:
    targets = re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)", readme)
    relative = [target for target in targets if not target.startswith(("https://", "#"))]
    assert not relative, f"these are not absolute https links: {', '.join(relative)}"


def test_pictures_are_there_and_say_in_words_what_they_show(readme: str) -> None:
    # they come with the collection; where they are not rendered, their words stand for them
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)\s]+)", readme)
    assert pictures and all(words and (CHECKOUT / path).is_file() for words, path in pictures), pictures
