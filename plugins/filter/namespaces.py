# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: namespaces
short_description: Kubernetes Namespace objects with a Pod Security level
version_added: 0.1.0
author: The mcpops.platform contributors (@mcpops)
description:
  - Turns short entries into Namespace objects for M(mcpops.platform.k8s_objects).
options:
  _input:
    description: Entries with C(name), and optionally C(pod_security) and C(labels).
    type: list
    elements: dict
    required: true
  labels:
    description: Labels of every namespace.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Namespaces that enforce the restricted level
  ansible.builtin.debug:
    msg: "{{ [{'name': 'mcp', 'pod_security': 'restricted'}] | mcpops.platform.namespaces }}"
"""

RETURN = r"""
_value:
  description: Namespace objects.
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.kube.manifests import POD_SECURITY_LEVELS
from ..module_utils.text import texts_of_mapping


def namespaces(entries: list[dict[str, Any]], labels: dict[str, str] | None = None) -> list[dict[str, Any]]:
    return [_namespace(entry, labels or {}) for entry in entries]


def _namespace(entry: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    level = entry.get("pod_security")
    if level is not None and level not in POD_SECURITY_LEVELS:
        raise AnsibleFilterError(
            f"namespace {entry.get('name')}: pod_security is {level!r}; use one of {', '.join(POD_SECURITY_LEVELS)}."
        )
    enforced = {"pod-security.kubernetes.io/enforce": level} if level else {}
    declared = {**labels, **enforced, **(entry.get("labels") or {})}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": entry["name"], "labels": texts_of_mapping(declared)},
    }


class FilterModule:
    """The filter of this file's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"namespaces": namespaces}
