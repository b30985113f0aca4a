# SPDX-License-Identifier: GPL-3.0-or-later
"""What the caller may do at a scope: one entry for each of its roles there or above.

https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource-group (2022-04-01) has path and answer;
the same at a subscription is that documentation's sample of 2015-07-01. A group that is not there is
ResourceGroupNotFound, as for everything below it.
"""

from __future__ import annotations

from . import authorization, rbac
from .wire import Call, Reply, page

OWNER = [{"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}]


def list_permissions(call: Call) -> Reply:
    scope = authorization.scope_of(call)
    # the owner of the subscription has no assignment that is kept
    held = OWNER if call.cloud.entra.knows(call.caller) else rbac.permissions_at(call.cloud.store, call.caller, scope)
    return page(call, held, call.cloud.config.page_size)
