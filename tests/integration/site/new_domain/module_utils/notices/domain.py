# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notices of a team: ConfigMaps with a text and the day until which it holds. A whole domain, and the smallest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.domain import (
    Answers,
    Column,
    Diagnosis,
    Domain,
    HostVars,
    Object,
    Role,
    Row,
)
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness.reasons import WARNING, ReasonCode
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import Writer

LABEL = "notices.example.com/team"
UNTIL = "notices.example.com/until"


def _diagnosis() -> Diagnosis:
    from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis.snapshot import Finding

    def findings(snapshot: Any) -> Iterator[Finding]:
        for item in filter(_is_notice, snapshot.of("ConfigMap")):
            until = (item["metadata"].get("annotations") or {}).get(UNTIL, "")
            if until and until < f"{snapshot.now:%Y-%m-%d}":
                yield Finding("NoticeExpired", {**item, "apiVersion": "v1", "kind": "ConfigMap"}, f"ended on {until}")

    return Diagnosis(findings)


def _is_notice(item: Object) -> bool:
    return LABEL in (item["metadata"].get("labels") or {})


def _judge(item: Object) -> list[Reason]:
    if not _is_notice(item) or (item.get("data") or {}).get("text"):
        return []
    return [Reason(f"ConfigMap {item['metadata']['name']}", "NoticeEmpty", "it has no text", terminal=True)]


def _count(notices: Sequence[Object], _host: HostVars) -> str:
    return str(len(notices))


def _rows(host: HostVars) -> list[Row]:
    notices = host.get("team_notices_verified", {}).get("objects", [])
    return [(one["metadata"]["name"], one["data"]["text"]) for one in notices]


DOMAIN = Domain(
    name="notices",
    roles=(Role("mcpops.platform.team_notices"),),
    reasons={"NoticeExpired": ReasonCode(WARNING, "a notice is past its day", "Take it out of team_notices_notices.")},
    diagnosis=_diagnosis,
    judges={("", "ConfigMap"): _judge},
    writers=(
        Writer(r"notice-board", r"ConfigMap", "data.seen", "the board notes who has seen it", "https://example.com/"),
    ),
    columns=(Column("notices", "v1", "ConfigMap", _count, (LABEL,)),),
    answers=Answers(("notice", "text"), _rows),
)
