# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import CheckModeViolation
from ansible_collections.mcpops.platform.plugins.module_utils.intent import Intent, classify, guard

CLUSTER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c"
SERVICE = "/api/v1/namespaces/mcp/services/echo:3000/proxy/mcp"


@pytest.mark.parametrize(
    ("service", "method", "url", "intent"),
    [
        ("arm", "GET", f"https://arm.test{CLUSTER}?api-version=1", Intent.READ),
        ("arm", "head", CLUSTER, Intent.READ),
        ("arm", "PUT", CLUSTER, Intent.WRITE),
        ("arm", "POST", f"{CLUSTER}/listClusterUserCredential?api-version=1", Intent.READ),
        ("arm", "POST", f"{CLUSTER}/LISTCLUSTERADMINCREDENTIAL", Intent.READ),
        ("arm", "POST", f"{CLUSTER}/stop", Intent.WRITE),
        ("arm", "POST", "/subscriptions/s/providers/Microsoft.Network/register", Intent.WRITE),
        ("arm", "PUT", f"{CLUSTER}?dryRun=All", Intent.WRITE),
        ("entra", "POST", "/tenant/oauth2/v2.0/token", Intent.READ),
        ("entra", "POST", "/tenant/oauth2/v2.0/devicecode", Intent.WRITE),
        ("kubernetes", "PATCH", "/api/v1/namespaces/x?fieldManager=mcpops", Intent.WRITE),
        ("kubernetes", "PATCH", "/api/v1/namespaces/x?dryRun=All&fieldManager=mcpops", Intent.DRY_RUN),
        ("kubernetes", "DELETE", "/api/v1/namespaces/x?dryRun=All", Intent.DRY_RUN),
        ("kubernetes", "DELETE", "/api/v1/namespaces/x?dryRun=None", Intent.WRITE),
        ("kubernetes", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", Intent.READ),
        ("kubernetes", "POST", SERVICE, Intent.READ),
        ("kubernetes", "DELETE", SERVICE, Intent.READ),
        ("kubernetes", "PUT", SERVICE, Intent.WRITE),
        ("kubernetes", "POST", "/api/v1/namespaces/mcp/services", Intent.WRITE),
        ("kubernetes", "POST", "/api/v1/namespaces/mcp/services/echo", Intent.WRITE),
        ("unheard-of", "POST", "/", Intent.WRITE),
    ],
)
def test_classification(service: str, method: str, url: str, intent: Intent) -> None:
    assert classify(service, method, url) is intent


def test_check_mode_lets_no_write_pass() -> None:
    guard(False, "arm", "PUT", CLUSTER)
    guard(True, "arm", "GET", CLUSTER)
    with pytest.raises(CheckModeViolation, match="managedClusters/c"):
        guard(True, "arm", "PUT", CLUSTER)
