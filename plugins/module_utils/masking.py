# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeping known secrets out of what is shown: every form in which a value may turn up, and taking them out. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from ansible_collections.mcpops.platform.plugins.module_utils.secret_names import secret_name
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import (
    REDACTED,
    SHORTEST_SECRET,
    SHORTEST_VALUE,
    credentials_in,
    is_common,
    secrets_in,
)

WHOLE = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
"""What Ansible shows instead of a text that is nothing but a secret."""
SHORTEST_LINE = 16
"""Of a text of several lines, those that tell it: a shorter one stands in other files as well."""
MOST_LINES = 200
"""Each has several forms, and each form is looked for in all of a result. A key of 16,384 bits has 201 lines."""
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
        found |= {part, quote(part, safe=""), json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]}
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
    """Every Secret, also inside a `kind: List`, and among the further objects that values of many charts take."""
    if isinstance(document, Mapping):
        if document.get("kind") == "Secret" and ("data" in document or "stringData" in document):
            yield document
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
