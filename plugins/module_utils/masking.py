# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeping known secrets out of what is shown, and bounding what others wrote before it is shown."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol
from urllib.parse import quote

from .secret_names import secret_name
from .secrets import REDACTED, SHORTEST_SECRET, SHORTEST_VALUE, credentials_in, is_common, secrets_in

WHOLE = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
"""What Ansible shows instead of a text that is nothing but a secret."""
SHORTEST_LINE = 16
"""Of a text of several lines, those that tell it: a shorter one stands in other files as well."""
MOST_LINES = 200
"""Each has several forms, and each form is looked for in all of a result. A key of 16,384 bits has 201 lines."""
_OF_GO = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"})
"""What Go writes otherwise than others in a text of JSON: a webhook or helm may repeat an object so."""
_FIELD = re.compile(r"[a-z]+(?:_[a-z]+)*")
_OF_USERS = ("before", "after")
"""The values of a diff: below them no name is one of a result's own fields."""


class Protecting(Protocol):
    """The part of a Task that this is about."""

    def secret(self, value: str) -> None: ...


def protect(task: Protecting, values: Iterable[str]) -> None:
    """From here on none of these values, in none of its forms, appears in a result or a message of the task."""
    for form in sorted({form for value in values for form in forms(value)}):
        task.secret(form)


def declared_values(documents: Iterable[Any]) -> list[str]:
    """The secrets among objects, values or properties that somebody declared.

    Of a Secret it is every value, whatever its key is called; elsewhere what its name or its form tells. A text that
    is the name of a declared object, or a part of one, is known anyway, and masking it would hide what a result is
    about.
    """
    listed = list(documents)
    names = set(_known(listed))
    known = " ".join(names)
    found: dict[str, None] = {}
    for value, named in _declared(listed):
        shortest = SHORTEST_SECRET if named else SHORTEST_VALUE
        if len(value) >= shortest and not is_common(value) and value not in (names if named else known):
            found.setdefault(value)
    return list(found)


def forms(value: str) -> set[str]:
    """The value as it may turn up: bare, in base64, in a URL, in a text of JSON, and the parts of it that count."""
    found: set[str] = set()
    for part in {value, value.strip(), *_parts(value)}:
        if len(part) < SHORTEST_SECRET or is_common(part):
            continue
        written = json.dumps(part, ensure_ascii=False)[1:-1]
        found |= {part, quote(part, safe=""), json.dumps(part)[1:-1], written, written.translate(_OF_GO)}
        found.add(base64.b64encode(part.encode(errors="surrogatepass")).decode())
    return found


def mask(value: Any, secrets: Collection[str]) -> Any:
    """A result without these texts. The longest go first: of one that another is a part of, nothing is left."""
    if not secrets:
        return value
    shown = json.dumps(value, ensure_ascii=False, default=str)
    # most runs of a bundle with a thousand secrets print none of them
    present = [one for one in secrets if one in shown or json.dumps(one, ensure_ascii=False)[1:-1] in shown]
    return _masked(value, sorted(present, key=len, reverse=True)) if present else value


def _masked(value: Any, secrets: list[str], own: bool = True) -> Any:
    """`own`: its keys are names of a result's fields, and not what users called things."""
    if isinstance(value, Mapping):
        return {
            _masked_key(key, secrets, own): _masked(below, secrets, own and key not in _OF_USERS)
            for key, below in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_masked(item, secrets, own) for item in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return WHOLE if str(value) in secrets else value
    if not isinstance(value, str):
        return value
    if value in secrets:
        return WHOLE
    for secret in secrets:
        value = value.replace(secret, REDACTED)
    return value


def _masked_key(key: Any, secrets: list[str], own: bool) -> Any:
    """What users call things may hold a secret; the names of a result's own fields are read by playbooks."""
    return key if not isinstance(key, str) or (own and _FIELD.fullmatch(key)) else _masked(key, secrets)


def _declared(document: Any) -> Iterator[tuple[str, bool]]:
    """Each secret, and whether its own name says that it is one."""
    if isinstance(document, (list, tuple)):
        for item in document:
            yield from _declared(item)
    elif isinstance(document, Mapping):
        if document.get("kind") == "CustomResourceDefinition":
            return
        yield from ((value, True) for value in secrets_in(document))
        yield from (one for item in _secrets(document) for one in _of_secret(item))


def _secrets(document: Any) -> Iterator[Mapping[str, Any]]:
    """Every Secret, also inside lists of objects, and among the further objects that values of many charts take.

    The items of a `SecretList` need not say what they are.
    """
    if isinstance(document, Mapping):
        items = document.get("items") if document.get("kind") == "SecretList" else None
        if document.get("kind") == "Secret" and ("data" in document or "stringData" in document):
            yield document
        elif isinstance(items, (list, tuple)):
            yield from _secrets([{"kind": "Secret", **item} if isinstance(item, Mapping) else item for item in items])
        else:
            for below in document.values():
                yield from _secrets(below)
    elif isinstance(document, (list, tuple)):
        for item in document:
            yield from _secrets(item)


def _of_secret(item: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    for field in ("data", "stringData"):
        values = item.get(field)
        for key, value in values.items() if isinstance(values, Mapping) else ():
            text = str(value)
            if value is None or isinstance(value, bool):
                continue
            named = secret_name(str(key))
            decoded = _decoded(text) if field == "data" else None
            yield decoded or text, named
            if decoded is not None and text != base64.b64encode(decoded.encode()).decode():
                # wrapped in lines, or with the ends of others' encoders
                yield text, named


def _known(document: Any) -> Iterator[str]:
    """Names of objects and of their namespaces, and kinds."""
    if isinstance(document, (list, tuple)):
        for item in document:
            yield from _known(item)
    elif isinstance(document, Mapping):
        metadata = document.get("metadata")
        own = metadata if isinstance(metadata, Mapping) else {}
        yield from (str(one) for one in (document.get("kind"), own.get("name"), own.get("namespace")) if one)
        if isinstance(document.get("items"), (list, tuple)):
            yield from _known(document["items"])


def _parts(value: str) -> Iterator[str]:
    """What can be used without the rest: a password in a login file, in a URL, in a file of variables; whole lines."""
    yield from credentials_in(value)
    for credential in credentials_in(value):
        # user:password of a URL
        yield from (part for part in credential.split(":", 1)[1:] if "\n" not in credential)
    document = _json(value)
    if document is not None:
        yield from secrets_in(document)
        yield from _logins(document)
    if "\n" in value.strip():
        found = dict.fromkeys(line for line in _private_lines(value) if len(line) >= SHORTEST_LINE and _tells(line))
        yield from sorted(found, key=len, reverse=True)[:MOST_LINES]


def _private_lines(value: str) -> Iterator[str]:
    """Without those of certificates: they are public, and a bundle of authorities has thousands."""
    public = False
    for line in value.splitlines():
        edge = re.match(r"\s*-----(BEGIN|END) ([A-Z0-9 ]*)", line)
        if edge:
            public = edge[1] == "BEGIN" and edge[2].endswith(("CERTIFICATE", "PUBLIC KEY", " CRL"))
        elif not public:
            yield line.strip()


def _tells(line: str) -> bool:
    """A line of a key or of a password file, not one of prose or of a structure."""
    return not re.search(r"\s", line.strip()) and bool(re.search(r"\d", line))


def _logins(document: Any) -> Iterator[str]:
    """The `auth` entries of a container registry's login file: base64 of user:password."""
    if isinstance(document, Mapping):
        for key, below in document.items():
            if key == "auth" and isinstance(below, str):
                yield below
                decoded = _decoded(below) or ""
                yield from (part for part in (decoded, decoded.partition(":")[2]) if part)
            else:
                yield from _logins(below)


def _json(value: str) -> Any:
    if not value.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(value)
    except ValueError:
        return None


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (ValueError, binascii.Error):
        return None


SHOWN = 200
MOST_NAMED = 10
LONGEST_TEXT = 4000
LONGEST_ANSWER = 64 * 1024
DEEPEST = 50
"""Ansible's callbacks walk a result by recursion: with a few hundred levels they fail, and with them the result."""
CUT_OFF = f"… (deeper than {DEEPEST} levels)"

# each server is asked in a thread of its own, which is given a copy of the context
_HIDDEN: ContextVar[Collection[str]] = ContextVar("hidden", default=())


@contextmanager
def hiding_texts(secrets: Collection[str]) -> Iterator[None]:
    """Inside, none of these texts is in anything that is shown of a server's answers."""
    before = _HIDDEN.set(secrets)
    try:
        yield
    finally:
        _HIDDEN.reset(before)


def hidden_texts() -> Collection[str]:
    return _HIDDEN.get()


def one_line(text: Any) -> str:
    """The beginning of foreign text, on one line and without control characters."""
    plain: str = mask(text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text), hidden_texts())
    words = " ".join("".join(sign if sign.isprintable() else " " for sign in plain[: SHOWN * 4]).split())
    return words if len(words) <= SHOWN else words[: SHOWN - 1] + "…"


def listed_names(names: Collection[Any]) -> str:
    """The first of many names for a message, and how many more there are."""
    first = [one_line(name) for _index, name in zip(range(MOST_NAMED), names)]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")


def clip_text(text: str, limit: int = LONGEST_TEXT) -> str:
    if len(text) <= limit:
        return text
    plain: str = mask(text, hidden_texts())
    return plain if len(plain) <= limit else f"{plain[:limit]}… ({len(plain)} characters)"


def bounded_value(value: Any, limit: int = LONGEST_ANSWER) -> Any:
    """Data as it came, or the beginning of its text where it is too large for a result."""
    text = json.dumps(value)
    return value if len(text) <= limit else clip_text(text, limit)


def flattened(value: Any, levels: int = DEEPEST) -> tuple[Any, bool]:
    """Data without what is nested deeper than that, and whether something was cut."""
    if not isinstance(value, (Mapping, list, tuple)):
        return value, False
    if not levels:
        return CUT_OFF, True
    below = [flattened(item, levels - 1) for item in (value.values() if isinstance(value, Mapping) else value)]
    items = [item for item, _cut in below]
    return dict(zip(value, items)) if isinstance(value, Mapping) else items, any(cut for _item, cut in below)
