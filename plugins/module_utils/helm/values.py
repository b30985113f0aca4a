# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user values of a release: files first, then what the task says itself, merged as helm merges them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem
from ansible_collections.mcpops.platform.plugins.module_utils.kube.documents import read_declaration
from ansible_collections.mcpops.platform.plugins.module_utils.kube.json_text import unwritable
from ansible_collections.mcpops.platform.plugins.module_utils.kube.sdk import require, yaml
from ansible_collections.mcpops.platform.plugins.module_utils.merge import overlay


def read_values(values: Mapping[str, Any] | None, files: Sequence[str]) -> tuple[dict[str, Any] | None, list[Problem]]:
    """What the task declares; None when it declares nothing."""
    if values is None and not files:
        return None, []
    result: dict[str, Any] = {}
    problems = []
    for index, file in enumerate(files):
        content, problem = _file(f"values_files[{index}]", Path(file).expanduser())
        if problem is not None:
            problems.append(problem)
        result = overlay(result, content)
    declared = overlay(result, values or {})
    return declared, problems + unwritable(declared, "values")


def _file(option: str, path: Path) -> tuple[Mapping[str, Any], Problem | None]:
    require()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        return {}, Problem(option, f"{path} cannot be read: {getattr(failure, 'strerror', None) or failure}")
    if text.startswith("$ANSIBLE_VAULT"):
        advice = "put its content into values with lookup('file', ...) | from_yaml, which decrypts it"
        return {}, Problem(option, f"{path} is encrypted by ansible-vault: {advice}")
    try:
        documents, duplicates = read_declaration(text)
    except yaml.YAMLError as failure:
        return {}, Problem(option, f"{path} is not YAML ({' '.join(str(failure).split())})")
    if duplicates:
        return {}, Problem(option, f"{path}: {'; '.join(map(str, duplicates))}")
    if not documents:
        return {}, None
    if len(documents) > 1 or not isinstance(documents[0], Mapping):
        return {}, Problem(option, f"{path} is not one mapping of values")
    return documents[0], None
