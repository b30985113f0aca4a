# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose resource it is: tags that what we create carries, and what they permit.

`mcpops-collection`, `mcpops-host` and `mcpops-environment` are set when a resource is created with the `owner` option.
A resource found in place is adopted without them, and what does not carry our tags is not ours to delete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.plan import Refusal

COLLECTION_TAG = "mcpops-collection"
HOST_TAG = "mcpops-host"
ENVIRONMENT_TAG = "mcpops-environment"
COLLECTION = "mcpops.platform"
_UNTAGGED = "it has no tag of this collection, which therefore did not create it"

# of every module that creates resources; the fragment azure.OWNED documents them
OWNED_OPTIONS: dict[str, Any] = {
    "tags": {"type": "dict"},
    "purge_tags": {"type": "bool", "default": False},
    "owner": {
        "type": "dict",
        "options": {"host": {"type": "str", "required": True}, "environment": {"type": "str"}},
    },
    "force_delete": {"type": "bool", "default": False},
}


@dataclass(frozen=True)
class Owner:
    """The inventory host (and its environment) that manages a resource."""

    host: str
    environment: str = ""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Owner | None:
        declared = params.get("owner")
        return cls(declared["host"], declared.get("environment") or "") if declared else None

    def tags(self) -> dict[str, str]:
        tags = {COLLECTION_TAG: COLLECTION, HOST_TAG: self.host}
        return {**tags, ENVIRONMENT_TAG: self.environment} if self.environment else tags

    def __str__(self) -> str:
        return f"{self.host} ({self.environment})" if self.environment else self.host


def owner_of(body: Mapping[str, Any]) -> Owner | None:
    """Who the tags name; ARM keeps the case of a tag's name and ignores it."""
    tags = {str(name).lower(): str(value) for name, value in (body.get("tags") or {}).items()}
    if not tags.get(HOST_TAG):
        return None
    return Owner(tags[HOST_TAG], tags.get(ENVIRONMENT_TAG, ""))


def belongs_to(found: Owner | None, owner: Owner | None) -> bool:
    return found is not None and owner is not None and found == owner


def foreign(body: Mapping[str, Any], owner: Owner | None) -> Owner | None:
    """The other owner that the tags name; None when they name none, or us."""
    found = owner_of(body)
    return None if found is None or found == owner else found


def warnings(subject: str, body: Mapping[str, Any] | None, owner: Owner | None) -> list[str]:
    """What is wrong with the tags of a resource that `owner` declares: they name another owner, or none."""
    if body is None or owner is None:
        return []
    found = owner_of(body)
    if found is None:
        return [
            f"{subject} carries no ownership tags: it was created otherwise, or they were removed. Teardown will leave "
            f"it alone; to own it, tag it {', '.join(f'{name}={value}' for name, value in owner.tags().items())}."
        ]
    if found != owner:
        return [
            f"{subject} carries the tags of inventory host {found}, and {owner} declares it, too: "
            "they will undo each other's changes. Let one host declare it, or correct its tags."
        ]
    return []


def refuse_deletion(body: Mapping[str, Any], owner: Owner | None, force_delete: bool, always: bool) -> list[Refusal]:
    """Why this resource must not be deleted. `always`: even without `owner` an untagged one needs force_delete."""
    found = owner_of(body)
    name = str(body.get("name") or body.get("id") or "")
    if found is not None and found != owner:
        asked = f"for {owner}" if owner is not None else "without an owner"
        sentence = f"will not be deleted {asked}: it belongs to inventory host {found}"
        return [Refusal.because(name, sentence, "Delete it from that host, or set owner to it")]
    if found is None and not force_delete and (owner is not None or always):
        remedy = "Set force_delete to true to delete it all the same (site_teardown_force_delete in the playbook)"
        return [Refusal.because(name, f"will not be deleted: {_UNTAGGED}", remedy)]
    return []


def refuse_deletion_along(body: Mapping[str, Any], owner: Owner | None, force_delete: bool) -> list[Refusal]:
    """Why a resource group must not be deleted along: another host owns it, or it has no tag of ours."""
    name = str(body.get("id") or body.get("name"))
    found = owner_of(body)
    if found is not None and found != owner:
        sentence = f"would be deleted with the group, and belongs to inventory host {found}"
        return [Refusal.because(name, sentence, "Tear that host down first")]
    if found is None and not force_delete:
        remedy = "Delete or move it first, or set force_delete to true (site_teardown_force_delete in the playbook)"
        return [Refusal.because(name, f"would be deleted with the group: {_UNTAGGED}", remedy)]
    return []
