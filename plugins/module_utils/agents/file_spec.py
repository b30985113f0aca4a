# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files and directories of an agent: in which object each is kept, and where it is mounted. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..secrets import is_secret, redact
from .toml_text import leaves_of, toml_text

TEMPORARY = "/tmp"
DEFAULT_SIZE = "256Mi"
CA_DIRECTORY = "/etc/mcpops/ca"
FILES = "-files"
"""Behind the name of an agent, that of the Secret with its files."""


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
