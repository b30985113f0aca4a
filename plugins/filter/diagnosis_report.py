# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: diagnosis_report
short_description: The findings of a diagnosis as lines a person reads
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Lays out what M(mcpops.platform.k8s_diagnosis_info) returned, the worst first, with evidence and advice.
options:
  _input:
    description: The registered result.
    type: dict
    required: true
  host:
    description: Name of the cluster, shown in the first line.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ diagnosis | mcpops.platform.diagnosis_report(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: Lines of text.
  type: list
  elements: str
"""

import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..module_utils.text import listed

WIDTH = 100
MARKS = {"error": "ERROR", "warning": "WARNING", "info": "INFO"}
MOST_PODS = 5


def diagnosis_report(diagnosis: Mapping[str, Any], host: str = "") -> list[str]:
    lines = [f"{host}: {diagnosis['msg']}" if host else str(diagnosis["msg"])]
    for finding in diagnosis.get("findings") or []:
        lines += ["", *_finding(finding)]
    if diagnosis.get("unread"):
        lines += ["", "not looked at:", *(f"  {one}" for one in diagnosis["unread"])]
    return lines


def _finding(finding: Mapping[str, Any]) -> Iterator[str]:
    subject = finding["object"]
    place = f"{subject['namespace']}/{subject['name']}" if subject.get("namespace") else subject["name"]
    yield f"{MARKS[finding['severity']]} {finding['code']}: {subject['kind']} {place}"
    yield from _folded("", finding["summary"])
    pods = finding.get("pods") or []
    if pods:
        yield from _folded("pods: ", listed(pods, MOST_PODS))
    for one in finding.get("evidence") or []:
        first, *rest = str(one["text"]).splitlines() or [""]
        yield from _folded(f"{one['source']}: ", first)
        yield from (f"    {line}" for line in rest)
    if finding.get("caused_by"):
        yield from _folded("follows from: ", ", ".join(finding["caused_by"]))
    if finding.get("advice"):
        yield from _folded("do: ", finding["advice"])


def _folded(label: str, text: str) -> list[str]:
    """Indented by two, and folded between words only: names and addresses stay whole."""
    return textwrap.wrap(
        f"{label}{text}",
        WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"diagnosis_report": diagnosis_report}
