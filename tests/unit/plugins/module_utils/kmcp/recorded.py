# SPDX-License-Identifier: GPL-3.0-or-later
"""Children as the real controller 0.3.0 and kubectl left them, and an API server that answers dry runs about them."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_children
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.replacement import replacement
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import APPLY, Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.schema import Structure, structure_of
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

OBJECTS = Path(__file__).parent / "children"
OPENAPI = Path(__file__).parents[1] / "kube" / "fixtures" / "openapi"


def seen(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OBJECTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def described(api_version: str, kind: str) -> Structure:
    document = json.loads((OPENAPI / f"{api_version.replace('/', '_')}.json").read_text(encoding="utf-8"))
    return structure_of(lambda: document, api_version, kind)


STRUCTURES = {
    (resource.api_version, kind): described(resource.api_version, kind)
    for kind, resource in server_children.CHILDREN.items()
}


@dataclass
class Answer:
    body: Any

    def json(self) -> Any:
        return self.body


@dataclass
class Api:
    """What a dry run answers: the object with what is applied, or without what is removed, and its own defaults."""

    objects: dict[str, Any]
    admission: Any = lambda item: item
    refusal: ServiceError | None = None
    confirmed: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def structure(self, api_version: str, kind: str) -> Structure:
        return STRUCTURES[(api_version, kind)]

    def request(self, method: str, path: str, **how: Any) -> Answer:
        assert how["query"]["dryRun"] == "All"
        self.asked.append(path.rsplit("/", 2)[-2])
        if self.refusal is not None:
            raise self.refusal
        live = next((one for one in self.objects.values() if self._is_at(one, path)), None)
        if live is None:
            raise ServiceError("try", "no object of this name is made", status=403)
        after = copy.deepcopy(live)
        if method == "PUT":
            # what is not put is a default, and comes back
            after = _stored(copy.deepcopy(how["body"]), live, item=True)
        elif how["content_type"] == APPLY:
            body = how["body"]
            assert how["query"]["fieldManager"] == "manager"
            after = replacement(after, body, [], STRUCTURES[(body["apiVersion"], body["kind"])])
            after = _stored(after, live)
        else:
            _remove(after, json.loads(how["body"]))
        self._default(after)
        return Answer(self.admission(after))

    def _is_at(self, item: Any, path: str) -> bool:
        resource = server_children.CHILDREN.get(item["kind"])
        metadata = item["metadata"]
        return resource is not None and resource.path(metadata["namespace"], metadata["name"]) == path

    def _default(self, item: Any) -> None:
        if item["kind"] == "Deployment":
            item["spec"].setdefault("revisionHistoryLimit", 10)
        if item["kind"] == "Service":
            item["spec"].setdefault("sessionAffinity", "None")


def _stored(value: Any, live: Any, secured: bool = False, item: bool = False) -> Any:
    """Kubernetes stores no empty value where it means nothing, and completes the items of a list that is one piece."""
    if isinstance(value, dict):
        existing = live if isinstance(live, dict) else {}
        kept = {
            key: _stored(below, existing.get(key), secured or key == "securityContext", item)
            for key, below in ({**existing, **value} if item else value).items()
            if secured or below not in ("", 0) or key in existing
        }
        return {key: existing[key] if below in ("", 0) and not secured else below for key, below in kept.items()}
    if isinstance(value, list):
        existing = live if isinstance(live, list) else []
        same = dict(enumerate(existing)) if len(value) == len(existing) else {}
        olds = [next((old for old in existing if _holds(old, one)), same.get(place)) for place, one in enumerate(value)]
        return [_stored(one, old, secured, item=place in same) for place, (one, old) in enumerate(zip(value, olds))]
    return value


def _holds(live: Any, declared: Any) -> bool:
    if not isinstance(live, dict) or not isinstance(declared, dict):
        return bool(live == declared)
    return all(live.get(key) == value for key, value in declared.items() if value not in ("", 0))


def _remove(item: Any, patch: list[dict[str, Any]]) -> None:
    for operation in patch:
        if operation["op"] == "remove":
            *above, last = [step.replace("~1", "/").replace("~0", "~") for step in operation["path"].split("/")[1:]]
            holder = item
            for step in above:
                holder = holder[int(step)] if isinstance(holder, list) else holder[step]
            del holder[int(last) if isinstance(holder, list) else last]


def changes(objects: dict[str, Any], api: Api | None = None, *, known: bool = True) -> tuple[Change, ...]:
    kube = cast(Kube, api or Api(objects))
    return server_children.children_drift(kube, cast(Task, None), objects["MCPServer"], objects, lambda: known)


def drift(objects: dict[str, Any], api: Api | None = None, *, known: bool = True) -> dict[str, tuple[Any, Any, str]]:
    found = changes(objects, api, known=known)
    return {
        one.path: (one.before, one.after, one.note or (one.changed_by and f"set by {one.changed_by}")) for one in found
    }
