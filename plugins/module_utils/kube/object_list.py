# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of k8s_objects_info: what stands, without what is secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import (
    is_mistaken,
    not_installed,
    not_served,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig_file import ClusterPending
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import holds_secrets
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Plan
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task

REDACTED_ANNOTATIONS = ("kubectl.kubernetes.io/last-applied-configuration",)


def read(task: Task) -> Result:
    """The objects that the options choose."""
    params = task.params
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        return Result(False, f"no objects: {pending.reason}", values={"objects": []})
    api_version, kind = str(params["api_version"]), str(params["kind"])
    resource = kube.resource_type(api_version, kind)
    if resource is None:
        if is_mistaken(kube.kinds(), api_version, kind):
            raise InvalidInput("k8s_objects_info", [Problem("kind", not_served(kube.kinds(), api_version, kind))])
        # a kind that is not installed has no objects: a question with an answer
        told = not_installed(api_version, kind)
        return Result.of(Plan("objects", notes=(f"{told}.",)), {"objects": []}, f"no objects: {told}")
    name, namespace = params.get("name"), params.get("namespace")
    if name and resource.namespaced and not namespace:
        raise InvalidInput("k8s_objects_info", [Problem("namespace", f"is needed to read one {kind} by name")])
    if name:
        one = kube.get(resource.path(namespace, name), action=f"read {kind} {name}")
        found = [one] if one is not None else []
    else:
        found = kube.list_objects(
            resource,
            namespace,
            label_selector=",".join(params.get("label_selectors") or []) or None,
            field_selector=",".join(params.get("field_selectors") or []) or None,
        )
    shown = [presentable(item) for item in found]
    return Result(False, f"{len(shown)} {resource.plural}", values={"objects": shown})


def presentable(item: Mapping[str, Any]) -> Object:
    """An object without the bookkeeping of managers and without the data of a Secret."""
    metadata = {key: value for key, value in (item.get("metadata") or {}).items() if key != "managedFields"}
    shown: Object = {**item, "metadata": metadata}
    if holds_secrets(item):
        # names tell whether a key is there; values are nobody's to read through here
        shown["data"] = dict.fromkeys(item.get("data") or {}, "")
        annotations = metadata.get("annotations")
        if annotations:
            kept = {key: value for key, value in annotations.items() if key not in REDACTED_ANNOTATIONS}
            metadata["annotations"] = kept
    return shown
