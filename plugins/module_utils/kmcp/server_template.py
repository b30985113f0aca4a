# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the children of an MCPServer hold as long as nobody takes it out. No input or output.

A field that was removed has no owner that could tell of it, so it is looked for by what the controller must have
written. Its translation is the same in KMCP 0.2.6 to 0.3.0, and of other versions nothing is looked for; what settings
of the controller decide (the adapter's image, the Service's appProtocol) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.mcpops.platform.plugins.module_utils.kube.quantity import same_quantity
from ansible_collections.mcpops.platform.plugins.module_utils.kube.structure import UNKNOWN, Structure
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, join

Object = Mapping[str, Any]
Key = tuple[tuple[str, Any], ...]

MADE_BY_KMCP = "(made by KMCP)"
# the first and the last version whose translation this is
_KNOWN = ((0, 2, 6), (0, 3, 0))
_CONFIG_HASH = "kmcp.kagent.dev/mcpserver-config-hash"
# put into a pod template by whoever restarts its pods, kubectl and dashboards alike: a deed, not a state to be kept
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
_ADAPTER = "/adapterbin/agentgateway"
_CONFIG_FILE = "local.yaml"


class Lost(NamedTuple):
    """A leaf that does not stand as the controller wrote it; `current` is ABSENT when it was taken out."""

    path: str
    current: Any
    wanted: Any


def is_known(version: Any) -> bool:
    """Whether a KMCP of this version translates as is written here."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)$", str(version))
    return found is not None and _KNOWN[0] <= tuple(int(part) for part in found.groups()) <= _KNOWN[1]


def lost(kind: str, server: Object, child: Object, structure: Structure = UNKNOWN) -> list[Lost]:
    """The leaves of a child that differ from what the controller must have written."""
    return list(_mapping(kind, _EXPECTED[kind](server), child, "", structure))


def declaration(kind: str, server: Object, child: Object) -> dict[str, Any]:
    """The same as an object to apply; what only has to be there has a stand-in for its value."""
    metadata = {"name": child["metadata"]["name"], "namespace": child["metadata"]["namespace"]}
    body = _plain(_EXPECTED[kind](server))
    return {
        **body,
        "apiVersion": child["apiVersion"],
        "kind": kind,
        "metadata": {**body.get("metadata", {}), **metadata},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(below) for key, below in value.items() if below is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return MADE_BY_KMCP if isinstance(value, _Some) else value


class _Some:
    """A value of the controller's own that only has to be there."""


_SOME = _Some()


def _deployment(server: Object) -> dict[str, Any]:
    spec, name = server["spec"], server["metadata"]["name"]
    declared = spec.get("deployment", {})
    stdio = spec.get("transportType") == "stdio"
    maps = [ref["name"] for ref in declared.get("configMapRefs") or [] if ref.get("name")]
    main = {
        "name": "mcp-server",
        "imagePullPolicy": declared.get("imagePullPolicy") or "IfNotPresent",
        "resources": declared.get("resources"),
        "securityContext": declared.get("securityContext"),
        "volumeMounts": [
            {"name": "config", "mountPath": "/config"},
            *([{"name": "binary", "mountPath": "/adapterbin"}] if stdio else []),
            *({"name": f"cm-{ref}", "mountPath": f"/configmaps/{ref}", "readOnly": True} for ref in maps),
            *(declared.get("volumeMounts") or []),
        ],
        **({"command": [_ADAPTER], "args": ["-f", f"/config/{_CONFIG_FILE}"]} if stdio else {}),
    }
    pod = {
        "serviceAccountName": declared.get("serviceAccountName") or name,
        "securityContext": declared.get("podSecurityContext"),
        "imagePullSecrets": [ref for ref in declared.get("imagePullSecrets") or [] if ref.get("name")],
        "tolerations": declared.get("tolerations"),
        "affinity": declared.get("affinity"),
        "nodeSelector": declared.get("nodeSelector"),
        "initContainers": [_copying(declared)] if stdio else None,
        "containers": [main, *(declared.get("sidecars") or [])],
        "volumes": [
            {"name": "config", "configMap": {"name": name}},
            *([{"name": "binary", "emptyDir": {}}] if stdio else []),
            *({"name": f"cm-{ref}", "configMap": {"name": ref}} for ref in maps),
            *(declared.get("volumes") or []),
        ],
    }
    own = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": name, "app.kubernetes.io/managed-by": "kmcp"}
    annotations = {key: value for key, value in (declared.get("annotations") or {}).items() if key != RESTARTED_AT}
    metadata = {
        "labels": {**own, **(declared.get("labels") or {})},
        "annotations": {**annotations, _CONFIG_HASH: _SOME},
    }
    return {"spec": {"template": {"metadata": metadata, "spec": pod}}}


def _copying(declared: Object) -> dict[str, Any]:
    """The container that brings the adapter to a server of standard input and output."""
    own = declared.get("initContainer") or {}
    security = own.get("securityContext")
    return {
        "name": "copy-binary",
        "image": own.get("image") or _SOME,
        "imagePullPolicy": own.get("imagePullPolicy") or "IfNotPresent",
        "args": ["--copy-self", _ADAPTER],
        "volumeMounts": [{"name": "binary", "mountPath": "/adapterbin"}],
        "resources": own.get("resources"),
        "securityContext": declared.get("securityContext") if security is None else security,
    }


def _service(server: Object) -> dict[str, Any]:
    # its selector and ports are copied leaves, compared as such
    return {}


def _config_map(server: Object) -> dict[str, Any]:
    return {"data": {_CONFIG_FILE: _SOME}}


def _service_account(server: Object) -> dict[str, Any]:
    own = server["spec"].get("deployment", {}).get("serviceAccount") or {}
    return {"metadata": {"labels": own.get("labels"), "annotations": own.get("annotations")}}


_EXPECTED: Mapping[str, Callable[[Object], dict[str, Any]]] = {
    "Deployment": _deployment,
    "Service": _service,
    "ConfigMap": _config_map,
    "ServiceAccount": _service_account,
}


def _mapping(path: str, wanted: Object, live: Any, parent: str, structure: Structure) -> Iterator[Lost]:
    standing = live if isinstance(live, Mapping) else {}
    for key, value in wanted.items():
        yield from _value(join(path, key), key, value, standing.get(key), parent, structure.field(key))


def _value(path: str, key: str, wanted: Any, live: Any, parent: str, structure: Structure) -> Iterator[Lost]:
    if isinstance(wanted, Mapping) and not structure.is_one_piece:
        yield from _mapping(path, wanted, live, _parent(key, parent), structure)
    elif isinstance(wanted, list) and (named := _by_key(wanted, structure)) is not None:
        standing = {structure.key_of(item): item for item in live} if isinstance(live, list) else {}
        for place, item in named.items():
            yield from _mapping(f"{path}[{_shown(place)}]", item, standing.get(place), "", structure.items)
    elif isinstance(wanted, _Some):
        if not live:
            yield Lost(path, ABSENT, MADE_BY_KMCP)
    elif not _fits(wanted, live, key, parent, structure):
        yield Lost(path, ABSENT if live is None else live, wanted)


def _by_key(items: list[Any], structure: Structure) -> dict[Key, Any] | None:
    """The items by what tells them apart; None of a list that the API server takes as one value, or with a twin."""
    found = {structure.key_of(item): item for item in items}
    if not structure.keys or None in found or len(found) != len(items):
        return None
    return {key: item for key, item in found.items() if key is not None}


def _shown(key: Key) -> str:
    return ",".join(str(value) for _field, value in key)


def _fits(wanted: Any, live: Any, key: str, parent: str, structure: Structure) -> bool:
    """Whether a value stands, whatever the API server has added to it."""
    if _is_nothing(wanted, parent):
        # a default may take its place
        return not (wanted is False and live is True)
    if live is None:
        return False
    if isinstance(wanted, Mapping):
        below = _parent(key, parent)
        more = structure.is_own_names and isinstance(live, Mapping) and set(live) - set(wanted)
        return (
            isinstance(live, Mapping)
            and not more
            and all(_fits(value, live.get(name), name, below, structure.field(name)) for name, value in wanted.items())
        )
    if isinstance(wanted, list):
        return (
            isinstance(live, list)
            and len(live) == len(wanted)
            and all(_fits(one, other, "", parent, structure.items) for one, other in zip(wanted, live))
        )
    return same_quantity(wanted, live) if structure.is_quantity else bool(wanted == live)


def _parent(key: str, parent: str) -> str:
    """Everything below a security context is told apart from its being false or 0."""
    return "securityContext" if "securityContext" in (key, parent) else key


def _is_nothing(wanted: Any, parent: str) -> bool:
    """What Kubernetes does not store: empty values, and most false and 0, but not those of a security context."""
    if isinstance(wanted, (bool, int, float)):
        return not wanted and parent != "securityContext"
    return wanted is None or wanted in ("", {}, [])
