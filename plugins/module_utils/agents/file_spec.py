# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files and directories of an agent: their text, in which object each is kept, and where it is mounted. Pure.

Python reads TOML and does not write it. What is written here is the part that a declaration in YAML can have: tables,
arrays of tables, and values of one line; the same text for the same values whatever their order.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from ..secrets import is_secret, redact
from ..text import kind_of

TEMPORARY = "/tmp"
DEFAULT_SIZE = "256Mi"
CA_DIRECTORY = "/etc/mcpops/ca"
FILES = "-files"
"""Behind the name of an agent, that of the Secret with its files."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
# TOML 1.0, "String": control characters other than tab are escaped; JSON leaves this one as it is
_DELETE = "\x7f"
_LARGEST = 2**63 - 1


def key_of_file(path: str) -> str:
    """Where a file is in its ConfigMap or Secret: its path, as far as a key may say it."""
    return path.strip("/").replace("/", ".")


def is_hidden(entry: Mapping[str, Any]) -> bool:
    """Whether a file belongs into a Secret: it says so itself, or a name or the form of one of its values does."""
    if entry.get("secret") is not None:
        return bool(entry["secret"])
    values: Any = next((entry[form] for form in ("toml", "json") if entry.get(form) is not None), {})
    text = text_of_file(entry) if values else ""
    return any(is_secret(path, value) for path, value in leaves_of(values)) or redact(text) != text


def text_of_file(entry: Mapping[str, Any]) -> str:
    if entry.get("toml") is not None:
        return toml_text(entry["toml"])
    if entry.get("json") is not None:
        return json.dumps(entry["json"], indent=2, sort_keys=True, ensure_ascii=False, default=str) + "\n"
    return str(entry.get("text") or "")


def files_of(options: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """The content of the ConfigMap, and that of the Secret, by key."""
    plain: dict[str, str] = {}
    hidden: dict[str, str] = {}
    for entry in options.get("files") or ():
        (hidden if is_hidden(entry) else plain)[key_of_file(entry["path"])] = text_of_file(entry)
    return plain, hidden


def volumes_of(name: str, options: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Directories that can be written to, files each at its own place, and authorities."""
    volumes: list[dict[str, Any]] = []
    mounts: list[dict[str, Any]] = []
    size = options.get("writable_size") or DEFAULT_SIZE
    for number, path in enumerate([TEMPORARY, *(options.get("writable") or ())]):
        volumes.append({"name": f"writable-{number}", "emptyDir": {"sizeLimit": size}})
        mounts.append({"name": f"writable-{number}", "mountPath": path})
    plain, hidden = files_of(options)
    if plain:
        volumes.append({"name": "files", "configMap": {"name": name}})
    if hidden:
        # owned by the group of the pod: what is mounted by subPath has the mode of its volume
        volumes.append({"name": "secret-files", "secret": {"secretName": f"{name}{FILES}", "defaultMode": 0o440}})
    for entry in options.get("files") or ():
        key = key_of_file(entry["path"])
        volume = "secret-files" if key in hidden else "files"
        mounts.append({"name": volume, "mountPath": entry["path"], "subPath": key, "readOnly": True})
    authority = options.get("ca")
    if authority:
        items = [{"key": authority.get("key") or "ca.crt", "path": "ca.crt"}]
        if authority.get("secret"):
            source: dict[str, Any] = {"secret": {"secretName": authority["secret"], "items": items}}
        else:
            source = {"configMap": {"name": authority["config_map"], "items": items}}
        volumes.append({"name": "ca", **source})
        mounts.append({"name": "ca", "mountPath": CA_DIRECTORY, "readOnly": True})
    return volumes, mounts


def toml_text(values: Mapping[str, Any]) -> str:
    """The file, with keys in the order of the alphabet: values of a table first, then the tables below it."""
    return "\n".join(_table(values, ())).strip("\n") + "\n"


def toml_problems(path: str, values: Any) -> Iterator[tuple[str, str]]:
    """(path, message) of what TOML has no way to say."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            if not isinstance(key, str):
                yield f"{path}.{key}", f"is a key that is {kind_of(key)}, and must be text: quote it"
            yield from toml_problems(f"{path}.{key}", value)
    elif isinstance(values, (list, tuple)):
        for index, value in enumerate(values):
            yield from toml_problems(f"{path}[{index}]", value)
    elif values is None:
        yield path, "is null, which TOML does not have: leave it out"
    elif isinstance(values, int) and not -_LARGEST - 1 <= values <= _LARGEST:
        yield path, "is a number beyond the 64 bits that TOML has"
    elif not isinstance(values, (str, bool, int, float, date)):
        yield path, f"is {kind_of(values)}, which TOML does not have"


def leaves_of(values: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that is no structure, with its path."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from leaves_of(value, f"{path}.{key}" if path else str(key))
    elif isinstance(values, (list, tuple)):
        for index, value in enumerate(values):
            yield from leaves_of(value, f"{path}[{index}]")
    else:
        yield path, values


def _table(values: Mapping[str, Any], place: tuple[str, ...]) -> Iterator[str]:
    below = {key: value for key, value in values.items() if isinstance(value, Mapping) or _is_tables(value)}
    for key in sorted(values):
        if key not in below:
            yield f"{_key(key)} = {_value(values[key])}"
    for key in sorted(below):
        here = (*place, key)
        name = ".".join(map(_key, here))
        rows: Sequence[Mapping[str, Any]] = [below[key]] if isinstance(below[key], Mapping) else below[key]
        for row in rows:
            yield ""
            yield f"[{name}]" if isinstance(below[key], Mapping) else f"[[{name}]]"
            yield from _table(row, here)


def _is_tables(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(one, Mapping) for one in value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _string(str(value))


def _string(text: str) -> str:
    # of what JSON escapes in other ways than TOML, there is only the character that it does not escape at all
    return json.dumps(text, ensure_ascii=False).replace(_DELETE, "\\u007F")
