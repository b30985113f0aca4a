# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings: one fault each, with whom it concerns, what shows it and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.reading import Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.vocabulary import (
    MEANINGS,
    SEVERITIES,
    Meaning,
    meaning,
)
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import redact

STATUS, EVENT, LOG, CALL = "status", "event", "log", "call"


@dataclass(frozen=True)
class Evidence:
    """Something that shows the fault, and where it was read: status, event or log, or a call that was made."""

    source: str
    text: str


@dataclass(frozen=True)
class LogOf:
    """The container whose last lines belong to a finding, and the values that are not to be shown."""

    namespace: str
    pod: str
    container: str
    hidden: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One fault. `part` tells faults of one object apart (a container); `pods` are those that show it."""

    code: str
    item: Object
    summary: str
    part: str = ""
    severity: str = ""
    advice: str = ""
    evidence: tuple[Evidence, ...] = ()
    pods: tuple[str, ...] = ()
    caused_by: tuple[str, ...] = ()
    log_of: LogOf | None = None

    @property
    def identifier(self) -> str:
        """The same from run to run for as long as the fault is there; pods come and go and are no part of it."""
        metadata = self.item.get("metadata") or {}
        parts = (self.code, metadata.get("namespace"), self.item.get("kind"), metadata.get("name"), self.part)
        return "/".join(str(part) for part in parts if part)

    def to_dict(self) -> dict[str, Any]:
        metadata = self.item.get("metadata") or {}
        return {
            "id": self.identifier,
            "code": self.code,
            "severity": self.severity,
            "object": {
                "api_version": self.item.get("apiVersion"),
                "kind": self.item.get("kind"),
                "name": metadata.get("name"),
                **({"namespace": metadata["namespace"]} if metadata.get("namespace") else {}),
            },
            "summary": redact(self.summary),
            "advice": self.advice,
            "evidence": [{"source": one.source, "text": redact(one.text)} for one in self.evidence],
            "pods": list(self.pods),
            "caused_by": list(self.caused_by),
        }


def of_reason(item: Object, reason: Reason, **more: Any) -> Finding:
    """The finding that a verdict on `item` stands for."""
    return Finding(reason.code, item, reason.message, advice=reason.hint, **more)


def with_events(found: Finding, messages: Sequence[str], most: int = 3) -> Finding:
    """The same with the last distinct messages of events that say more than the summary does."""
    said = found.summary.partition(": ")[2] if found.part else found.summary
    fresh = [one for one in dict.fromkeys(reversed(messages)) if one not in found.summary and said not in one][:most]
    return replace(found, evidence=(*found.evidence, *(Evidence(EVENT, text) for text in reversed(fresh))))


def in_order(findings: Iterable[Finding], codes: Mapping[str, Meaning] = MEANINGS) -> list[Finding]:
    """The worst first, then by name; each fault once, with what its code says of it where it says nothing itself."""
    unique = {found.identifier: _complete(found, codes) for found in findings}
    rank = {severity: place for place, severity in enumerate(SEVERITIES)}
    return sorted(unique.values(), key=lambda one: (rank[one.severity], one.identifier))


def _complete(found: Finding, codes: Mapping[str, Meaning]) -> Finding:
    of_code = meaning(found.code, codes)
    return replace(found, severity=found.severity or of_code.severity, advice=found.advice or of_code.advice)
