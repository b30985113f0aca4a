# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CustomResourceDefinitions: what they will serve, and when they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure, NotReady, Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import reasons
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Backoff, Deadline, poll

POLLING = Backoff(first=0.1, longest=0.1)


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
    deadline = Deadline(timeout)
    failed: dict[str, Failure] = {}
    for definition in definitions:
        missing = _awaited(kube, task, definition, deadline)
        if missing:
            label = f"CustomResourceDefinition {definition['metadata']['name']}"
            failed[str(definition["metadata"]["name"])] = NotReady(label, missing, waited=deadline.elapsed)
    return failed


def _awaited(kube: Kube, task: Task, definition: Object, deadline: Deadline) -> list[Reason]:
    """What is missing from it in the end. The first look is at what the caller knows."""
    name = definition["metadata"]["name"]

    def look() -> list[Reason]:
        where = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        return _missing(kube, kube.get(where) or definition)

    def words(missing: list[Reason]) -> str | None:
        final = not missing or any(reason.terminal for reason in missing)
        return None if final else f"waiting for CustomResourceDefinition {name}"

    return poll(look, words, deadline, task.progress, POLLING, seen=_missing(kube, definition))


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
