# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a call must look like for a rule of an HTTPRoute to take it. Pure.

A gateway answers 404 to what no rule takes, and this says nothing of who may call what the rule does take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..kube.manifests import Object

USUAL_METHOD = "POST"
"""What MCP calls with."""
DEFAULT_PATH = "/mcp"
_REGULAR = "RegularExpression"
_SENT_BY_TRIAL = ("authorization", "host", "content-length", "connection")
_SAMPLES = "x1Aa-_./ ~:,;=@"
_ESCAPED = {"d": "1", "w": "x", "S": "x", "D": "x", "W": "-", "s": " ", "b": "", "A": "", "z": "", "Z": ""}
_GROUP = re.compile(r"\?(?:P?<\w+>|[imsU]*:|[imsU]+(?=\)))")
_TIMES = re.compile(r"\{(\d+)(?:,\d*)?\}")


@dataclass(frozen=True)
class Match:
    """One call that a rule takes, with its query in the path; or why none could be made up."""

    path: str = DEFAULT_PATH
    method: str = USUAL_METHOD
    headers: tuple[tuple[str, str], ...] = ()
    why_not: str = ""


def matches_of(route: Object) -> list[Match]:
    """One for each path, header and query that leads to a server; of several methods the one that MCP calls with."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], Match] = {}
    for rule in route["spec"].get("rules") or ():
        if not rule.get("backendRefs"):
            continue
        for one in rule.get("matches") or [{}]:
            made = _made(one)
            known = found.get((made.path, made.headers))
            if known is None or made.method == USUAL_METHOD:
                found[made.path, made.headers] = made
    return list(found.values())


def _made(match: Mapping[str, Any]) -> Match:
    lacking: list[str] = []
    path = _path(match.get("path") or {}, lacking)
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in _values(match, "queryParams", lacking))
    headers = tuple(_values(match, "headers", lacking))
    for name, _value in headers:
        if name.lower() in _SENT_BY_TRIAL:
            lacking.append(f"header {name}, which the trial says something by itself in")
    why = f"its match asks for {'; '.join(lacking)}" if lacking else ""
    return Match(f"{path}?{query}" if query else path, str(match.get("method") or USUAL_METHOD), headers, why)


def _path(path: Mapping[str, Any], lacking: list[str]) -> str:
    value = str(path.get("value") or "/")
    if path.get("type") != _REGULAR:
        return value
    for found in (DEFAULT_PATH, "/", sample_of(value)):
        if found.startswith("/") and _takes(value, found):
            return found
    lacking.append(f"a path like {value}, of which no example could be made up")
    return value


def _values(match: Mapping[str, Any], key: str, lacking: list[str]) -> Iterator[tuple[str, str]]:
    for one in match.get(key) or ():
        name, value = str(one["name"]), str(one["value"])
        if one.get("type") == _REGULAR and not (made := sample_of(value)):
            lacking.append(f"{name} like {value} ({key}), of which no example could be made up")
        else:
            yield name, made if one.get("type") == _REGULAR else value


def _takes(expression: str, text: str) -> bool:
    try:
        return re.fullmatch(expression, text) is not None
    except (re.error, OverflowError, RecursionError):
        return False


# --- an example of what a regular expression takes


def sample_of(expression: str) -> str:
    """A text that it takes as a whole, or nothing. Made from the first alternative of everything, and then tried."""
    try:
        found, end = _either(expression, 0)
    except (IndexError, RecursionError):
        return ""
    return found if end == len(expression) and _takes(expression, found) else ""


def _either(text: str, at: int) -> tuple[str, int]:
    found, at = _row(text, at)
    while at < len(text) and text[at] == "|":
        _other, at = _row(text, at + 1)
    return found, at


def _row(text: str, at: int) -> tuple[str, int]:
    found = ""
    while at < len(text) and text[at] not in "|)":
        piece, at = _piece(text, at)
        times, at = _times(text, at)
        found += piece * times
    return found, at


def _piece(text: str, at: int) -> tuple[str, int]:
    sign = text[at]
    if sign == "(":
        named = _GROUP.match(text, at + 1)
        found, end = _either(text, named.end() if named else at + 1)
        return found, end + 1
    if sign == "[":
        # a bracket at the beginning is one of the characters
        end = text.index("]", at + (3 if text[at + 1] == "^" else 2)) + 1 if "]" in text[at + 2 :] else len(text)
        return next((one for one in _SAMPLES if _takes(text[at:end], one)), _first(text[at:end])), end
    if sign == "\\":
        return _ESCAPED.get(text[at + 1], text[at + 1]), at + 2
    return {".": "x", "^": "", "$": ""}.get(sign, sign), at + 1


def _first(characters: str) -> str:
    """For those that none of the usual ones is among."""
    return next((one for one in characters[1:-1] if _takes(characters, one)), "")


def _times(text: str, at: int) -> tuple[int, int]:
    times = 1
    if at < len(text) and text[at] in "*+?":
        at += 1
    elif found := _TIMES.match(text, at):
        # what is repeated too often is no example of anything
        times, at = min(int(found[1]), 1000), found.end()
    else:
        return times, at
    return times, at + 1 if at < len(text) and text[at] in "?+" else at


def merged_headers(own: Mapping[str, str], asked: Sequence[tuple[str, str]]) -> dict[str, str]:
    """What a trial sends, and what the rule asks for, which wins: otherwise another rule would answer."""
    taken = {name.lower() for name, _value in asked}
    return {**{name: value for name, value in own.items() if name.lower() not in taken}, **dict(asked)}
