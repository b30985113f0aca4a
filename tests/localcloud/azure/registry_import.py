# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.ContainerRegistry/registries/importImage: copy an image from another registry, without a client's help.

202, the body `null` and a Location below the registry's region as recorded (azure-cli, test_acr_import_no_wait); what
the fields mean, and that with NoForce an existing tag fails the operation before anything is copied, as the package
azure-mgmt-containerregistry says. InvalidParameters with the reason, after "Operation … failed. Resource …", as quoted
in Azure/acr#233, #422 and #632; "already exists in target registry" as scripts of others look for it; the status of a
failed operation is recalled.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.registries import ImageSource, RegistryFailure

from . import rbac
from .container_registries import TYPE, find, pace
from .operations import OperationFailed, Settle, Work
from .registry_access import ACTIONS
from .store import IN_PROGRESS, Operation, Resource
from .wire import GATEWAY, ArmError, Body, Call, Reply, link
from .world_names import named

if TYPE_CHECKING:
    from .cloud import Cloud

IMPORT = "import image"
LATEST = "latest"
MODES = ("NoForce", "Force")
_IMAGE = re.compile(
    r"(?P<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::(?P<tag>\w[\w.-]{0,127})|@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def start(call: Call) -> Reply:
    registry, given = find(call), call.object_body()
    parameters = _parameters(call, given)
    with call.cloud.store.transaction():
        operation = call.cloud.operations.begin(IMPORT, registry.id, registry.body["location"])
        _remember(call.cloud, operation, parameters)
    return Reply(202, None, _location(call, operation), raw=b"null")


def operation_result(call: Call) -> Reply:
    """Where the Location leads: 202 until it is over, 200 when it went well."""
    operation = call.cloud.store.operation(call["operation"].removeprefix("registries-"))
    if operation is None:
        raise ArmError(404, "OperationNotFound", f"The operation '{call['operation']}' could not be found.")
    if operation.status == IN_PROGRESS:
        return Reply(202, None, _location(call, operation), raw=b"null")
    if operation.error:
        raise ArmError(400, operation.error["code"], operation.error["message"])
    return Reply(200)


def _location(call: Call, operation: Operation) -> dict[str, str]:
    path = (
        f"/subscriptions/{call['sub']}/providers/Microsoft.ContainerRegistry/locations/{operation.location.upper()}/"
        f"operationResults/registries-{operation.id}"
    )
    return {"location": link(call, path, {"api-version": call.query["api-version"]}), **pace(call)}


# --- the request


def _parameters(call: Call, given: Body) -> Body:
    source: Any = given.get("source")
    if not isinstance(source, dict) or not source.get("sourceImage"):
        raise _invalid("The source and its sourceImage are required.")
    if bool(source.get("resourceId")) == bool(source.get("registryUri")):
        raise _invalid("Either the resourceId or the registryUri of the source is required.")
    image = _image(str(source["sourceImage"]))
    mode = next((one for one in MODES if one.lower() == str(given.get("mode") or MODES[0]).lower()), "")
    if not mode:
        raise _invalid(f"The mode '{given['mode']}' is invalid.")
    tags = [_target(str(text), image) for text in given.get("targetTags") or []]
    untagged = [_image(str(text))["repository"] for text in given.get("untaggedTargetRepositories") or []]
    if not tags and not untagged:
        raise _invalid("At least one of targetTags and untaggedTargetRepositories is required.")
    credentials = source.get("credentials") or {}
    return {
        "repository": image["repository"],
        "reference": image["digest"] or image["tag"] or LATEST,
        "registry": _linked(call, str(source["resourceId"])) if source.get("resourceId") else "",
        "address": str(source.get("registryUri") or "").removeprefix("https://").rstrip("/"),
        "user": credentials.get("username") or "",
        "password": credentials.get("password") or "",
        "tags": tags,
        "untagged": untagged,
        "force": mode == "Force",
    }


def _image(text: str) -> Body:
    found = _IMAGE.fullmatch(text)
    if found is None:
        raise _invalid(f"'{text}' is not a valid image reference.")
    return found.groupdict()


def _target(text: str, source: Body) -> list[str]:
    """Repository and tag; a target without one takes the source's."""
    image = _image(text)
    return [image["repository"], image["tag"] or source["tag"] or LATEST]


def _linked(call: Call, resource_id: str) -> str:
    """The name of the source registry, which the caller may pull from."""
    found = call.cloud.store.get(resource_id)
    if found is None:
        raise _invalid(f"The source registry '{resource_id}' was not found.")
    action = ACTIONS["pull"]
    if call.cloud.entra.knows(call.caller) or rbac.allowed(call.cloud.store, call.caller, action, found.id):
        return found.name
    raise ArmError(
        403,
        "LinkedAuthorizationFailed",
        f"The client '{call.caller}' with object id '{call.caller}' has permission to perform action "
        f"'Microsoft.ContainerRegistry/registries/importImage/action' on scope '{call.path}'; however, it does not "
        f"have permission to perform action(s) '{action}' on the linked scope(s) '{found.id}' (respectively) or the "
        "linked scope(s) are invalid.",
        GATEWAY,
    )


def _invalid(text: str) -> ArmError:
    return ArmError(400, "InvalidParameters", text)


# --- the work


def _remember(cloud: Cloud, operation: Operation, parameters: Body) -> None:
    registry = cloud.store.get(operation.resource_id)
    if registry is not None:
        imports = {**registry.private.get("imports", {}), operation.id: parameters}
        cloud.store.update(registry, private={**registry.private, "imports": imports})


def _take(cloud: Cloud, operation: Operation) -> None:
    """Forget the parameters, which may hold somebody's password."""
    with cloud.store.transaction():
        registry = cloud.store.get(operation.resource_id)
        if registry is not None:
            imports = {key: value for key, value in registry.private.get("imports", {}).items() if key != operation.id}
            cloud.store.update(registry, private={**registry.private, "imports": imports})


def works(cloud: Cloud) -> dict[str, Work]:
    def run(operation: Operation) -> Settle:
        registry = cloud.store.get(operation.resource_id)
        asked = registry.private.get("imports", {}).get(operation.id) if registry is not None else None
        if registry is None or asked is None:
            raise OperationFailed("NotFound", "The registry is not there any more.")
        try:
            _copy(cloud, registry, asked)
        except RegistryFailure as exc:
            failed = f"Operation registries-{operation.id} failed. Resource {registry.id}"
            raise OperationFailed("InvalidParameters", f"{failed} {exc}") from exc
        return lambda: _take(cloud, operation)

    return {IMPORT: Work(run, lambda operation: _take(cloud, operation))}


def _copy(cloud: Cloud, registry: Resource, asked: Body) -> None:
    if not asked["force"]:
        for repository, tag in asked["tags"]:
            if cloud.registries.has_tag(registry.name, repository, tag):
                raise OperationFailed("Conflict", f"Tag {repository}:{tag} already exists in target registry.")
    source = ImageSource(
        **{key: asked[key] for key in ("repository", "reference", "registry", "address", "user", "password")}
    )
    # a registry of this cloud by its address, as everybody may write it
    own = next((one.name for one in _registries(cloud) if one.body["properties"]["loginServer"] == source.address), "")
    if own and not source.user and not _takes_anybody(cloud, own):
        raise RegistryFailure("Invalid message Unauthorized: authentication required")
    tags = [(repository, tag) for repository, tag in asked["tags"]]
    cloud.registries.copy(source, registry.name, tags, asked["untagged"])


def _registries(cloud: Cloud) -> list[Resource]:
    return cloud.store.find(kind="Microsoft.ContainerRegistry/registries")


def _takes_anybody(cloud: Cloud, name: str) -> bool:
    found = named(cloud, TYPE, name)
    return found is not None and bool(found.body["properties"]["anonymousPullEnabled"])
