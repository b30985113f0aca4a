# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to ARM, its responses, and its two shapes of errors parsed into one, with a table of what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..errors import ServiceError
from ..http_terms import Response


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Unreachable(Exception):
    """No answer. `sent` says whether the request may have reached the service all the same."""

    def __init__(self, reason: str, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


class Sender(Protocol):
    def send(self, request: Request) -> Response: ...

    def renew(self) -> None:
        """Forget the token: the service no longer takes it."""


UNREGISTERED = "MissingSubscriptionRegistration"

# code: what to do
HINTS = {
    "AuthenticationFailed": "The token was not accepted: check tenant, cloud_environment and the clock.",
    "AuthorizationFailed": "Give this identity a role that allows the action at that scope.",
    "AllocationFailed": "The region has no capacity for this size now: use another vm_size or location, or wait.",
    "AvailabilityZoneNotSupported": "Use zones that the message offers for this size, or leave zones out.",
    "DenyAssignmentAuthorizationFailed": (
        "A deny assignment forbids it, which no role undoes: the message names it. It is of a managed application, a "
        "deployment stack, or AKS's own for the resource group of a cluster's nodes; change it there."
    ),
    "EtagMismatch": "Another operation is changing this resource: run again when it has finished.",
    "ErrCode_InsufficientVCPUQuota": (
        "Use fewer or smaller nodes, another size or location, or ask for quota "
        "(https://learn.microsoft.com/azure/quotas/view-quotas); aks_sku_preflight finds a size that fits."
    ),
    "InvalidAuthenticationToken": "The token was not accepted: check tenant, cloud_environment and the clock.",
    "InvalidResourceGroupLocation": "The group exists elsewhere: use its location, or another name.",
    "InvalidSubscriptionId": "Check subscription_id (AZURE_SUBSCRIPTION_ID): it is a GUID.",
    "K8sVersionNotSupported": "Use a version that `az aks get-versions --location <location>` lists.",
    "LocationNotAvailableForResourceGroup": "Use one of the locations that the message lists.",
    "LocationNotAvailableForResourceType": "Use one of the locations that the message lists.",
    "MissingSubscriptionRegistration": "Register the namespace with mcpops.platform.azure_provider first.",
    "NoRegisteredProviderFound": "Use an api-version and a location that the message lists.",
    "OverconstrainedAllocationRequest": "No capacity for this size in these zones: relax zones or vm_size.",
    "PrincipalNotFound": (
        "Check principalId: it is an object id (of an identity its principal id, not its client id). For an identity "
        "that was just made, set principalType (ServicePrincipal) as well, and run again or raise wait_timeout."
    ),
    "PropertyChangeNotAllowed": "This cannot change in place: keep the current value, or recreate the resource.",
    "QuotaExceeded": "Ask for quota (https://learn.microsoft.com/azure/quotas/view-quotas), or use less.",
    "ManagedClusterCountExceedsQuotaLimit": "Delete unused clusters, or request more quota.",
    "ReadOnlyDisabledSubscription": "The subscription is disabled: its owner has to enable it (billing) first.",
    "RequestDisallowedByPolicy": "An Azure Policy forbids it: the message names the assignment.",
    "RoleAssignmentLimitExceeded": (
        "Give roles to groups or at fewer, higher scopes, and remove those of principals that are gone."
    ),
    "RoleAssignmentScopeNotAssignableToRoleDefinition": (
        "Add this scope, or one above it, to the AssignableScopes of the role; a change of them takes minutes to count."
    ),
    "RoleAssignmentUpdateNotPermitted": (
        "Principal, role and scope of an assignment are fixed: give the new one a name (a GUID) of its own."
    ),
    "RoleDefinitionDoesNotExist": "Check roleDefinitionId: `az role definition list --name <role>` shows it.",
    "ResourceGroupBeingDeleted": "Wait until the group is gone, then run again.",
    "ResourceGroupNotFound": "Create the group first (mcpops.platform.azure_resource; of a site, its platform host "
    "does: name it in --limit, too), or check its name.",
    "ScopeLocked": "A lock forbids this: remove it first.",
    "SkuNotAvailable": "Use another vm_size, zone or location; aks_sku_preflight finds a size that is available.",
    "SubscriptionNotFound": "Check subscription_id (AZURE_SUBSCRIPTION_ID), and that this identity has a role in it.",
    "SystemPoolSkuTooLow": "A system pool needs a size with at least 2 vCPUs and 4 GiB of memory.",
    "TasksOperationsNotAllowed": (
        "This subscription may not build in registries, as free ones may not: ask Azure's support, or build elsewhere "
        "and import the image with source."
    ),
    "Throttled": "Too many requests: run again later, or lower forks.",
    "TooManyRequests": "Too many requests: run again later, or lower forks.",
    "SubscriptionRequestsThrottled": "Too many requests: run again later, or lower forks.",
    "VMSizeNotSupported": "AKS does not offer this size: use another vm_size.",
    "VMSizeRestrictedByAKS": "AKS bars this size in node pools: use another vm_size.",
    "ZonalAllocationFailed": "The zone has no capacity for this size now: use another vm_size or other zones, or wait.",
}
_OF_A_SIZE = {
    "AllocationFailed",
    "AvailabilityZoneNotSupported",
    "ErrCode_InsufficientVCPUQuota",
    "OverconstrainedAllocationRequest",
    "OverconstrainedZonalAllocationRequest",
    "QuotaExceeded",
    "SkuNotAvailable",
    "SystemPoolSkuTooLow",
    "VMSizeNotSupported",
    "VMSizeRestrictedByAKS",
    "ZonalAllocationFailed",
}
_STATUS_HINTS = {
    401: HINTS["AuthenticationFailed"],
    403: HINTS["AuthorizationFailed"],
    429: HINTS["TooManyRequests"],
    503: "The service is not available: run again later.",
}
# 404 that say "you ask the wrong place". Every other one says "not there": each provider has codes of its own for it
# (RoleAssignmentNotFound, FederatedIdentityCredentialNotFound, ...).
_WRONG_PLACE = {
    "SubscriptionNotFound",
    "InvalidSubscriptionId",
    "InvalidResourceType",
    "InvalidResourceNamespace",
    "NoRegisteredProviderFound",
}
# the headers that Resource Manager puts on each answer: a 404 without them and without a code is some proxy's
_MARKS = ("x-ms-correlation-request-id", "x-ms-request-id", "x-ms-failure-cause")
_BUSY = {
    "AnotherOperationInProgress",
    "ResourceGroupBeingDeleted",
    "ConflictingConcurrentWriteNotAllowed",
    "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity",
}
_DENIED = re.compile(r"perform action(?:\(s\))? '([^']+)' (?:over scope|on the linked scope\(s\)) '([^']*)'")


@dataclass(frozen=True)
class ArmError:
    """The innermost useful code and message of an error body."""

    code: str
    message: str
    details: tuple[str, ...] = ()


def parse_error(body: Any) -> ArmError:
    """Flat (`{code, message}`, AKS) or wrapped (`{error: {...}}`, ARM)."""
    error = body.get("error", body) if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return ArmError("", str(error or ""))
    details = error.get("details") if isinstance(error.get("details"), list) else []
    reported = tuple(
        str(item.get("message")) for item in details or () if isinstance(item, Mapping) and item.get("message")
    )
    return ArmError(str(error.get("code") or ""), str(error.get("message") or ""), reported)


def code_of(response: Response) -> str:
    return parse_error(response.json_or_none()).code


def is_absent(response: Response) -> bool:
    """The resource is not there. A subscription or a type that is not there is another matter."""
    code = code_of(response) if response.status == 404 else ""
    from_arm = bool(code) or any(mark in response.headers for mark in _MARKS)
    return response.status == 404 and from_arm and code not in _WRONG_PLACE


def exists_already(response: Response) -> bool:
    """What was to be created is there: a role assignment of the same principal, role and scope under another name."""
    return response.status == 409 and code_of(response) == "RoleAssignmentExists"


def waits_for(response: Response) -> str:
    """What a refused write has to wait for, empty where waiting does not help."""
    if is_busy(response):
        return "an operation in progress"
    # an identity that was just made is known to all of the directory some time later
    if response.status == 400 and code_of(response) == "PrincipalNotFound":
        return "the directory to know the principal"
    return ""


def is_elsewhere(failure: ServiceError) -> bool:
    """A 404 of something else than what was asked for: nothing can be made there either."""
    return failure.code in _WRONG_PLACE


def is_unregistered(response: Response) -> bool:
    return response.status == 409 and code_of(response) == UNREGISTERED


def concerns_registration(failure: ServiceError) -> bool:
    return failure.code == UNREGISTERED


def concerns_size(failure: ServiceError) -> bool:
    """The size of a virtual machine cannot be had, here and now: another one may. Facts: recorded refusals of AKS and
    Compute, at once or at the end of an operation."""
    if failure.code in _OF_A_SIZE:
        return True
    text = failure.reason.lower()
    return (failure.code == "OperationNotAllowed" and "quota" in text) or "available vm sizes are" in text


def is_lost_race(response: Response) -> bool:
    """Somebody changed the resource between our read and our write; AKS says so with 409 as well as with 412."""
    return response.status == 412 or (response.status == 409 and code_of(response) == "EtagMismatch")


def is_busy(response: Response) -> bool:
    """An operation is in progress. OperationNotAllowed is also said of quota and of stopped clusters, which no
    waiting cures; every generation of AKS's sentence about operations speaks of progress."""
    if response.status != 409:
        return False
    error = parse_error(response.json_or_none())
    if error.code == "OperationNotAllowed":
        return "progress" in error.message.lower()
    return error.code in _BUSY


def to_failure(action: str, response: Response) -> ServiceError:
    body = response.json_or_none()
    error = parse_error(body)
    unsaid = f"the service answered {response.status} without saying why"
    reason = error.message or next(iter(error.details), unsaid)
    return ServiceError(
        action,
        reason,
        code=error.code,
        status=response.status,
        hint=hint_for(error, response.status),
        correlation_id=response.headers.get("x-ms-correlation-request-id", "")
        or response.headers.get("x-ms-request-id", ""),
        body=body,
    )


def operation_failure(action: str, status: str, body: Any) -> ServiceError:
    """An operation that ended otherwise than well: its own error, not the poll's."""
    error = parse_error(body.get("error") if isinstance(body, Mapping) else None)
    details = [detail for detail in error.details if detail not in error.message]
    reason = " ".join([error.message or f"the operation ended as {status}", *details])
    return ServiceError(action, reason, code=error.code or status, hint=hint_for(error, None), body=body)


def denied(message: str) -> tuple[str, tuple[str, ...]] | None:
    """The scope at which an identity may not do these actions, of a message that says so."""
    found = _DENIED.search(message)
    if found is None:
        return None
    actions = tuple(dict.fromkeys(part.strip() for part in found[1].split(",")))
    return found[2].partition(",")[0], actions


def hint_for(error: ArmError, status: int | None) -> str:
    if error.code in HINTS:
        return HINTS[error.code]
    if error.code == "OperationNotAllowed" and "quota" in error.message.lower():
        return HINTS["QuotaExceeded"]
    offered = re.search(r"available VM sizes are '([^']+)'", error.message)
    if offered:
        sizes = offered.group(1).split(",")
        return f"This subscription may use, among {len(sizes)} sizes: {', '.join(sizes[:5])}."
    return _STATUS_HINTS.get(status or 0, "")
