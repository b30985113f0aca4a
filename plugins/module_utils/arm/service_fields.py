# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a GET answers and must not be sent back, by type and api-version; every row names where that is known from.

Sending such a value back is at best ignored. At worst it sets back what the service or somebody else has moved on:
`nodeImageVersion` was answered only until it became writable, and since then a stale one rolls the nodes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MODEL = "read-only in Microsoft's model (azure-mgmt-containerservice 41, api 2026-08-01)"
RECORDED = "left out by `az aks update` (recorded traffic, api 2026-02-01)"
ENVELOPE = "the envelope that Resource Manager itself writes"
ROLLBACK = (
    "writable since api 2026-04-01: 'Setting this value triggers an agentPool rollback. Only values from "
    "recentlyUsedVersions are allowed' (azure-mgmt-containerservice 41.8); left out by `az aks update` (recorded)"
)
AUTHORIZATION = "read-only in Microsoft's models (azure-mgmt-authorization 4.0, api 2022-04-01)"

NODE_IMAGE_WRITABLE = "2026-04-01"


@dataclass(frozen=True)
class Row:
    """One place that is the service's. `since` and `before` bound the api-versions that the row holds for.

    `declarable`: writable, but never sent back unless the task declares it and it differs.
    """

    path: str
    source: str
    since: str = ""
    before: str = ""
    declarable: bool = False

    def holds(self, api_version: str) -> bool:
        day = api_version[:10]
        return (not self.since or day >= self.since) and (not self.before or day < self.before)


def _rows(source: str, *paths: str) -> tuple[Row, ...]:
    return tuple(Row(path, source) for path in paths)


_AUTHORSHIP = tuple(f"properties.{what}{how}" for what in ("created", "updated") for how in ("On", "By"))
_ENVELOPE = _rows(ENVELOPE, "id", "name", "type", "systemData", "etag", "eTag", "properties.provisioningState")


def _of_pool(prefix: str) -> tuple[Row, ...]:
    """A pool's own fields, inline in its cluster or as a resource of its own."""
    image = f"{prefix}.nodeImageVersion"
    return (
        *_rows(
            MODEL,
            f"{prefix}.eTag",
            f"{prefix}.provisioningState",
            f"{prefix}.currentOrchestratorVersion",
            f"{prefix}.status",
            f"{prefix}.localDNSProfile.state",
        ),
        Row(image, RECORDED, before=NODE_IMAGE_WRITABLE),
        Row(image, ROLLBACK, since=NODE_IMAGE_WRITABLE, declarable=True),
    )


ROWS: dict[str, tuple[Row, ...]] = {
    "microsoft.containerservice/managedclusters": (
        *_ENVELOPE,
        *_rows(
            MODEL,
            "identity.principalId",
            "identity.tenantId",
            "identity.userAssignedIdentities.*.principalId",
            "identity.userAssignedIdentities.*.clientId",
            "properties.powerState",
            "properties.maxAgentPools",
            "properties.currentKubernetesVersion",
            "properties.fqdn",
            "properties.privateFQDN",
            "properties.azurePortalFQDN",
            "properties.resourceUID",
            "properties.status",
            "properties.oidcIssuerProfile.issuerURL",
            "properties.addonProfiles.*.identity",
            "properties.ingressProfile.webAppRouting.identity",
            "properties.podIdentityProfile.userAssignedIdentities.*.provisioningState",
            "properties.podIdentityProfile.userAssignedIdentities.*.provisioningInfo",
            "properties.privateLinkResources.*.privateLinkServiceID",
            "properties.networkProfile.loadBalancerProfile.effectiveOutboundIPs",
            "properties.networkProfile.natGatewayProfile.effectiveOutboundIPs",
        ),
        *_of_pool("properties.agentPoolProfiles.*"),
    ),
    "microsoft.containerservice/managedclusters/agentpools": (*_ENVELOPE, *_of_pool("properties")),
    "microsoft.resources/resourcegroups": (*_ENVELOPE, Row("properties", ENVELOPE)),
    "microsoft.authorization/roleassignments": (
        *_ENVELOPE,
        *_rows(AUTHORIZATION, "properties.scope", *_AUTHORSHIP),
    ),
    "microsoft.authorization/roledefinitions": (*_ENVELOPE, *_rows(AUTHORIZATION, *_AUTHORSHIP)),
}


def rows_of(resource_type: str, api_version: str) -> Iterable[Row]:
    """The rows of a type; of one that is not in the table the envelope alone is known."""
    return (row for row in ROWS.get(resource_type.lower(), _ENVELOPE) if row.holds(api_version))


def not_sent(resource_type: str, api_version: str, changed: Iterable[str] = ()) -> tuple[str, ...]:
    """The paths to leave out of a body; what may be declared and is `changed` by the task is sent."""
    wanted = set(changed)
    return tuple(row.path for row in rows_of(resource_type, api_version) if not (row.declarable and row.path in wanted))
