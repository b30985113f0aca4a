# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labels and annotations of an MCP server: what is not text, and what the API server refuses as a label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import Declared
from ansible_collections.mcpops.platform.plugins.module_utils.names import (
    wrong_annotation_name,
    wrong_label_name,
    wrong_label_value,
)
from ansible_collections.mcpops.platform.plugins.module_utils.scalars import kind_of

Found = Iterator[tuple[str, str]]


def texts(server: Declared) -> Found:
    """Structures where the MCPServer's own metadata wants text; scalars have become text."""
    metadata = server.resource["metadata"]
    for path, field in (("server_labels", "labels"), ("server_annotations", "annotations")):
        for name, value in (metadata.get(field) or {}).items():
            if not isinstance(value, str):
                yield f"{path}.{name}", f"is {kind_of(value)}: give a text"


def syntax(server: Declared) -> Found:
    """Labels and annotations that the API server refuses, on the MCPServer or on what the controller makes of it."""
    for path, values in _labels(server).items():
        for name, value in values.items() if isinstance(values, Mapping) else ():
            wrong = wrong_label_name(str(name)) or (wrong_label_value(value) if isinstance(value, str) else "")
            if wrong:
                yield f"{path}.{name}", wrong
    for path, values in _annotations(server).items():
        for name in values if isinstance(values, Mapping) else ():
            wrong = wrong_annotation_name(str(name))
            if wrong:
                yield f"{path}.{name}", wrong


def _labels(server: Declared) -> dict[str, Any]:
    """What holds labels, by option; node_selector has the labels of nodes."""
    return {
        "labels": server.deployment.get("labels"),
        "node_selector": server.deployment.get("nodeSelector"),
        "server_labels": server.resource["metadata"].get("labels"),
        "service_account.labels": _own_account(server).get("labels"),
    }


def _annotations(server: Declared) -> dict[str, Any]:
    return {
        "annotations": server.deployment.get("annotations"),
        "server_annotations": server.resource["metadata"].get("annotations"),
        "service_account.annotations": _own_account(server).get("annotations"),
    }


def _own_account(server: Declared) -> Mapping[str, Any]:
    account = server.deployment.get("serviceAccount")
    return account if isinstance(account, Mapping) else {}
