# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts in YAML or JSON, read as Kubernetes and Helm read them. No requests."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube import go_yaml
from ansible_collections.mcpops.platform.plugins.module_utils.kube.go_yaml import Duplicate
from ansible_collections.mcpops.platform.plugins.module_utils.kube.sdk import require, yaml


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
        for document, twice in go_yaml.documents(text):
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
        found = [one for _document, duplicates in go_yaml.documents(text) for one in duplicates]
    except (yaml.YAMLError, RecursionError):
        found = []
    return found or [Duplicate(key, 0, 0, (key, key)) for key in twice]
