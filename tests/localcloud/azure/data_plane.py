# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of vaults and storage accounts: which request is for what one of them holds, and who answers it.

In Azure each has a name of its own (NAME.vault.azure.net, NAME.blob.core.windows.net). Nothing would resolve such a
name here, so each has a port of its own, at the address that clusters share with this host: that is what vaultUri and
primaryEndpoints say. A client that resolves names below localhost reaches them at the port of the local Azure too, as
NAME.vault.localhost and NAME.blob.localhost; the metadata document names these suffixes.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from .store import Resource
from .wire import ArmError, Call, Reply

if TYPE_CHECKING:
    from .cloud import Cloud

_NAMED = re.compile(r"(?P<name>[^.:]+)\.(?P<kind>vault|blob)\.[^:]+(:\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Plane:
    """What answers for what the resources of one type hold."""

    kind: str
    answer: Callable[[Call], Reply]
    read: Callable[[Request], Awaitable[Any]]  # how bodies of requests are understood


def reserve(cloud: Cloud) -> str:
    """A host that nothing has yet."""
    taken = {item.private.get("host") for item in cloud.store.find()}
    free = next((host for host in cloud.config.data_hosts if host not in taken), "")
    if not free:
        raise ArmError(
            409,
            "SubscriptionQuotaExceeded",
            f"All {len(cloud.config.data_hosts)} hosts of this local cloud are taken by vaults and storage accounts. "
            "Delete one; a deleted vault has to be purged too.",
        )
    return free


def addressed(cloud: Cloud, planes: Mapping[str, Plane], host: str, port: int) -> tuple[Plane, Resource | None] | None:
    """Whose data a request to this host, received at this port, is for; None when it is for Azure itself."""
    if any(own.endswith(f":{port}") for own in cloud.config.data_hosts):
        for plane in planes.values():
            for item in cloud.store.find(kind=plane.kind):
                if str(item.private.get("host")).endswith(f":{port}"):
                    return plane, item
        return next(iter(planes.values())), None
    found = _NAMED.fullmatch(host)
    if found is not None:
        plane = planes[found["kind"].lower()]
        named = (item for item in cloud.store.find(kind=plane.kind) if item.name.lower() == found["name"].lower())
        return plane, next(named, None)
    return None
