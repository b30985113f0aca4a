# SPDX-License-Identifier: GPL-3.0-or-later
"""One table of reasons: complete, worded, and shown in the documentation as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.domains import DOMAINS
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import reasons
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness.reasons import (
    NEVER,
    REASON_CODES,
    SEVERITIES,
)

ROOT = Path(__file__).resolve().parents[5]
SOURCES = [
    *sorted((ROOT / "plugins/module_utils/kube/readiness").glob("*.py")),
    *sorted((ROOT / "plugins/module_utils/kube/diagnosis").glob("*.py")),
]
OF_DOMAINS = {code: one for domain in DOMAINS for code, one in domain.reasons.items()}
CODES = {**REASON_CODES, **OF_DOMAINS}
CODE = re.compile(
    r'\b(?:reason_about|make_reason|about)\(\s*\w+(?:\(item\)|\(named\)|\(one\)|\(nobody\))?,\s*"([A-Z]\w+)"'
)


@pytest.mark.parametrize("code", CODES)
def test_every_code_says_what_it_means(code: str) -> None:
    meaning = CODES[code]
    assert meaning.severity in SEVERITIES
    assert meaning.summary and not meaning.summary.endswith(".")
    assert not meaning.advice or meaning.advice.endswith(".")


def test_every_code_that_a_verdict_gives_is_in_the_table() -> None:
    used = {code for source in SOURCES for code in CODE.findall(source.read_text(encoding="utf-8"))}
    assert len(used) > 30, "the pattern no longer finds the verdicts"
    assert used - set(REASON_CODES) == set()


def test_no_domain_takes_the_code_of_another() -> None:
    assert len(CODES) == len(REASON_CODES) + sum(len(domain.reasons) for domain in DOMAINS)


@pytest.mark.parametrize("folder", [domain.name for domain in DOMAINS if domain.reasons])
def test_every_code_that_a_domain_gives_is_in_its_row(folder: str) -> None:
    sources = sorted((ROOT / "plugins/module_utils" / folder).glob("*.py"))
    used = {code for source in sources for code in CODE.findall(source.read_text(encoding="utf-8"))}
    assert used and used - set(CODES) == set()


def test_an_unknown_code_is_a_warning_and_a_step_gives_no_advice() -> None:
    assert reasons.reason_code("NoDisk").severity == reasons.WARNING
    assert reasons.make_reason("Pod a/b", "Progressing", "1 of 2").hint == ""
    assert reasons.make_reason("Pod a/b", "ImagePull", "not found").hint == REASON_CODES["ImagePull"].advice
    assert reasons.make_reason("Pod a/b", "ImagePull", "not found", hint="Wait.").hint == "Wait."


def test_every_advice_to_read_a_log_has_another_for_where_there_is_none() -> None:
    sending = {code: one.advice for code, one in REASON_CODES.items() if "log lines" in one.advice}
    assert sending
    for code, advice in sending.items():
        without = reasons.without_log(code, advice)
        assert "left no log lines" in without and without.endswith(".")
        assert reasons.without_log(code, "Wait.") == "Wait."


def test_the_page_lists_every_code_with_its_severity_and_advice() -> None:
    """Those that diagnosis can say: a step that never lasts is not one of them."""
    page = (ROOT / "docs/diagnosis.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([A-Z]\w+)` \| (.*) \|$", page, re.MULTILINE))
    wanted = {
        code: f"{one.severity} | {one.summary} | {one.advice}"
        for code, one in CODES.items()
        if one.grace_seconds < NEVER and code not in ("Missing", "NoCondition", "NamesNotAccepted", "NotEstablished")
    }
    assert rows == wanted
