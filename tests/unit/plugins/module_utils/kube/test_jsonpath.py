# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness.judge import (
    BadPath,
    find_values,
    parse_path,
)

OBJECT: dict[str, Any] = {
    "metadata": {"labels": {"a.b/c": "dotted", "plain": "p"}},
    "spec": {"ports": [{"port": 80, "name": "http"}, {"port": 443, "name": "https"}], "empty": []},
    "status": {
        "phase": "Running",
        "ok": True,
        "none": None,
        "conditions": [
            {"type": "Ready", "status": "True", "count": 2},
            {"type": "Synced", "status": "False"},
        ],
    },
}

FOUND: dict[str, list[Any]] = {
    "{.status.phase}": ["Running"],
    ".status.phase": ["Running"],
    "status.phase": ["Running"],
    "{ $.status.phase }": ["Running"],
    ".status.ok": [True],
    ".status.none": [None],
    ".status.missing.below": [],
    ".status.phase.below": [],
    ".spec.ports[0].port": [80],
    ".spec.ports[-1].port": [443],
    ".spec.ports[2].port": [],
    ".spec.ports[*].port": [80, 443],
    ".spec.empty[*]": [],
    ".metadata.labels.*": ["dotted", "p"],
    ".metadata.labels['a.b/c']": ["dotted"],
    '.metadata.labels["a.b/c"]': ["dotted"],
    ".metadata.labels.a\\.b/c": ["dotted"],
    '.status.conditions[?(@.type=="Ready")].status': ["True"],
    ".status.conditions[?(@.type == 'Ready')].status": ["True"],
    '.status.conditions[?(@.type!="Ready")].type': ["Synced"],
    ".status.conditions[?(@.count)].type": ["Ready"],
    ".status.conditions[?(@.count==2)].type": ["Ready"],
    '.spec.ports[?(@.name=="(odd)")].port': [],
    "[0]": [],
}


@pytest.mark.parametrize("text", FOUND)
def test_what_a_path_leads_to(text: str) -> None:
    assert find_values(parse_path(text), OBJECT) == FOUND[text]


BAD = {
    "": "it names no field",
    "{}": "it names no field",
    "{.a": "its braces do not match",
    ".a..b": "it cannot be read from '..b' on",
    ".a[": "it cannot be read from '[' on",
    ".a[1:2]": "it cannot be read from '[1:2]' on",
    ".a b": "it cannot be read from ' b' on",
    ".a[?(@.b>1)]": "it cannot be read from '>1' on",
    ".a[?(b==1)]": "the filter 'b==1' is not of the form",
    ".a[?(@.b==Ready)]": "Ready in a filter is neither a quoted text nor a number",
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(BadPath) as wrong:
        parse_path(text)
    assert BAD[text] in str(wrong.value)
