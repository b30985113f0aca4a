# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that are one for all of Azure: of registries, vaults and storage accounts.

`checkNameAvailability` and a creation say the same of them. The shape of the answers (`nameAvailable`, `reason`,
`message`) is that of the models of azure-mgmt-containerregistry, -keyvault and -storage. Codes, reasons and texts are
those of the types, which name their sources.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .store import Resource
from .wire import ArmError, Call, Reply

if TYPE_CHECKING:
    from .cloud import Cloud


def named(cloud: Cloud, kind: str, name: str) -> Resource | None:
    """The resource of this type and name, whichever subscription and group it is in."""
    return next((item for item in cloud.store.find(kind=kind) if item.name.lower() == name.lower()), None)


@dataclass(frozen=True)
class WorldNames:
    """What a type says of its names; `{name}` in the texts stands for one. `holders` are the types that hold a name."""

    holders: tuple[str, ...]
    pattern: re.Pattern[str]
    code: str
    reason: str
    not_valid: str
    taken: str

    def is_taken(self, cloud: Cloud, name: str) -> bool:
        return any(named(cloud, kind, name) is not None for kind in self.holders)

    def check(self, call: Call) -> Reply:
        """The answer to a request that asks whether a name is free."""
        name = str(call.object_body().get("name") or "")
        if not self.pattern.fullmatch(name):
            return _refusal(self.reason, self.not_valid.format(name=name))
        if self.is_taken(call.cloud, name):
            return _refusal("AlreadyExists", self.taken.format(name=name))
        return Reply(200, {"nameAvailable": True})

    def require_valid(self, name: str) -> None:
        if not self.pattern.fullmatch(name):
            raise ArmError(400, self.code, self.not_valid.format(name=name))

    def require_free(self, cloud: Cloud, name: str, code: str) -> None:
        if self.is_taken(cloud, name):
            raise ArmError(409, code, self.taken.format(name=name))


def _refusal(reason: str, message: str) -> Reply:
    return Reply(200, {"nameAvailable": False, "reason": reason, "message": message})
