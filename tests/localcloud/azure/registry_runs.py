# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.ContainerRegistry/registries/runs: build an image of a context that the client has uploaded.

The four requests that `az acr build` makes, and their fields, as azure-cli 2.91 has them for 2019-06-01-preview (the
package azure-mgmt-containerregistrytasks): listBuildSourceUploadUrl, scheduleRun with a DockerBuildRequest, the run
with its status and output images, listLogSasUrl. Uploads and logs are at the registry's login server here, not in a
storage account. What can be built: `registry/docker_build`. The code of a refused request is recalled.
"""

from __future__ import annotations

import secrets
import uuid
from typing import TYPE_CHECKING, Any

from localcloud.registries import BuildRequest, RegistryFailure

from .container_registries import find
from .operations import OperationFailed, Settle, Work, now
from .store import Operation, Resource
from .wire import ArmError, Body, Call, Reply, page

if TYPE_CHECKING:
    from .cloud import Cloud

TYPE = "Microsoft.ContainerRegistry/registries/runs"
BUILD = "build image"


def upload_url(call: Call) -> Reply:
    registry = find(call)
    path = f"source/{uuid.uuid4().hex}.tar.gz"
    return Reply(200, {"relativePath": path, "uploadUrl": call.cloud.registries.blob_url(registry.name, path)})


def schedule(call: Call) -> Reply:
    registry, given = find(call), call.object_body()
    if given.get("type") != "DockerBuildRequest":
        raise _invalid(f"The run request type '{given.get('type')}' is not supported.")
    for part in ("sourceLocation", "dockerFilePath", "platform"):
        if not given.get(part):
            raise _invalid(f"The property '{part}' is required.")
    if str((given["platform"] or {}).get("os")).lower() != "linux":
        raise _invalid("The platform of the run is not supported.")
    run_id = f"r{secrets.token_hex(3)}"
    body: Body = {
        "type": TYPE,
        "id": f"{registry.id}/runs/{run_id}",
        "name": run_id,
        "properties": {
            "runId": run_id,
            "status": "Queued",
            "lastUpdatedTime": now(),
            "runType": "QuickRun",
            "createTime": now(),
            "outputImages": [],
            "platform": given["platform"],
            "agentConfiguration": given.get("agentConfiguration") or {"cpu": 2},
            "provisioningState": "Succeeded",
            "isArchiveEnabled": False,
        },
    }
    call.cloud.registries.write_log(registry.name, _log(run_id), "")
    with call.cloud.store.transaction():
        item = Resource(body["id"], TYPE, call["sub"], registry.group, run_id, body, {"request": given})
        call.cloud.store.put(item)
        call.cloud.operations.begin(BUILD, body["id"], registry.body["location"])
    return Reply(200, body)


def get(call: Call) -> Reply:
    return Reply(200, _run(call).body)


def list_runs(call: Call) -> Reply:
    prefix = f"{find(call).key}/runs/"
    found = [item.body for item in call.cloud.store.find(kind=TYPE) if item.key.startswith(prefix)]
    return page(call, found, call.cloud.config.page_size)


def log_url(call: Call) -> Reply:
    run = _run(call)
    return Reply(200, {"logLink": call.cloud.registries.blob_url(find(call).name, _log(run.name))})


def _run(call: Call) -> Resource:
    registry = find(call)
    found = call.cloud.store.get(f"{registry.id}/runs/{call['run']}")
    if found is None:
        raise ArmError(404, "ResourceNotFound", f"The run '{call['run']}' was not found.")
    return found


def _log(run_id: str) -> str:
    return f"logs/{run_id}.txt"


def _invalid(text: str) -> ArmError:
    return ArmError(400, "InvalidRunRequest", text)


# --- the work


def works(cloud: Cloud) -> dict[str, Work]:
    def run(operation: Operation) -> Settle:
        _put(cloud, operation, status="Running", startTime=now())
        found = cloud.store.get(operation.resource_id)
        if found is None:
            raise OperationFailed("NotFound", "The run is not there any more.")
        try:
            images = _build(cloud, found)
        except RegistryFailure as exc:
            raise OperationFailed("Failed", str(exc)) from exc
        return lambda: _put(cloud, operation, status="Succeeded", finishTime=now(), outputImages=images)

    def failed(operation: Operation) -> None:
        _put(cloud, operation, status="Failed", finishTime=now())

    return {BUILD: Work(run, failed)}


def _put(cloud: Cloud, operation: Operation, **changes: Any) -> None:
    found = cloud.store.get(operation.resource_id)
    if found is not None:
        properties = {**found.body["properties"], **changes, "lastUpdatedTime": now()}
        cloud.store.update(found, body={**found.body, "properties": properties})


def _build(cloud: Cloud, run: Resource) -> list[Body]:
    registry = cloud.store.get(run.id.rpartition("/runs/")[0])
    if registry is None:
        raise RegistryFailure("The registry is not there any more.")
    asked = run.private["request"]
    names = [str(name).rpartition(":")[::2] for name in asked.get("imageNames") or []]
    request = BuildRequest(
        source=str(asked["sourceLocation"]),
        dockerfile=str(asked["dockerFilePath"]),
        arguments={str(one["name"]): str(one["value"]) for one in asked.get("arguments") or []},
        tags=tuple((repository, tag) for repository, tag in names) if asked.get("isPushEnabled", True) else (),
        log=_log(run.name),
    )
    digest = cloud.registries.build(registry.name, request)
    host = registry.body["properties"]["loginServer"]
    return [{"registry": host, "repository": repository, "tag": tag, "digest": digest} for repository, tag in names]
