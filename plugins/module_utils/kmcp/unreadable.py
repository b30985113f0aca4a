# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MCPServers that the API server stores and the KMCP controller cannot read. No input or output.

The controller lists all MCPServers of the cluster into Go types (kagent-dev/kmcp, api/v1alpha1/mcpserver_types.go). One
value that such a type cannot hold ends the whole list, and then no MCPServer is reconciled, whoever owns it, until the
one is corrected or deleted. The CustomResourceDefinition lets these pass: `port` has no range there, text is checked by
a pattern or not at all, and the API server keeps numbers to 64 bits whatever their format says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube.quantity import parse_quantity

UNREADABLE = "UnreadableServer"
"""The reason code of what such a server does to all others."""

# Go: Port uint16, TargetPort uint32; the schema says integer, and int32
_PORT = range(2**16)
_TARGET_PORT = range(2**32)
# Go: int32, also in intstr.IntOrString; the API server takes larger ones although the schema says int32
_INT32 = range(-(2**31), 2**31)
# fields of core/v1 that are int64; the schema says so, and the API server refuses what is larger still
_INT64 = frozenset(
    {
        *("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups", "tolerationSeconds"),
        *("terminationGracePeriodSeconds", "expirationSeconds", "seconds"),
    }
)
# fields that hold a quantity, and those that hold a mapping of names to quantities (core/v1)
_QUANTITIES = frozenset({"divisor", "sizeLimit"})
_QUANTITY_MAPS = frozenset({"limits", "requests"})
# handlers of a container whose port may be a number or a name
_HANDLERS = frozenset({"httpGet", "tcpSocket"})
# structures whose keys are the user's own names
_OWN_NAMES = frozenset({"env", "labels", "annotations", "nodeSelector", "matchLabels"})
# time.ParseDuration, by unit in nanoseconds
_UNITS: Mapping[str, int] = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_LONGEST = 2**63 - 1
_TOO_LARGE = "which is too large"


@dataclass(frozen=True)
class Unreadable:
    """One value that the controller cannot read: its place in the MCPServer, and why."""

    path: str
    value: Any
    why: str

    def __str__(self) -> str:
        return f"{self.path} is {self.value!r}, {self.why}"


def unreadable_fields(server: Mapping[str, Any]) -> list[Unreadable]:
    """The values of an MCPServer, as it stands or as it is declared, that end the controller's list of all servers."""
    spec = server.get("spec")
    return list(_of_spec(spec)) if isinstance(spec, Mapping) else []


def unreadable_servers(servers: Iterable[Mapping[str, Any]]) -> list[Reason]:
    """One reason for each MCPServer because of which none of the cluster is reconciled; terminal, as it stays so."""
    return [
        Reason(
            f"MCPServer {server['metadata'].get('namespace')}/{server['metadata'].get('name')}",
            UNREADABLE,
            f"the KMCP controller cannot read it, and so reconciles no MCPServer of the cluster: "
            f"{'; '.join(map(str, found))}",
            "Correct or delete this one; the others then go on by themselves.",
            terminal=True,
        )
        for server in servers
        for found in [unreadable_fields(server)]
        if found
    ]


def nanoseconds(text: str) -> Decimal | None:
    """A duration as Go reads it (time.ParseDuration), or None."""
    sign, rest = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    if rest == "0":
        return Decimal(0)
    parts = list(_PART.finditer(rest))
    if not rest or "".join(part[0] for part in parts) != rest:
        return None
    total = sum((Decimal(part[1]) * _UNITS[part[2]] for part in parts), Decimal(0))
    if int(total) > _LONGEST:
        return None
    return -total if sign == "-" else total


def _of_spec(spec: Mapping[str, Any]) -> Iterator[Unreadable]:
    timeout = spec.get("timeout")
    if isinstance(timeout, str) and nanoseconds(timeout) is None:
        yield Unreadable("spec.timeout", timeout, "which is not a duration such as 30s or 1m30s")
    http, deployment = spec.get("httpTransport"), spec.get("deployment")
    target = http.get("targetPort") if isinstance(http, Mapping) else None
    if _is_outside(target, _TARGET_PORT):
        yield Unreadable("spec.httpTransport.targetPort", target, "which is not a port (1 to 65535)")
    if isinstance(deployment, Mapping):
        if _is_outside(deployment.get("port"), _PORT):
            yield Unreadable("spec.deployment.port", deployment["port"], "which is not a port (1 to 65535)")
        if _is_outside(deployment.get("replicas"), _INT32):
            yield Unreadable("spec.deployment.replicas", deployment["replicas"], _TOO_LARGE)
        yield from _below(deployment, "spec.deployment")


def _below(value: Any, path: str, name: str = "") -> Iterator[Unreadable]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _below(item, f"{path}[{index}]", name)
        return
    for key, item in value.items() if isinstance(value, Mapping) else ():
        place = f"{path}.{key}"
        if key in _QUANTITY_MAPS and isinstance(item, Mapping):
            for resource, amount in item.items():
                yield from _quantity(amount, f"{place}.{resource}")
        elif key in _QUANTITIES:
            yield from _quantity(item, place)
        elif key not in _INT64 and path != "spec.deployment" and _is_outside(item, _INT32):
            port = key == "port" and name in _HANDLERS
            yield Unreadable(place, item, "which is not a port (1 to 65535)" if port else _TOO_LARGE)
        elif key not in _OWN_NAMES or isinstance(item, list):
            # the list `env` of a container has variables, the mapping `env` of the server has names of its own
            yield from _below(item, place, key)


def _quantity(value: Any, path: str) -> Iterator[Unreadable]:
    if isinstance(value, (str, int, float)) and parse_quantity(value) is None:
        yield Unreadable(path, value, "which is not an amount such as 500m or 256Mi")


def _is_outside(value: Any, allowed: range) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value not in allowed
