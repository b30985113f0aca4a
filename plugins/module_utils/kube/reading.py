# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading the objects of a bundle: many of a kind by one LIST, few by their names, all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.aggregation import is_down
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube, ListExpired
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.transport import POOL_SIZE

LIST_FROM = 4
"""As many objects of a kind and namespace are read by one LIST; fewer are cheaper by name."""
OTHERS_PER_NAME = 50
"""As many objects more come by LIST in the time that one takes by its name."""

FORBIDDEN = 403

Get = Callable[[Target], "Object | None"]
One = TypeVar("One")
Other = TypeVar("Other")


def at_once(work: Callable[[One], Other], things: Sequence[One]) -> list[Other]:
    """`work` on all things, as many at a time as there are connections; the order is kept."""
    if len(things) <= 1:
        return [work(thing) for thing in things]
    with ThreadPoolExecutor(max_workers=min(POOL_SIZE, len(things))) as pool:
        return list(pool.map(work, things))


@dataclass(frozen=True)
class Read:
    """What was found, why others could not be read, and what this identity may not read."""

    found: dict[Identity, Object]
    unread: dict[Identity, ServiceError]
    refused: frozenset[Identity]

    @property
    def complete(self) -> dict[Identity, Object]:
        """What was found, where everything could be read."""
        for failure in self.unread.values():
            raise failure
        return self.found


def read_live(kube: Kube, targets: Iterable[Target], beside: Iterable[Target] = ()) -> Read:
    """The live objects of both; read together, they cost one LIST.

    What only helps to decide (`beside`) must not end the work on the targets.
    """
    wanted = {target.who: target for target in targets}
    lenient = {target.who: target for target in beside if target.who not in wanted}
    refused: set[Identity] = set()

    def get(target: Target) -> Object | None:
        try:
            return kube.get(target.path, action=f"read {target.who}")
        except ServiceError as failure:
            if failure.status != FORBIDDEN or target.who not in lenient:
                raise
            refused.add(target.who)
            return None

    groups: dict[tuple[ResourceType, str | None], list[Target]] = {}
    for target in [*wanted.values(), *lenient.values()]:
        groups.setdefault((target.resource, target.who.namespace), []).append(target)
    by_list = [group for group in groups.values() if len(group) >= LIST_FROM]
    by_name = [target for group in groups.values() if len(group) < LIST_FROM for target in group]
    found: dict[Identity, Object] = {}
    unread: dict[Identity, ServiceError] = {}
    for group, listed in zip(by_list, at_once(lambda group: _unless_down(lambda: _list(kube, group, get)), by_list)):
        if isinstance(listed, ServiceError):
            unread.update((target.who, listed) for target in group)
        else:
            found.update(listed)
    for target, live in zip(by_name, at_once(lambda one: _unless_down(lambda: get(one)), by_name)):
        if isinstance(live, ServiceError):
            unread[target.who] = live
        elif live is not None:
            found[target.who] = live
    return Read(found, unread, frozenset(refused))


def _unless_down(work: Callable[[], Other]) -> Other | ServiceError:
    try:
        return work()
    except ServiceError as failure:
        if not is_down(failure):
            raise
        return failure


def _list(kube: Kube, group: list[Target], get: Get) -> dict[Identity, Object]:
    """The objects of one kind and namespace, by as much of its list as is needed; nothing else is kept."""
    resource, namespace = group[0].resource, group[0].who.namespace
    missing = {target.who.name: target for target in group}
    found: dict[Identity, Object] = {}
    try:
        for page in kube.pages(resource, namespace):
            for item in page.items:
                target = missing.pop(item["metadata"]["name"], None)
                if target is not None:
                    found[target.who] = item
            # among very many others those that are left are cheaper by name
            if not missing or page.remaining > OTHERS_PER_NAME * len(missing):
                break
        else:
            return found
    except ListExpired:
        # the rest by name
        pass
    except ServiceError as refused:
        if refused.status == 404:
            # its CustomResourceDefinition went since the kinds were discovered
            return {}
        if refused.status != FORBIDDEN:
            raise
        # an identity may be allowed to read objects it knows by name, and not to list
    rest = list(missing.values())
    live = at_once(get, rest)
    return found | {target.who: item for target, item in zip(rest, live) if item is not None}
