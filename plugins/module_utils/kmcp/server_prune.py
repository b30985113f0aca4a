# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which MCP servers of a bundle are declared no more: only those that carry its label, put there by this collection."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem, Refused, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_sight import SERVERS, Key
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import (
    BUNDLE_LABEL,
    Declared,
    declared_from,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import (
    FIELD_MANAGER,
    owns_label,
)
from ansible_collections.mcpops.platform.plugins.module_utils.names import wrong_label_value
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Refusal
from ansible_collections.mcpops.platform.plugins.module_utils.text import counted, listed

_SHOWN = 5
_FORBIDDEN = 403


def problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the options about the bundle."""
    bundle, percent = params.get("bundle"), params.get("prune_max_percent")
    if bundle is not None:
        wrong = "is empty: leave it out, or give the set of servers a name" if not bundle else wrong_label_value(bundle)
        if wrong:
            yield Problem("bundle", wrong)
    if params.get("prune") and params.get("state") == "absent":
        yield Problem("prune", "belongs to state: present; state: absent removes the servers that are named")
    if percent is not None and not 0 <= percent <= 100:
        yield Problem("prune_max_percent", f"{percent} is not a percentage (0 to 100)")


def leaving(kube: Kube, params: Mapping[str, Any], declared: Sequence[Declared]) -> list[Declared]:
    """The servers that are to go; Refused when they are more than the options allow, or all."""
    bundle = str(params["bundle"])
    keys = {server.key for server in declared}
    namespaces = {server.namespace for server in declared} | {str(params.get("namespace") or "")}
    members = {key_of(item) for item in _members(kube, bundle, namespaces - {""}) if is_member(item, bundle)}
    going = sorted(members - keys)
    refused = too_many(bundle, going, members, params["prune_max_percent"], nothing_declared=not declared)
    if refused is not None:
        raise Refused("mcp_server", [refused])
    return declared_from({"servers": [{"namespace": namespace, "name": name} for namespace, name in going]})


def is_member(live: Mapping[str, Any], bundle: str) -> bool:
    """Whether this collection has put the label of the bundle there, and nobody has asked for the server's end."""
    metadata = live.get("metadata") or {}
    named = (metadata.get("labels") or {}).get(BUNDLE_LABEL) == bundle
    return named and owns_label(live, FIELD_MANAGER, BUNDLE_LABEL) and not metadata.get("deletionTimestamp")


def too_many(
    bundle: str, going: Sequence[Key], members: Collection[Key], percent: int, *, nothing_declared: bool
) -> Refusal | None:
    """Why so many are not removed: a list that came out empty or short is likelier than an intended removal."""
    if not going or (not nothing_declared and len(going) * 100 <= percent * len(members)):
        return None
    names = listed(["/".join(key) for key in going], _SHOWN)
    if nothing_declared:
        remedy = f"The list of servers is empty, and pruning would remove {names}: name them with state: absent instead"
    else:
        remedy = (
            f"Pruning {names} is more than {percent} percent of it. Check that the list of servers is complete; raise "
            "prune_max_percent if it is"
        )
    sentence = f"would shrink from {counted(len(members), 'MCP server')} to {len(members) - len(going)}"
    return Refusal.because(f"bundle {bundle}", sentence, f"{remedy}.")


def other_bundle(server: Declared, live: Mapping[str, Any] | None) -> Refusal | None:
    """A server that is part of another bundle, which would prune it, or lose it."""
    wanted = (server.resource["metadata"].get("labels") or {}).get(BUNDLE_LABEL)
    theirs = (((live or {}).get("metadata") or {}).get("labels") or {}).get(BUNDLE_LABEL)
    if wanted is None or theirs in (None, wanted):
        return None
    remedy = (
        "Declare it in one bundle only. To move it, take it out of the other declaration and remove its label: "
        f"kubectl label mcpservers.kagent.dev -n {server.namespace} {server.name} {BUNDLE_LABEL}-"
    )
    return Refusal("bundle", theirs, wanted, remedy)


def key_of(item: Mapping[str, Any]) -> Key:
    return (str(item["metadata"].get("namespace")), str(item["metadata"]["name"]))


def _members(kube: Kube, bundle: str, namespaces: Iterable[str]) -> list[Object]:
    """What carries the label; without the right to list all namespaces, in those of the declared servers."""
    selector = f"{BUNDLE_LABEL}={bundle}"
    try:
        return kube.list_objects(SERVERS, label_selector=selector)
    except ServiceError as refused:
        if refused.status != _FORBIDDEN:
            raise
    return [
        item
        for namespace in sorted(namespaces)
        for item in kube.list_objects(SERVERS, namespace, label_selector=selector)
    ]
