# SPDX-License-Identifier: GPL-3.0-or-later
"""Names as Kubernetes takes them; its own documentation and validation are the oracle."""

from __future__ import annotations

import random
import string

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils import names
from ansible_collections.mcpops.platform.plugins.module_utils.names import (
    LABEL,
    QUALIFIED,
    SERVICE,
    SUBDOMAIN,
    Syntax,
    namespace_problems,
    wrong_name,
)

LOWER = set(string.ascii_lowercase)
ALNUM = LOWER | set(string.digits)


def is_label(text: str) -> bool:
    """RFC 1123, said in steps instead of by a pattern."""
    return 1 <= len(text) <= 63 and set(text) <= ALNUM | {"-"} and {text[0], text[-1]} <= ALNUM


def is_qualified(text: str) -> bool:
    ends = ALNUM | set(string.ascii_uppercase)
    return 1 <= len(text) <= 63 and set(text) <= ends | set("-_.") and {text[0], text[-1]} <= ends


ORACLES = {
    "label": (LABEL, is_label),
    "service": (SERVICE, lambda text: is_label(text) and text[0] in LOWER),
    "subdomain": (
        SUBDOMAIN,
        lambda text: (
            len(text) <= 253
            and all(
                is_label(part) or (len(part) > 63 and is_label(part[:1] + part[-1:]) and set(part) <= ALNUM | {"-"})
                for part in text.split(".")
            )
        ),
    ),
    "qualified": (QUALIFIED, is_qualified),
}


@pytest.mark.parametrize("rule", ORACLES)
def test_names_are_those_that_kubernetes_takes(rule: str) -> None:
    syntax, oracle = ORACLES[rule]
    rng = random.Random(rule)
    texts = ["", "a", "-", "a-", "1a", "a.b", "a..b", ".a", "A", "a\n", "ä", "a" * 63, "a" * 64, "a" * 253, "a" * 254]
    texts += ["".join(rng.choices("ab1-._Aä\n", k=rng.randint(1, 8))) for _ in range(3000)]
    for text in texts:
        wrong = wrong_name(text, "test name", syntax)
        assert (wrong == "") is oracle(text), text
        assert not wrong or wrong.startswith(f"{text!r} is not a valid test name: 1 to {syntax.longest} ")


@pytest.mark.parametrize("syntax", [LABEL, SERVICE, SUBDOMAIN, QUALIFIED])
def test_a_limit_of_ones_own(syntax: Syntax) -> None:
    assert wrong_name("a" * 53, "release name", syntax, 53) == ""
    assert "1 to 53 " in wrong_name("a" * 54, "release name", syntax, 53)


@pytest.mark.parametrize(
    ("namespace", "stated"),
    [
        ("mcp", None),
        ("My_Ns", "'My_Ns' is not a valid namespace name: 1 to 63 lower-case letters"),
        ("a.b", "'a.b' is not a valid namespace name"),
        (8080, "is the number 8080, and must be text: quote it"),
        (True, "is true, and must be text"),
        (None, "is null"),
        (["a"], "is a list"),
    ],
)
def test_namespaces(namespace: object, stated: str | None) -> None:
    found = namespace_problems("namespaces[0]", namespace)
    assert [problem.path for problem in found] == (["namespaces[0]"] if stated else [])
    assert not stated or stated in found[0].message


LABELS = {
    "plain": ("team", ""),
    "with a domain": ("example.com/team", ""),
    "capitals": ("Team_A.b", ""),
    "no name": ("example.com/", "'' is not a valid label name"),
    "no domain": ("/team", "'' is not a valid domain before the slash"),
    "capitals in the domain": ("Example.com/team", "'Example.com' is not a valid domain before the slash"),
    "two slashes": ("a/b/c", "'a/b' is not a valid domain before the slash"),
    "long": ("a" * 64, "is not a valid label name: 1 to 63 letters"),
    "blank": ("my team", "'my team' is not a valid label name"),
}


@pytest.mark.parametrize("case", LABELS)
def test_names_of_labels_and_annotations(case: str) -> None:
    name, stated = LABELS[case]
    found = names.wrong_label_name(name)
    assert stated in found and bool(stated) is bool(found)
    annotation = names.wrong_annotation_name(name)
    if case == "capitals in the domain":
        assert annotation == ""
    else:
        assert annotation == found.replace("label", "annotation")


@pytest.mark.parametrize(("value", "fits"), [("", True), ("a.B_c-1", True), ("-a", False), ("a b", False)])
def test_values_of_labels(value: str, fits: bool) -> None:
    assert (names.wrong_label_value(value) == "") is fits
