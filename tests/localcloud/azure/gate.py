# SPDX-License-Identifier: GPL-3.0-or-later
"""What Resource Manager checks before a provider sees a request, in its order, and the faults that are on for it."""

from __future__ import annotations

import fnmatch
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import managed_clusters, providers, rbac, subscriptions
from .cloud import Cloud
from .faults import Fault
from .routes import ARM_ROUTES, RESOURCES, Route, allowed_methods, match
from .wire import GATEWAY, AksError, ArmError

ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
# the URL of an operation is signed (recorded): who was given it may follow it
POLLED = re.compile(r"/operation(s|results|statuses)/[^/]+$", re.IGNORECASE)
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview|-privatepreview)?")


def check_version(query: Mapping[str, str], namespace: str, path: str) -> None:
    """Any version between a provider's oldest and newest: clients mix many of them within one run."""
    version = query.get("api-version", "")
    if not version:
        raise ArmError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    offered = sorted(providers.NAMESPACES[namespace][1])
    if VERSION.fullmatch(version) and offered[0] <= version.removesuffix("-preview") <= providers.NEWEST:
        return
    named = "','".join(reversed(offered))
    if namespace == RESOURCES:
        raise ArmError(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{version}' is invalid. The supported versions are '{named}'.",
        )
    kind = path.rpartition("/providers/")[2].split("/")
    raise ArmError(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '' and API version '{version}' for type "
        f"'{kind[1] if len(kind) > 1 else kind[0]}'. The supported api-versions are '{named}'.",
    )


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]]:
    found = match(ARM_ROUTES, method, path)
    if found is not None:
        return found
    if methods := allowed_methods(path):
        raise ArmError(
            405,
            "HttpMethodNotSupported",
            f"The http method {method} is not supported for this resource. It supports {', '.join(methods)}.",
            {"Allow": ", ".join(methods)},
        )
    namespace = path.rpartition("/providers/")[2].split("/")
    if "/providers/" in path and namespace[0].lower() not in providers.CANONICAL:
        raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace[0]}' is invalid.", GATEWAY)
    raise ArmError(
        404,
        "InvalidResourceType",
        f"The path '{path}' names no resource type that the local cloud has. Its README lists what it answers.",
        GATEWAY,
    )


@dataclass(frozen=True)
class Asked:
    """Who asks, and for what."""

    caller: str  # object id
    body: Any = None


def admit(cloud: Cloud, route: Route, params: Mapping[str, str], asked: Asked) -> None:
    """Subscription, permission, registration."""
    if "sub" in params:
        subscriptions.require_known(cloud, params["sub"])
    action = route.action.format(**params) if "{" in route.action else route.action
    path = route.path.format(**params)
    for fault in cloud.faults.active("forbidden"):
        wanted = fault.options["action"].lower()
        if fault.matches(route.method, path) and fnmatch.fnmatchcase(action.lower(), wanted):
            cloud.faults.use(fault)
            raise _forbidden(asked.caller, action, path)
    _require_permission(cloud, action, path, params, asked)
    if "sub" in params and route.namespace != RESOURCES:
        providers.require_registered(cloud, params["sub"], route.namespace)


def _require_permission(cloud: Cloud, action: str, path: str, params: Mapping[str, str], asked: Asked) -> None:
    """What RBAC says. Who made the local cloud owns its subscription, whatever assignments there are."""
    if cloud.entra.knows(asked.caller) or POLLED.search(path):
        return
    if action.lower() in rbac.FILTERED:
        if "sub" in params and not rbac.sees_subscription(cloud.store, asked.caller, params["sub"]):
            raise _forbidden(asked.caller, action, path)
        return
    if not rbac.allowed(cloud.store, asked.caller, action, path):
        raise _forbidden(asked.caller, action, path)
    # an identity that a resource is to have is a scope of its own
    for identity in _assigned_identities(asked.body):
        if not rbac.allowed(cloud.store, asked.caller, ASSIGN, identity):
            raise _not_linked(asked.caller, action, path, identity)


def _assigned_identities(body: Any) -> list[str]:
    identity = body.get("identity") if isinstance(body, dict) else None
    named = identity.get("userAssignedIdentities") if isinstance(identity, dict) else None
    return sorted(named) if isinstance(named, dict) else []


def _forbidden(client: str, action: str, scope: str) -> ArmError:
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{client}' with object id '{client}' does not have authorization to perform action '{action}' "
        f"over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your "
        "credentials.",
        GATEWAY,
    )


def _not_linked(client: str, action: str, scope: str, linked: str) -> ArmError:
    return ArmError(
        403,
        "LinkedAuthorizationFailed",
        f"The client '{client}' with object id '{client}' has permission to perform action '{action}' on scope "
        f"'{scope}'; however, it does not have permission to perform action(s) '{ASSIGN}' on the linked scope(s) "
        f"'{linked}' (respectively) or the linked scope(s) are invalid.",
        GATEWAY,
    )


# --- faults that answer in the provider's place: kind → the answer


def _throttled(cloud: Cloud, fault: Fault, method: str, path: str) -> ArmError:
    seconds = fault.options["seconds"]
    headers = {"Retry-After": str(seconds)}
    if re.search(r"/Microsoft\.ContainerService/managedClusters(/|$)", path, re.IGNORECASE):
        text = (
            f"The {method.capitalize()}ManagedClusterHandler.{method} request limit has been exceeded for "
            f"SubID='{cloud.config.subscription_id}', please retry again in {seconds} seconds. For more information, "
            "please visit aka.ms/aks/throttling"
        )
        return AksError(429, "Throttled", text, subcode="Throttled", headers=headers)
    kind = "reads" if method in ("GET", "HEAD") else "deletes" if method == "DELETE" else "writes"
    headers[f"x-ms-ratelimit-remaining-subscription-{kind}"] = "0"
    return ArmError(
        429,
        "SubscriptionRequestsThrottled",
        f"Number of requests for subscription '{cloud.config.subscription_id}' and operation '{method}' exceeded the "
        f"backend storage limit. Please try again after '{seconds}' seconds.",
        headers,
    )


def _unavailable(cloud: Cloud, fault: Fault, method: str, path: str) -> ArmError:
    seconds = fault.options["seconds"]
    headers = {"Retry-After": str(seconds)} if seconds else {}
    return ArmError(503, "ServiceUnavailable", "The service is temporarily unavailable. Try again later.", headers)


def _missing(cloud: Cloud, fault: Fault, method: str, path: str) -> ArmError:
    return ArmError(404, "ResourceNotFound", f"The Resource '{path}' was not found.", GATEWAY)


def _expired(cloud: Cloud, fault: Fault, method: str, path: str) -> ArmError:
    return cloud.entra.expired()


def _busy(cloud: Cloud, fault: Fault, method: str, path: str) -> ArmError:
    started = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    return managed_clusters.busy("update managed cluster", "00000000-0000-0000-0000-000000000000", started)


def _etag_race(cloud: Cloud, fault: Fault, method: str, path: str) -> ArmError:
    if fault.options["status"] == 412:
        return AksError(412, "PreconditionFailed", "The etag in the request does not match the resource's etag.")
    return AksError(
        409,
        "EtagMismatch",
        "Operation is not allowed: Another operation is in progress",
        subcode="PutManagedClusterAndComponents_FailedPrecondition",
        details=[
            {"code": "Unspecified", "message": "rpc error: code = FailedPrecondition desc = Etag mismatched"},
        ],
    )


ANSWERS: tuple[tuple[str, Callable[[Cloud, Fault, str, str], ArmError]], ...] = (
    ("throttle", _throttled),
    ("unavailable", _unavailable),
    ("token-expired", _expired),
    ("missing", _missing),
    ("busy", _busy),
    ("etag-race", _etag_race),
)


def answer_instead(cloud: Cloud, method: str, path: str) -> None:
    """Raise the answer of the first fault that is on for this request."""
    for kind, answer in ANSWERS:
        if fault := cloud.faults.take(kind, method, path):
            raise answer(cloud, fault, method, path)
