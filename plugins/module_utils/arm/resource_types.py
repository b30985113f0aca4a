# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How resource types are updated: the types whose manners are known here; any other needs `update_method`."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.mcpops.platform.plugins.module_utils.arm import names

UPDATE_METHODS = ("patch", "put_declared", "put_merged")


@dataclass(frozen=True)
class Manners:
    """`read_only`: what a GET answers and a PUT does not take. `etag`: the body's key, sent back as If-Match."""

    update_method: str
    read_only: tuple[str, ...] = ()
    etag: str = ""
    immutable: tuple[str, ...] = ("location",)
    location_required: bool = True


_ENVELOPE = ("id", "name", "type", "systemData", "etag", "eTag", "properties.provisioningState")

TYPES: dict[str, Manners] = {
    names.RESOURCE_GROUPS.lower(): Manners(
        "put_merged", (*_ENVELOPE, "properties"), immutable=("location", "managedBy")
    ),
}


def manners_of(resource_type: str, update_method: str | None) -> Manners | None:
    """None: nobody said how a resource of this type is updated."""
    known = TYPES.get(resource_type.lower())
    if update_method:
        row = known or Manners(update_method, _ENVELOPE, location_required=False)
        return Manners(update_method, row.read_only, row.etag, row.immutable, row.location_required)
    return known
