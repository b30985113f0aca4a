# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CustomResourceDefinitions: what they will serve, and when they do."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure, NotReady, Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import reasons
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

POLL_SECONDS = 0.1


def served_types(definition: Mapping[str, object]) -> list[ResourceType]:
    """The resource types that a CustomResourceDefinition declares; what is malformed is the API server's to refuse."""
    spec = definition.get("spec")
    if not isinstance(spec, Mapping) or not isinstance(spec.get("names"), Mapping):
        return []
    names, versions = spec["names"], spec.get("versions")
    return [
        ResourceType(
            f"{spec.get('group')}/{version.get('name')}",
            str(names.get("kind")),
            str(names.get("plural")),
            spec.get("scope") == "Namespaced",
        )
        for version in (versions if isinstance(versions, list) else [])
        if isinstance(version, Mapping) and version.get("served")
    ]


def wait_until_served(kube: Kube, task: Task, definitions: Sequence[Object], timeout: float) -> dict[str, Failure]:
    """Wait until every definition is Established and in discovery; the failures by the definition's name."""
    deadline = time.monotonic() + timeout
    failed: dict[str, Failure] = {}
    for definition in definitions:
        name = str(definition["metadata"]["name"])
        missing = _missing(kube, definition)
        while missing and not any(reason.terminal for reason in missing) and time.monotonic() < deadline:
            task.progress(f"waiting for CustomResourceDefinition {name}")
            time.sleep(POLL_SECONDS)
            definition = kube.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}") or definition
            missing = _missing(kube, definition)
        if missing:
            failed[name] = NotReady(f"CustomResourceDefinition {name}", missing, waited=timeout)
    return failed


def _missing(kube: Kube, definition: Object) -> list[Reason]:
    found = reasons(definition)
    if found:
        return found
    # what the run knew of this group is older than the definition
    return [
        Reason("", "NotServed", f"{resource.api_version} {resource.kind} is not in the API server's discovery yet")
        for resource in served_types(definition)
        if kube.resource_type_now(resource.api_version, resource.kind) is None
    ]
