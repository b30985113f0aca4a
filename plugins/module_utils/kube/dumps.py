# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of a Kubernetes API server without the objects that it prints in them. Pure.

`spec.template: Invalid value: core.PodTemplateSpec{ObjectMeta:v1.ObjectMeta{...}, ...}: field is immutable` names the
field and says what is wrong; what stands between is the whole pod in Go's notation (newer servers: in JSON), with every
variable of its environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import whitespace
from typing import Any

# a structure, a pointer to one, a map or a list of them, in Go's notation; or what JSON begins with
_GO = re.compile(
    r"(?<![\w\"'])[&*]?(?:\[\]){0,9}(?:map\[[^\]\s]{0,100}\](?:\[\]){0,9})?"
    r"[*&]?(?:interface \{\}|(?:[A-Za-z_]\w*\.)?[A-Za-z_]\w*)\{"
)
_JSON = re.compile(r"(?<=value: )[{\[](?=[\s\"{\[])")
_BEGINNINGS = (_GO, _JSON)
_LABEL = re.compile(r"(?:Invalid|Duplicate|Unsupported|Too long|Forbidden|Required)? ?[Vv]?alue: \Z")
_SENTENCE = re.compile(r": | ?\.\.\.")
_OPEN, _CLOSE = "{[(", "}])"
# of plain texts and numbers, such as `[]string{"10.0.0.1"}`, nothing is cut: it says what is wrong
_PLAIN_LIST = re.compile(r"\[\](?:string|u?int\d*|bool|float\d+)\{\Z")


def without_dumps(message: str) -> str:
    """The message without the objects in it: the field, and the sentence about it."""
    # the type around a plain value of the wrong type: `expected string, got &value.valueUnstructured{Value:80}`
    message = re.sub(r"&value\.valueUnstructured\{Value:([^{}]*)\}", r"\1", message)
    if "{" not in message and "value: [" not in message:
        return message
    kept, position = "", 0
    upcoming = [pattern.search(message) for pattern in _BEGINNINGS]
    while (start := _next(message, position, upcoming)) is not None:
        begin, inside = start
        end = _end(message, inside)
        if _is_plain(message[begin:end], message[begin:inside]):
            kept += message[position:end]
        else:
            before = _LABEL.sub("", message[position:begin])
            after = _SENTENCE.match(message, end)
            # the colon that stood before the object leads to the sentence now
            end += len(after[0]) if after and before.endswith((": ", "")) else 0
            kept += before
        position = end
    text = kept + message[position:]
    return text if position == 0 else text.rstrip(":" + whitespace)


def cleaned(answer: Any) -> Any:
    """A Status object whose messages hold no dumps."""
    if isinstance(answer, Mapping):
        return {
            key: without_dumps(value) if key == "message" and isinstance(value, str) else cleaned(value)
            for key, value in answer.items()
        }
    return [cleaned(item) for item in answer] if isinstance(answer, list) else answer


def _next(message: str, position: int, upcoming: list[re.Match[str] | None]) -> tuple[int, int] | None:
    """Where the next object begins, and where its inside does. `upcoming` keeps what each notation has still ahead:
    looked for again behind every object, the one that does not occur takes the length of the message each time."""
    for index, match in enumerate(upcoming):
        if match is not None and match.start() < position:
            upcoming[index] = _BEGINNINGS[index].search(message, position)
    found = [match for match in upcoming if match is not None]
    if not found:
        return None
    first = min(found, key=lambda match: match.start())
    return first.start(), first.end()


def _is_plain(whole: str, opening: str) -> bool:
    if _PLAIN_LIST.search(opening):
        return True
    return opening in _OPEN and len(whole) <= 80 and not re.search(r"[{:]", whole)


def _end(message: str, position: int) -> int:
    """Behind the bracket that closes what is open at `position`; the end of a message that was cut off."""
    depth = 1
    while position < len(message):
        sign = message[position]
        if sign in '"`':
            position = _quoted(message, position)
            continue
        depth += (sign in _OPEN) - (sign in _CLOSE)
        position += 1
        if depth == 0:
            return position
    return len(message)


def _quoted(message: str, position: int) -> int:
    quote = message[position]
    position += 1
    while position < len(message) and message[position] != quote:
        position += 2 if message[position] == "\\" and quote == '"' else 1
    return position + 1
