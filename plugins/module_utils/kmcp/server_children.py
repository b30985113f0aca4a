# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects that the KMCP controller makes of an MCPServer: whose they are, and whether they still are as made.

The controller does not watch them: what is deleted or edited stays so until the MCPServer's spec or labels change.
They are judged by who owns their fields, by the leaves that are copied from the MCPServer as they are, and by what the
controller must have written (server_template); they are repaired by the controller. No input or output.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_template
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.constants import API_VERSION, KIND
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_stdio import COMMANDS_WITH_IMAGE
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_template import MADE_BY_KMCP
from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import route_path, value_at
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import foreign_routes
from ansible_collections.mcpops.platform.plugins.module_utils.kube.structure import UNKNOWN, Structure
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Refusal

Object = Mapping[str, Any]

_GROUP = API_VERSION.partition("/")[0]
# kind → apiVersion; all carry the server's name
KINDS: Mapping[str, str] = {"Deployment": "apps/v1", "Service": "v1", "ConfigMap": "v1", "ServiceAccount": "v1"}
# what the controller's requests are signed with: the name of its binary in the image, and when built by `go install`
CONTROLLER_MANAGERS = ("manager", "cmd")
# fields of a ServiceAccount that the controller leaves out and that change what its pods are given
_ACCOUNT_SWITCHES = ("automountServiceAccountToken",)
_CONTAINER_ROUTE = ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"mcp-server"}')
_ENVIRONMENT_ROUTE = (*_CONTAINER_ROUTE, "f:env")


def expected_kinds(server: Object) -> tuple[str, ...]:
    """Which children there must be: a server that uses an existing service account gets none of its own."""
    own_account = not server["spec"].get("deployment", {}).get("serviceAccountName")
    return tuple(kind for kind in KINDS if kind != "ServiceAccount" or own_account)


def belongs_to(child: Object, name: str) -> bool:
    """Whether KMCP made the object for the MCPServer of this name; other projects have a kind MCPServer, too."""
    return any(
        owner.get("kind") == KIND
        and str(owner.get("apiVersion")).partition("/")[0] == _GROUP
        and owner.get("name") == name
        for owner in child["metadata"].get("ownerReferences") or []
    )


def collisions(kinds: Sequence[str], name: str, children: Mapping[str, Object]) -> list[Refusal]:
    """Objects of the server's name that belong to somebody: the controller would overwrite them without asking."""
    return [
        Refusal(
            f"{kind}/{name}",
            f"an object that belongs to {_owner(children[kind]) or 'no MCPServer'}",
            "one that KMCP makes for this server",
            "KMCP would overwrite it, and deleting the server would delete it: give the server another name, "
            "or delete the object if nobody needs it.",
        )
        for kind in kinds
        if kind in children and not belongs_to(children[kind], name)
    ]


def _owner(child: Object) -> str:
    """Who the object says it belongs to."""
    owners = child["metadata"].get("ownerReferences") or []
    return ", ".join(f"{owner.get('kind')} {owner.get('name')} ({owner.get('apiVersion')})" for owner in owners)


def is_reconciled(server: Object) -> bool:
    """The controller has seen this generation; before that its children lag behind for good reason."""
    return bool((server.get("status") or {}).get("observedGeneration") == server["metadata"].get("generation"))


def drift(
    server: Object,
    children: Mapping[str, Object],
    kept: Collection[str] = (),
    structures: Mapping[str, Structure] | None = None,
) -> list[Change]:
    """What is missing, differs from the server, or was put in by others, with the name of who did it.

    `kept` has the paths of leaves that the cluster itself does not let be as the controller writes them; `structures`
    are those of the children by kind.
    """
    found: list[Change] = []
    for kind in expected_kinds(server):
        child = children.get(kind)
        if child is None:
            found.append(Change(kind, ABSENT, MADE_BY_KMCP, note="is missing"))
        else:
            found += _child_drift(kind, server, child, kept, (structures or {}).get(kind, UNKNOWN))
    return found


def _child_drift(kind: str, server: Object, child: Object, kept: Collection[str], structure: Structure) -> list[Change]:
    owners = foreign_routes(child, CONTROLLER_MANAGERS)
    foreign = {f"{kind}.{route_path(route)}": (route, manager) for route, manager in owners.items()}
    found: list[Change] = []
    explained: set[str] = set()
    for route, wanted in _copied(kind, server).items():
        path = f"{kind}.{route_path(route)}"
        current = value_at(child, route)
        below = {place: manager for place, (_owned, manager) in foreign.items() if _is_at_or_below(place, path)}
        explained.update(below)
        if not _same(current, wanted):
            here = Change(path, _shown(current), _shown(wanted), note=_changed_by(below.values()))
            found += _by_variable(here) if route == _ENVIRONMENT_ROUTE else [here]
    for path, current, wanted in server_template.lost(kind, server, child, structure):
        if path not in kept:
            near = {place: manager for place, (_owned, manager) in foreign.items() if _is_near(place, path)}
            explained.update(near)
            found.append(Change(path, current, wanted, note=_changed_by(near.values())))
    for path, (route, manager) in foreign.items():
        if path not in explained:
            current = value_at(child, route)
            if current is not None:
                found.append(Change(path, current, ABSENT, note=f"set by {manager}"))
    return [*found, *(_switches(child) if kind == "ServiceAccount" else ())]


def _switches(account: Object) -> Iterator[Change]:
    for field in _ACCOUNT_SWITCHES:
        if account.get(field) is not None:
            entries = account["metadata"].get("managedFields") or []
            owners = [str(entry.get("manager")) for entry in entries if f"f:{field}" in (entry.get("fieldsV1") or {})]
            others = [owner for owner in owners if owner not in CONTROLLER_MANAGERS]
            yield Change(f"ServiceAccount.{field}", account[field], ABSENT, note=_changed_by(others))


def _changed_by(managers: Iterable[str]) -> str:
    return f"changed by {', '.join(sorted(set(managers)) or ['another program'])}"


def _copied(kind: str, server: Object) -> dict[tuple[str, ...], Any]:
    """Leaves that the controller copies as they are (kmcp 0.2.3 to 0.3.0), by their place in the child."""
    spec, name = server["spec"], server["metadata"]["name"]
    deployment = spec.get("deployment", {})
    port = deployment.get("port", 3000)
    if kind == "Service":
        its_port = ("f:spec", "f:ports", f'k:{{"port":{port},"protocol":"TCP"}}')
        return {
            ("f:spec", "f:selector"): {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": name},
            (*its_port, "f:targetPort"): port,
            (*its_port, "f:name"): "http",
        }
    if kind != "Deployment":
        return {}
    fields = main_container(server)
    return {
        ("f:spec", "f:replicas"): deployment.get("replicas", 1),
        **{(*_CONTAINER_ROUTE, f"f:{field}"): value for field, value in fields.items()},
    }


def main_container(server: Object) -> dict[str, Any]:
    """The fields of the server's own container that are copied as they are; None where there is to be none."""
    spec = server["spec"]
    deployment = spec.get("deployment", {})
    found: dict[str, Any] = {"env": _environment(deployment), "envFrom": _secrets(deployment)}
    if deployment.get("image") or deployment.get("cmd") not in COMMANDS_WITH_IMAGE:
        found["image"] = deployment.get("image")
    if spec.get("transportType") == "http":
        found["command"] = [deployment["cmd"]] if deployment.get("cmd") else None
        found["args"] = deployment.get("args") or None
    return found


def _environment(deployment: Object) -> list[dict[str, str]] | None:
    env = deployment.get("env") or {}
    return [{"name": name, "value": env[name]} if env[name] else {"name": name} for name in sorted(env)] or None


def _secrets(deployment: Object) -> list[dict[str, Any]] | None:
    refs = [ref["name"] for ref in deployment.get("secretRefs") or [] if ref.get("name")]
    return [{"secretRef": {"name": name}} for name in refs] or None


def environments(server: Object | None, children: Mapping[str, Object]) -> list[dict[str, Any]]:
    """The variables of each of the Deployment's containers as they stand, whoever set them, and of each sidecar."""
    deployment = children.get("Deployment")
    containers = list(deployment["spec"]["template"]["spec"].get("containers") or []) if deployment else []
    containers += server["spec"].get("deployment", {}).get("sidecars") or [] if server else []
    return [_by_name(container.get("env")) for container in containers]


def _by_variable(change: Change) -> list[Change]:
    """The changes of an environment, variable by variable; a list of all would hide the one that counts."""
    before, after = _by_name(change.before), _by_name(change.after)
    return [
        Change(f"{change.path}[{name}]", before.get(name, ABSENT), after.get(name, ABSENT), note=change.note)
        for name in sorted({*before, *after})
        if before.get(name, ABSENT) != after.get(name, ABSENT)
    ]


def _by_name(variables: Any) -> dict[str, Any]:
    listed = variables if isinstance(variables, list) else []
    return {item["name"]: item.get("value", item.get("valueFrom", "")) for item in listed}


def _shown(value: Any) -> Any:
    return ABSENT if value is None else value


def _same(current: Any, wanted: Any) -> bool:
    return (current or None) == (wanted or None) if not isinstance(wanted, int) else current == wanted


def _is_near(place: str, path: str) -> bool:
    """Whether one holds the other: a mapping may be owned as a whole."""
    return _is_at_or_below(place, path) or path.startswith((f"{place}.", f"{place}["))


def _is_at_or_below(place: str, path: str) -> bool:
    return place == path or place.startswith((f"{path}.", f"{path}["))


def released(child: Object) -> list[dict[str, Any]]:
    """The child's managedFields without the leaves of substance that others own; the values stay as they are."""
    doomed = set(foreign_routes(child, CONTROLLER_MANAGERS))
    kept = []
    for entry in child["metadata"].get("managedFields") or []:
        if entry.get("manager") in CONTROLLER_MANAGERS or entry.get("subresource") == "status":
            kept.append(entry)
            continue
        fields = _pruned(entry.get("fieldsV1") or {}, (), doomed)
        if fields:
            kept.append({**entry, "fieldsV1": fields})
    return kept


def _pruned(fields: Mapping[str, Any], above: tuple[str, ...], doomed: set[tuple[str, ...]]) -> dict[str, Any]:
    left: dict[str, Any] = {}
    for key, below in fields.items():
        if key == ".":
            continue
        here = (*above, key)
        if below:
            deeper = _pruned(below, here, doomed)
            if deeper:
                left[key] = deeper
        elif here not in doomed:
            left[key] = below
    return left
