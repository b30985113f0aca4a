# SPDX-License-Identifier: GPL-3.0-or-later
"""The custom roles of docs/azure-permissions.md, and identities of the running local cloud that have them."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localcloud.azure.principals import Principals
from support.playbook import CHECKOUT
from support.portal import Portal

WALK = (CHECKOUT / "docs" / "azure.md").read_text(encoding="utf-8")
PAGE = (CHECKOUT / "docs" / "azure-permissions.md").read_text(encoding="utf-8")
ROLES: dict[str, dict[str, Any]] = {
    role["Name"]: role for role in map(json.loads, re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
}
VERSION = "2022-04-01"
GIVEN = re.findall(r'role assignment create --assignee APP_ID --role "([^"]+)"[\s\\]+--scope (\S+)', WALK)
"""Which of them is given where, by the walk through docs/azure.md; *operate* is for who only looks."""
# the group of an address is made by who has the last one
IN_SUBSCRIPTION = {name for name, scope in GIVEN if "/resourceGroups/" not in scope} | {"MCP platform addresses"}


def is_of_group(role: Mapping[str, Any]) -> bool:
    """Whether it is given in a resource group, and not in the subscription."""
    return role["Name"] not in IN_SUBSCRIPTION


def identity(
    portal: Portal, state: Path, group: str, *names: str, without: str = "", auth: Mapping[str, Any]
) -> dict[str, Any]:
    """The login of somebody new who has these roles, those of a group in this one, less an action."""
    one = Principals.at(state).add(f"of a stage {uuid.uuid4()}", since=0)
    for name in names:
        role, guid = ROLES[name], uuid.uuid4()
        place = f"resourceGroups/{group}/" if is_of_group(role) else ""
        actions = [action for action in role["Actions"] if action != without]
        properties = {"roleName": f"{name} {guid}", "permissions": [{"actions": actions}]}
        definition = f"providers/Microsoft.Authorization/roleDefinitions/{guid}"
        scope = {"assignableScopes": [portal.id_of("")]}
        portal.put(definition, {"properties": {**properties, **scope}}, VERSION)
        given = {
            "roleDefinitionId": portal.id_of(definition),
            "principalId": one.object_id,
            "principalType": "ServicePrincipal",
        }
        grant = f"{place}providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        portal.put(grant, {"properties": given}, VERSION)
    return {**auth, "client_id": one.client_id, "secret": one.secret}
