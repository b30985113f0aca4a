# SPDX-License-Identifier: GPL-3.0-or-later
"""The tenant and its one subscription."""

from __future__ import annotations

from . import rbac
from .cloud import Cloud
from .wire import ArmError, Body, Call, Reply


def require_known(cloud: Cloud, subscription: str) -> None:
    if subscription.lower() != cloud.config.subscription_id.lower():
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")


def _answer(call: Call) -> Body:
    config = call.cloud.config
    return {
        "id": f"/subscriptions/{config.subscription_id}",
        "subscriptionId": config.subscription_id,
        "displayName": "Local cloud",
        "state": "Enabled",
        "tenantId": config.tenant_id,
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def list_subscriptions(call: Call) -> Reply:
    """Those in which who asks has any role."""
    cloud, subscription = call.cloud, call.cloud.config.subscription_id
    visible = cloud.entra.knows(call.caller) or rbac.sees_subscription(cloud.store, call.caller, subscription)
    return Reply(200, {"value": [_answer(call)] if visible else []})


def get_subscription(call: Call) -> Reply:
    return Reply(200, _answer(call))


def list_tenants(call: Call) -> Reply:
    tenant = call.cloud.config.tenant_id
    return Reply(
        200,
        {"value": [{"id": f"/tenants/{tenant}", "tenantId": tenant, "displayName": "Local", "tenantCategory": "Home"}]},
    )
