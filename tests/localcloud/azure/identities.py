# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.ManagedIdentity: user-assigned identities and their federated credentials.

Bodies and statuses as azure-mgmt-msi 7.1 (2024-11-30) has them: PUT 200 or 201, DELETE 200 or 204, nothing waits; ids
with `resourcegroups` in lower case and a federated credential without location (recorded traffic of azure-cli). Limits
(20 credentials of an identity, one of each issuer and subject, names of 3 to 120 characters, one audience):
https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations. Texts of the refusals as
quoted in Azure/bicep-types-az#2029 (issuer and subject) and Azure/bicep-registry-modules#1447 (concurrent writes, fault
`federation-busy`); their statuses are recalled, as is the code of the limit.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING, Any

from . import groups, placed
from .principals import IDENTITY
from .store import Resource
from .wire import ArmError, Body, Call, Reply, page

if TYPE_CHECKING:
    from .cloud import Cloud

CREDENTIAL = f"{IDENTITY}/federatedIdentityCredentials"
MOST_CREDENTIALS = 20
_NAME = re.compile(r"[A-Za-z0-9][-\w]{2,127}")
_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9][-\w]{2,119}")


def get(call: Call) -> Reply:
    return Reply(200, placed.find(call, IDENTITY).body)


def list_identities(call: Call) -> Reply:
    return placed.listed(call, IDENTITY)


def put(call: Call) -> Reply:
    group = groups.require_usable(call.cloud, call["sub"], call["group"])
    body, name = call.object_body(), call["name"]
    if not _NAME.fullmatch(name):
        raise _invalid(f"The resource name '{name}' is invalid: 3 to 128 letters, digits, '-' and '_'.")
    location = placed.location(body)
    existing = placed.existing(call, IDENTITY)
    placed.require_here(existing, location, name)
    ids = existing.body["properties"] if existing else _new_ids(call.cloud)
    scope = (body.get("properties") or {}).get("isolationScope") or ids.get("isolationScope") or "None"
    answer: Body = {
        "location": location,
        "tags": body.get("tags") or {},
        "id": existing.id if existing else placed.place(call, IDENTITY, "resourcegroups"),
        "name": existing.name if existing else name,
        "type": IDENTITY,
        "properties": {**ids, "isolationScope": scope},
    }
    private = existing.private if existing else {"since": time.time()}
    call.cloud.store.put(Resource(answer["id"], IDENTITY, call["sub"], group.name, answer["name"], answer, private))
    return Reply(200 if existing else 201, answer)


def _new_ids(cloud: Cloud) -> Body:
    return {"tenantId": cloud.config.tenant_id, "principalId": str(uuid.uuid4()), "clientId": str(uuid.uuid4())}


def patch(call: Call) -> Reply:
    found = placed.find(call, IDENTITY)
    body = dict(found.body)
    if call.object_body().get("tags") is not None:
        body["tags"] = call.object_body()["tags"]
    call.cloud.store.update(found, body=body)
    return Reply(200, body)


def delete(call: Call) -> Reply:
    found = placed.existing(call, IDENTITY)
    if found is None:
        return Reply(204)
    with call.cloud.store.transaction():
        for credential in _credentials(call, found):
            call.cloud.store.delete(credential.id)
        call.cloud.store.delete(found.id)
    return Reply(200)


# --- federated credentials


def _credentials(call: Call, identity: Resource) -> list[Resource]:
    prefix = f"{identity.key}/federatedidentitycredentials/"
    return [item for item in call.cloud.store.find(kind=CREDENTIAL) if item.key.startswith(prefix)]


def _credential_id(identity: Resource, name: str) -> str:
    return f"{identity.id}/federatedIdentityCredentials/{name}"


def list_credentials(call: Call) -> Reply:
    found = _credentials(call, placed.find(call, IDENTITY))
    return page(call, [item.body for item in found], call.cloud.config.page_size)


def get_credential(call: Call) -> Reply:
    found = call.cloud.store.get(_credential_id(placed.find(call, IDENTITY), call["credential"]))
    if found is None:
        raise ArmError(
            404,
            "NotFound",
            f"The Federated Identity Credential with name '{call['credential']}' was not found under the managed "
            f"identity '{call['name']}'.",
        )
    return Reply(200, found.body)


def put_credential(call: Call) -> Reply:
    identity, name = placed.find(call, IDENTITY), call["credential"]
    given = call.object_body().get("properties") or {}
    _require_credential(name, given)
    _require_alone(call, identity)
    with call.cloud.store.transaction():
        others = [item for item in _credentials(call, identity) if item.name.lower() != name.lower()]
        pair = (given["issuer"], given["subject"])
        if any((item.body["properties"]["issuer"], item.body["properties"]["subject"]) == pair for item in others):
            raise ArmError(409, "Conflict", "Issuer and subject combination already exists for this Managed Identity.")
        if len(others) >= MOST_CREDENTIALS:
            raise ArmError(
                409,
                "Conflict",
                f"Too many Federated Identity Credentials for the managed identity: at most {MOST_CREDENTIALS}.",
            )
        place = _credential_id(identity, name)
        existing = call.cloud.store.get(place)
        body: Body = {
            "id": place,
            "name": name,
            "type": CREDENTIAL,
            "properties": {part: given[part] for part in ("issuer", "subject", "audiences")},
        }
        # what was changed is replicated again
        private = {"since": time.time()}
        call.cloud.store.put(Resource(place, CREDENTIAL, call["sub"], identity.group, name, body, private))
    return Reply(200 if existing else 201, body)


def delete_credential(call: Call) -> Reply:
    identity = placed.find(call, IDENTITY)
    place = _credential_id(identity, call["credential"])
    if call.cloud.store.get(place) is None:
        return Reply(204)
    _require_alone(call, identity)
    call.cloud.store.delete(place)
    return Reply(200)


def _require_credential(name: str, given: Body) -> None:
    if not _CREDENTIAL_NAME.fullmatch(name):
        raise _invalid(f"The Federated Identity Credential name '{name}' is invalid.")
    for part in ("issuer", "subject"):
        if not isinstance(given.get(part), str) or not given[part]:
            raise _invalid(f"The property '{part}' is required.")
    if not str(given["issuer"]).startswith("https://"):
        raise _invalid(f"The issuer '{given['issuer']}' is not a valid https URL.")
    audiences: Any = given.get("audiences")
    if not isinstance(audiences, list) or len(audiences) != 1 or not all(isinstance(one, str) for one in audiences):
        raise _invalid("The property 'audiences' must hold exactly one audience.")


def _require_alone(call: Call, identity: Resource) -> None:
    if call.cloud.faults.take("federation-busy", call.method, call.path):
        raise ArmError(
            409,
            "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity",
            "Too many Federated Identity Credentials are written concurrently for the managed identity "
            f"'{identity.key}'. Concurrent Federated Identity Credentials writes under the same managed identity are "
            "not supported.",
        )


def _invalid(text: str) -> ArmError:
    return ArmError(400, "BadRequest", text)
