# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a log line or an event may hold and nobody is to read in a report: credentials, values of variables. Pure.

Two nets: what looks like a credential wherever it stands, and the values that a pod's own specification names. What
neither knows (a password that a program prints without saying so) passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.plan import REDACTED

_NAMES = r"pass(?:word|wd|phrase)?|pwd|secret|token|(?:api|access|account|private)[-_ ]?key|credentials?"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, flags), replacement)
    for pattern, flags, replacement in (
        # private keys and certificates' keys, also cut off by a log's end
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL, REDACTED),
        # a JSON web token
        (r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)?", 0, REDACTED),
        (r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}", 0, rf"\1 {REDACTED}"),
        (
            r"(?i)\b(authorization|cookie|set-cookie|x-api-key)(\"?\s*[:=]\s*\"?)[^\s\"]+(?: [^\s\"]+)?",
            0,
            rf"\1\2{REDACTED}",
        ),
        # credentials in a URL
        (r"([a-z][a-z0-9+.-]*://)[^\s/@:]*:[^\s/@]+@", re.IGNORECASE, rf"\1{REDACTED}@"),
        # signatures of Azure shared access
        (r"(?i)([?&](?:sig|sharedaccesskey|code)=)[^&\s\"]+", 0, rf"\1{REDACTED}"),
        # keys that services mark by a prefix
        (
            r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|xox[abeoprs]-[A-Za-z0-9-]{8,}|sk-[A-Za-z0-9_-]{16,}"
            r"|AKIA[A-Z0-9]{12,}|glpat-[A-Za-z0-9_-]{16,})",
            0,
            REDACTED,
        ),
        # name=value, name: value, "name": "value", name is value; MYAPP_DB_PASSWORD counts as password
        (
            rf"(?i)([\w.-]*(?:{_NAMES})[\w-]*\"?'?(?:\s*[=:]\s*|\s+is\s+))(\"[^\"]*\"|'[^']*'|[^\s,;&\"']+)",
            0,
            rf"\1{REDACTED}",
        ),
    )
)
_TELLING = re.compile(r"^(true|false|yes|no|on|off|null|none|\d+)$", re.IGNORECASE)
SHORTEST_VALUE = 6
"""Shorter values of variables are words and numbers that stand everywhere; hiding them would hide the message."""


def redact(text: str, values: Mapping[str, str] | None = None) -> str:
    """The text without credentials; each value in `values` (value → name) becomes `$(NAME)`."""
    for value, name in sorted((values or {}).items(), key=lambda one: -len(one[0])):
        text = text.replace(value, f"$({name})")
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def variable_values(pods: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Value → name of every environment variable that these pods spell out."""
    found: dict[str, str] = {}
    for pod in pods:
        spec = pod.get("spec") or {}
        for key in ("initContainers", "containers"):
            for container in spec.get(key) or []:
                for variable in container.get("env") or []:
                    value = str(variable.get("value") or "")
                    if len(value) >= SHORTEST_VALUE and not _TELLING.match(value):
                        found.setdefault(value, str(variable.get("name")))
    return found
