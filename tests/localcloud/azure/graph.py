# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft Graph, as much as azure-cli asks of it around role assignments: who goes by an application id or object id.

https://learn.microsoft.com/graph/api/serviceprincipal-list, serviceprincipal-get and directoryobject-getbyids say what
is asked and answered; the properties are those of https://learn.microsoft.com/graph/api/resources/serviceprincipal
that azure-cli 2.91 reads. The owner of the subscription may read the directory; an application without the permission
Application.Read.All is refused with Authorization_RequestDenied. The metadata document names the endpoint of the local
Azure itself as Graph, so that tokens for Resource Manager are good here.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

from .principals import IDENTITY, Principals
from .wire import ArmError, Body, Call, Reply

CONTEXT = "$metadata#servicePrincipals"
TYPE = "#microsoft.graph.servicePrincipal"
_BY_NAME = re.compile(r"servicePrincipalNames/any\(c:\s*c eq '([^']*)'\)|appId eq '([^']*)'")
_NAMESPACE = uuid.UUID("3f0f5d0a-9a5e-4a0b-8b5e-0d6a7c1c2b44")


def list_service_principals(call: Call) -> Reply:
    _require_reader(call)
    asked = call.query.get("$filter", "")
    found = list(_directory(call))
    if asked:
        named = _BY_NAME.fullmatch(asked.strip())
        if named is None:
            raise ArmError(400, "Request_UnsupportedQuery", f"Unsupported or invalid query filter clause: {asked}")
        wanted = (named[1] or named[2]).lower()
        found = [one for one in found if wanted in (name.lower() for name in one["servicePrincipalNames"])]
    return Reply(200, {"@odata.context": f"{call.endpoint}/v1.0/{CONTEXT}", "value": found})


def get_service_principal(call: Call) -> Reply:
    _require_reader(call)
    for one in _directory(call):
        if one["id"].lower() == call["id"].lower():
            return Reply(200, {"@odata.context": f"{call.endpoint}/v1.0/{CONTEXT}/$entity", **one})
    raise ArmError(
        404,
        "Request_ResourceNotFound",
        f"Resource '{call['id']}' does not exist or one of its queried reference-property objects are not present.",
    )


def get_by_ids(call: Call) -> Reply:
    """Those of the wanted objects that there are; the others are left out."""
    _require_reader(call)
    wanted = {str(one).lower() for one in call.object_body().get("ids") or []}
    found = [{"@odata.type": TYPE, **one} for one in _directory(call) if one["id"].lower() in wanted]
    return Reply(200, {"@odata.context": f"{call.endpoint}/v1.0/$metadata#directoryObjects", "value": found})


def _require_reader(call: Call) -> None:
    caller = call.cloud.entra.authenticate(call.headers.get("authorization", ""))
    if not call.cloud.entra.knows(caller):
        raise ArmError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def _directory(call: Call) -> Iterator[Body]:
    cloud = call.cloud
    yield _service_principal(cloud.entra.object_id, cloud.config.client_id, "local cloud")
    identities = {item.name for item in cloud.store.find(kind=IDENTITY)}
    for one in Principals(cloud.store).all():
        yield _service_principal(one.object_id, one.client_id, one.name, is_identity=one.name in identities)
    for cluster in cloud.store.find(kind="Microsoft.ContainerService/managedClusters"):
        kubelet = (cluster.body["properties"].get("identityProfile") or {}).get("kubeletidentity") or {}
        if kubelet:
            name = str(kubelet["resourceId"]).rpartition("/")[2]
            yield _service_principal(kubelet["objectId"], kubelet["clientId"], name, is_identity=True)
        own = (cluster.body.get("identity") or {}).get("principalId")
        if own:
            # the application of a system-assigned identity has the name of what it belongs to
            yield _service_principal(own, str(uuid.uuid5(_NAMESPACE, own)), cluster.name, is_identity=True)


def _service_principal(object_id: str, client_id: str, name: str, *, is_identity: bool = False) -> Body:
    return {
        "id": object_id,
        "appId": client_id,
        "appDisplayName": None if is_identity else name,
        "displayName": name,
        "accountEnabled": True,
        "servicePrincipalNames": [client_id],
        "servicePrincipalType": "ManagedIdentity" if is_identity else "Application",
    }
