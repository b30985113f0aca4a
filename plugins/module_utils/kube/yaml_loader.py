# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts in YAML or JSON, read as Kubernetes, helm and kustomize read them."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any

from .sdk import require, yaml

_TAG = "tag:yaml.org,2002:"
_NUMBER_TAG = "tag:mcpops.platform,2026:number"
_TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_NULL = ("", "~", "null", "Null", "NULL")
_SPECIAL = {
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_BASES = (16, 2, 8, 10)
_MOST_DIGITS = 400
"""Python refuses to read decimals of more than 4300 digits; no 64-bit integer and no float has this many."""
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WHOLE_FROM = 1e21
"""Go's JSON encoder writes whole numbers below this without an exponent."""


@dataclass(frozen=True)
class Duplicate:
    """A key that stands twice in one mapping, with the lines of both (0 where they are not known)."""

    key: str
    first: int
    again: int
    spelled: tuple[str, str]
    """How it was written: `y` and `true` are one key."""

    def __str__(self) -> str:
        lines = f" (lines {self.first} and {self.again})" if self.again else ""
        if self.again and self.first == self.again:
            lines = f" (line {self.again})"
        one, other = self.spelled
        if one == other:
            return f"the key {self.key!r} is given twice in one mapping{lines}: remove one; the last would silently win"
        remedy = (
            "quote them, or remove one" if self._is_split_by_quotes() else "remove one; the last would silently win"
        )
        return f"the keys {one} and {other}{lines} are both read as {self.key!r}: {remedy}"

    def _is_split_by_quotes(self) -> bool:
        """Whether one is a plain word that is read as something else than its letters, as `on` is."""
        return any(not word.startswith(("'", '"')) and word != self.key for word in self.spelled)


@dataclass
class _Reading:
    """One document under way."""

    duplicates: list[Duplicate] = field(default_factory=list)
    known: dict[int, Any] = field(default_factory=dict)
    """Values of anchors, by their nodes."""
    open: set[int] = field(default_factory=set)


def load_documents(text: str) -> Iterator[tuple[Any, list[Duplicate]]]:
    """Each document with the keys that it gives twice; of those the last wins. yaml.YAMLError when it is no YAML."""
    for node in yaml.compose_all(text, Loader=_loader()):
        reading = _Reading()
        yield _value(node, reading), reading.duplicates


_WORDS = {
    **dict.fromkeys((*_TRUE, *_FALSE), f"{_TAG}bool"),
    **dict.fromkeys(_NULL, f"{_TAG}null"),
    "<<": f"{_TAG}merge",
}
_NUMBERS_BEGIN = frozenset("-+.0123456789")


@lru_cache(maxsize=1)
def _loader() -> Any:
    """A composer that knows which plain words are not text."""
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    def resolve(self: Any, kind: Any, value: Any, implicit: Any) -> str:
        """The tag of a node that has none. Asked of every node, hence no expression for each kind of word."""
        if kind is not yaml.ScalarNode:
            tag: str = base.resolve(self, kind, value, implicit)
            return tag
        if not implicit[0]:
            return f"{_TAG}str"
        # what only looks like a number, such as an address, turns out to be text later
        return _WORDS.get(value) or (_NUMBER_TAG if value[0] in _NUMBERS_BEGIN else f"{_TAG}str")

    return type("GoLoader", (base,), {"resolve": resolve})


def _value(node: Any, reading: _Reading) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value = _scalar(node)
        return _as_json_has_it(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    if id(node) in reading.known:
        return reading.known[id(node)]
    if id(node) in reading.open:
        raise _error("an anchor holds itself", node)
    reading.open.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        made: Any = [_value(one, reading) for one in node.value]
    else:
        made = _mapping(node, reading)
    reading.open.discard(id(node))
    reading.known[id(node)] = made
    return made


def _mapping(node: Any, reading: _Reading) -> dict[str, Any]:
    made: dict[str, Any] = {}
    where: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if key_node.tag == _TAG + "merge" and key_node.value == "<<":
            # in the order of the text: Go lets what is merged later win over what was said before
            made.update(_merged(value_node, reading))
            continue
        key = key_node.value if key_node.tag == _TAG + "str" else _key(key_node)
        if key in where:
            first = where[key]
            lines = (first.start_mark.line + 1, key_node.start_mark.line + 1)
            reading.duplicates.append(Duplicate(key, *lines, (_source_text(first), _source_text(key_node))))
        where[key] = key_node
        made[key] = _value(value_node, reading)
    return made


def _merged(node: Any, reading: _Reading) -> dict[str, Any]:
    """What `<<` brings: a mapping, or several of which the first wins."""
    several = node.value if isinstance(node, yaml.SequenceNode) else [node]
    made: dict[str, Any] = {}
    for one in reversed(several):
        if not isinstance(one, yaml.MappingNode):
            raise _error("<< takes a mapping, or a list of mappings", node)
        made.update(_value(one, reading))
    return made


def _scalar(node: Any) -> Any:
    """A scalar as Go decodes it, before it becomes JSON."""
    tag, text = node.tag, node.value
    if tag == _TAG + "str":
        return text
    if tag == _NUMBER_TAG:
        number = _number(text)
        return text if number is None else number
    kind = tag[len(_TAG) :] if tag.startswith(_TAG) else ""
    if kind == "bool":
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        raise _error(f"{text!r} is not a boolean", node)
    if kind == "null":
        if text in _NULL:
            return None
        raise _error(f"{text!r} is not null", node)
    if kind in ("int", "float"):
        number = _number(text)
        if number is None or (kind == "int" and isinstance(number, float)):
            raise _error(f"{text!r} is not {'an integer' if kind == 'int' else 'a number'}", node)
        return float(number) if kind == "float" else number
    if kind == "binary":
        try:
            return base64.b64decode(text).decode(errors="replace")
        except (binascii.Error, ValueError) as exc:
            raise _error("!!binary is not base64", node) from exc
    # a timestamp, and tags of others
    return text


def _number(text: str) -> int | float | None:
    """The number that a plain word is, or None; as goyaml.v2 resolves it."""
    if text in _SPECIAL:
        return _SPECIAL[text]
    plain = text.replace("_", "")
    found = _INTEGER.fullmatch(plain)
    if found and len(found[5] or "") <= _MOST_DIGITS:
        sign, *digits = found.groups()
        number = next(int(part, base) for part, base in zip(digits, _BASES) if part is not None)
        number = -number if sign == "-" else number
        if -(2**63) <= number < 2**64 and not (sign == "+" and number >= 2**63):
            return number
    if _FLOAT.fullmatch(plain):
        value = float(plain)
        return None if math.isinf(value) else value
    return None


def _as_json_has_it(value: float) -> int | float:
    """A number as the JSON has it that Go writes, and as an API server answers it."""
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    value = float(value)
    if math.isfinite(value) and value.is_integer() and abs(value) < _WHOLE_FROM:
        return int(Decimal(repr(value)))
    return value


def _key(node: Any) -> str:
    """A key as text, as sigs.k8s.io/yaml spells numbers and booleans that are keys."""
    if not isinstance(node, yaml.ScalarNode):
        raise _error("a mapping or a list cannot be a key", node)
    key = _scalar(node)
    if isinstance(key, bool):
        return "true" if key else "false"
    if key is None:
        raise _error("null cannot be a key: quote it", node)
    if isinstance(key, float):
        return _short_float(key)
    if isinstance(key, int) and key >= 2**63:
        raise _error(f"the number {key} is too large for a key: quote it", node)
    return str(key)


def _short_float(value: float) -> str:
    """strconv.FormatFloat(value, 'g', -1, 32): the shortest text that is the same number in 32 bits."""
    if math.isnan(value):
        return ".nan"
    try:
        (single,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        single = math.copysign(math.inf, value)
    if math.isinf(single):
        return ".inf" if single > 0 else "-.inf"
    shortest = next(text for text in (f"{single:.{n}e}" for n in range(9)) if _single(text) == single)
    mantissa, _e, power = shortest.partition("e")
    exponent = int(power)
    if single and not -4 <= exponent < 6:
        return f"{mantissa}e{exponent:+03d}"
    return f"{Decimal(shortest):f}"


def _single(text: str) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", float(text)))[0])
    except OverflowError:
        return math.inf


def _source_text(node: Any) -> str:
    return f"{node.style}{node.value}{node.style}" if node.style in ("'", '"') else str(node.value)


def _error(problem: str, node: Any) -> Exception:
    error: Exception = yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return error


def read_documents(text: str) -> list[Any]:
    """The documents of a text, empty ones left out; yaml.YAMLError when it is no YAML.

    Of keys that are given twice the last wins, as for helm and kubectl: for what others have written.
    """
    return read_declaration(text)[0]


def read_declaration(text: str) -> tuple[list[Any], list[Duplicate]]:
    """The same, with the keys that are given twice: for what a user declares, where that is a mistake."""
    require()
    if text.lstrip()[:1] in ("{", "["):
        # JSON is YAML, and most that begins so is JSON: a hundred times as quick to read
        try:
            return _json(text)
        except ValueError:
            pass
    documents: list[Any] = []
    duplicates: list[Duplicate] = []
    try:
        for document, twice in load_documents(text):
            duplicates += twice
            if document is not None:
                documents.append(document)
    except RecursionError as exc:
        raise yaml.YAMLError("it is nested too deeply") from exc
    except UnicodeEncodeError as exc:
        code = ord(text[exc.start])
        raise yaml.YAMLError(f"it holds U+{code:04X}, half of a surrogate pair and no character") from exc
    return documents, duplicates


def _json(text: str) -> tuple[list[Any], list[Duplicate]]:
    twice: list[str] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            counted = Counter(key for key, _value in pairs)
            twice.extend(key for key, times in counted.items() if times > 1)
        return made

    try:
        document = json.loads(text, object_pairs_hook=mapping)
    except RecursionError as exc:
        raise yaml.YAMLError("it is nested too deeply") from exc
    return [document], _with_lines(text, twice) if twice else []


def _with_lines(text: str, twice: list[str]) -> list[Duplicate]:
    """Only the YAML reader knows lines, and it does not take all that JSON may hold."""
    try:
        found = [one for _document, duplicates in load_documents(text) for one in duplicates]
    except (yaml.YAMLError, RecursionError):
        found = []
    return found or [Duplicate(key, 0, 0, (key, key)) for key in twice]
