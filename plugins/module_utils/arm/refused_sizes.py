# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes that Azure refuses to new node pools: which one it was, and the removal of what could not be made with it.

The size of a pool cannot change, so the next candidate needs the failed one gone. Nothing is removed but what this very
task has made: nothing of its name was there when it was planned, the request that made it said so (`If-None-Match`), it
is Failed with the size that was sent, and it is removed in the state in which it was found to be that (`If-Match`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import NotReady, ServiceError
from . import names, reconcile
from .aks.plan import Step
from .aks.spec import ClusterSpec, SizeRequest, current_pools
from .client import Arm, Body, PlanAgain
from .errors import concerns_size

# how often a removal is asked for, after each wait for something else
_REMOVALS = 20


def without(request: SizeRequest, refused: Collection[str]) -> SizeRequest:
    """The request with the candidates that are left; a size that the pool names stays the only one."""
    left = tuple(name for name in request.candidates if request.named or name.lower() not in refused)
    return replace(request, candidates=left)


def sizes_at_fault(
    failure: ServiceError, spec: ClusterSpec, sent: Mapping[str, str], refused: Collection[str]
) -> set[str]:
    """Of the sizes that were chosen for new pools (`sent`, by pool), those that Azure refused, in lower case.

    None where that is not told, where no size was the matter, or where a pool would have no candidate left: then
    the refusal is the result.
    """
    if not concerns_size(failure):
        return set()
    pools = {pool.name: pool for pool in spec.pools if not pool.declared.get("vmSize")}
    chosen = {name: size.lower() for name, size in sent.items() if name in pools and size}
    told = {size for size in chosen.values() if re.search(rf"\b{re.escape(size)}\b", failure.reason.lower())}
    at_fault = told or (set(chosen.values()) if len(set(chosen.values())) == 1 else set())
    for name in (name for name, size in chosen.items() if size in at_fault):
        candidates = pools[name].candidates or spec.sizes.candidates
        if all(one.lower() in {*refused, *at_fault} for one in candidates):
            return set()
    return at_fault


@dataclass
class Creation:
    """A cluster or a pool that this task makes; `answered` is what Azure said when it took the request."""

    spec: ClusterSpec
    step: Step
    answered: Body = field(default_factory=dict)

    @property
    def subject(self) -> str:
        return f"node pool {self.step.pool} of {self.spec.subject}" if self.step.pool else self.spec.subject

    @property
    def place(self) -> str:
        return f"{self.spec.id}/agentPools/{self.step.pool}" if self.step.pool else self.spec.id

    @property
    def api_version(self) -> str:
        return names.api_version_of(names.AGENT_POOLS if self.step.pool else names.MANAGED_CLUSTERS)

    def sizes(self) -> dict[str, str]:
        """The sizes of the pools that the request makes, by name."""
        if self.step.pool:
            return {self.step.pool: str((self.step.body.get("properties") or {}).get("vmSize") or "")}
        return _sizes_of(current_pools(self.step.body))

    def found_in(self, cluster: Body | None) -> Body | None:
        """What it made, in the cluster as it was read: with its state and its eTag."""
        if cluster is None or not self.step.pool:
            return cluster
        same = (pool for pool in current_pools(cluster) if str(pool.get("name")).lower() == self.step.pool.lower())
        return next(same, None)

    def doubt(self, found: Body) -> str:
        """Why this need not be what the task made, or not what could not be made; empty without a doubt."""
        properties = found if self.step.pool else found.get("properties") or {}
        state = str(properties.get("provisioningState") or "")
        if not reconcile.is_failed_state(state):
            return f"it is {state or 'of no known state'} now, and not Failed"
        made, stands = ((body.get("properties") or {}).get("resourceUID") for body in (self.answered, found))
        if made and stands and made != stands:
            return "somebody made another one meanwhile"
        held = {self.step.pool: str(found.get("vmSize") or "")} if self.step.pool else _sizes_of(current_pools(found))
        if _lower(held) != _lower(self.sizes()):
            return "its pools are not those that this task asked for"
        if not found.get("eTag"):
            return "its eTag is not told, without which somebody else's change could be removed with it"
        return ""


def remove_failed(arm: Arm, creation: Creation) -> str:
    """Remove what could not be made. The answer is why it stays; empty where it is gone."""
    action = f"Deleting {creation.subject}, which could not be made"
    etag = ""
    for _attempt in range(_REMOVALS):
        try:
            found = creation.found_in(reconcile.read_idle(arm, creation.spec, may_wait=True).body)
            if found is None:
                return ""
            doubt = creation.doubt(found)
            if doubt:
                return doubt
            if etag not in ("", found["eTag"]):
                return "somebody has changed it since"
            etag = str(found["eTag"])
            response = arm.write("DELETE", creation.place, action, creation.api_version, etag=etag)
            reconcile.await_operation(arm, response, creation.subject, action)
            return ""
        except PlanAgain:
            # throttled, or another operation was in progress, which was waited for
            continue
        except (ServiceError, NotReady) as unable:
            # whoever may create need not be allowed to delete: the refusal itself is the result then
            return unable.message()
    return "other operations on it did not end"


def _sizes_of(pools: list[dict[str, Any]]) -> dict[str, str]:
    return {str(pool.get("name")): str(pool.get("vmSize") or "") for pool in pools}


def _lower(sizes: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): size.lower() for name, size in sizes.items()}
