# SPDX-License-Identifier: GPL-3.0-or-later
"""The secrets of a vault, at the vault's own host: set, get, list, versions, update, delete, recover and purge.

Paths, bodies and statuses: azure-keyvault-secrets 4.12 (7.6) and https://learn.microsoft.com/rest/api/keyvault/secrets.
The challenge, AKV10000, SecretNotFound and the response to a bad name as in the recorded traffic of azure-sdk-for-js;
ForbiddenByRbac as quoted in piyushsachdeva/Terraform_AKS#2, SecretDisabled in Azure/azure-sdk-for-js#24756,
AccessDenied and ObjectIsDeletedButRecoverable in terraform-provider-azurerm's issues. Which data action is needed:
https://learn.microsoft.com/azure/role-based-access-control/permissions/security (Microsoft.KeyVault). The owner of a
subscription has none of them. The texts of AKV10022 and of a token that is not valid are recalled. There are no
backups.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING, Any

import jwt

from . import rbac
from .entra import VAULTS, bearer
from .key_vaults import DAY, SECRET, secrets_of
from .store import Resource
from .wire import ArmError, Body, Call, Reply

if TYPE_CHECKING:
    from .routes import Route

NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
LARGEST = 25 * 1024
PAGE = 25
# what an access policy calls a data action
POLICY = {"getSecret": "get", "setSecret": "set", "readMetadata": "list", "update": "set"}


class VaultError(ArmError):
    """A refusal of Key Vault, which has an inner code."""

    def __init__(
        self, status: int, code: str, message: str, inner: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(status, code, message, headers)
        self.inner = inner

    def as_body(self) -> Body:
        error: Body = {"code": self.code, "message": self.message}
        return {"error": {**error, "innererror": {"code": self.inner}} if self.inner else error}


# --- who may


def admit(call: Call, route: Route) -> None:
    """A token for vaults, then the data action that the operation needs."""
    claims, vault = claims_of(call), _vault(call)
    if "api-version" not in call.query:
        raise VaultError(400, "BadParameter", "api-version must be specified")
    name = call.params.get("secret", "")
    if name and not NAME.fullmatch(name):
        raise VaultError(400, "BadParameter", f"The request URI contains an invalid name: {name}")
    caller = f"appid={claims['appid']};oid={claims['oid']};iss={claims['iss']}"
    where = f"{vault.name};location={vault.body['location']}"
    if not vault.body["properties"]["enableRbacAuthorization"]:
        _require_policy(vault, str(claims["oid"]), caller, where, route.action)
        return
    scope = f"{vault.id}/secrets/{name}" if name else vault.id
    if not rbac.allowed(call.cloud.store, str(claims["oid"]), route.action, scope, data=True):
        raise VaultError(
            403,
            "Forbidden",
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
            "definitions were changed recently, please observe propagation time.\r\n"
            f"Caller: {caller}\r\nAction: '{route.action}'\r\nResource: '{scope.lower()}'\r\n"
            "Assignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\n"
            f"Vault: {where}\r\n",
            "ForbiddenByRbac",
        )


def _require_policy(vault: Resource, oid: str, caller: str, where: str, action: str) -> None:
    verb = action.removesuffix("/action").rpartition("/")[2]
    needed = POLICY.get(verb, verb)
    for policy in vault.body["properties"]["accessPolicies"]:
        granted = [str(one).lower() for one in (policy.get("permissions") or {}).get("secrets") or []]
        if str(policy.get("objectId")).lower() == oid.lower() and {"all", needed} & set(granted):
            return
    raise VaultError(
        403,
        "Forbidden",
        f"The user, group or application '{caller}' does not have secrets {needed} permission on key vault '{where}'. "
        "For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
        "AccessDenied",
    )


def claims_of(call: Call) -> Body:
    token = bearer(call.headers.get("authorization", ""))
    if not token:
        raise _unauthorized(call, "AKV10000: Request is missing a Bearer or PoP token.")
    try:
        claims = call.cloud.entra.verify(token)
    except jwt.ExpiredSignatureError as exc:
        raise _unauthorized(call, "Error validating token: IDX10223: Lifetime validation failed.") from exc
    except jwt.InvalidTokenError as exc:
        raise _unauthorized(call, "AKV10046: Unable to resolve the key used for signature validation.") from exc
    if str(claims.get("aud", "")).rstrip("/") != VAULTS:
        raise _unauthorized(call, f"AKV10022: Invalid audience. Expected {VAULTS}, found: {claims.get('aud')}.")
    return claims


def _unauthorized(call: Call, message: str) -> VaultError:
    """With the challenge: where a token is given, and for what. Clients send an empty request to learn it."""
    config, host = call.cloud.config, call.headers.get("host", "").rpartition(":")[0] or call.cloud.config.address
    address = host if host in (config.address, config.cluster_address) else config.address
    challenge = f'Bearer authorization="https://{address}:{config.port}/{config.tenant_id}", resource="{VAULTS}"'
    return VaultError(401, "Unauthorized", message, headers={"WWW-Authenticate": challenge})


# --- what is kept


def _vault(call: Call) -> Resource:
    assert call.held is not None
    return call.held


def _place(call: Call) -> str:
    return f"{_vault(call).id}/secrets/{call['secret']}"


def _find(call: Call, deleted: bool = False) -> Resource:
    found = call.cloud.store.get(_place(call))
    if found is None or bool(found.private.get("deleted")) != deleted:
        raise _missing(call["secret"])
    return found


def _missing(name: str) -> VaultError:
    return VaultError(
        404,
        "SecretNotFound",
        f"A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may "
        "be able to recover it using the correct recovery command. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125182",
    )


def _version(call: Call, secret: Resource) -> Body:
    versions: list[Body] = secret.private["versions"]
    wanted = call.params.get("version", "")
    found = [one for one in versions if one["version"] == wanted.lower()] if wanted else versions[-1:]
    if not found:
        raise _missing(f"{call['secret']}/{wanted}")
    return found[0]


def _bundle(call: Call, name: str, version: Body, value: bool = False, versioned: bool = True) -> Body:
    uri = _vault(call).body["properties"]["vaultUri"]
    protected = _vault(call).body["properties"].get("enablePurgeProtection")
    level = "Recoverable" if protected else "Recoverable+Purgeable"
    days = _vault(call).body["properties"]["softDeleteRetentionInDays"]
    body: Body = {
        "id": f"{uri}secrets/{name}" + (f"/{version['version']}" if versioned else ""),
        "attributes": {**version["attributes"], "recoveryLevel": level, "recoverableDays": days},
        "tags": version["tags"],
    }
    if version.get("contentType"):
        body["contentType"] = version["contentType"]
    return {"value": version["value"], **body} if value else body


def _list(call: Call, bodies: list[Body]) -> Reply:
    start, size = call.query.get("$skiptoken", "0"), call.query.get("maxresults", str(PAGE))
    if not size.isdigit() or not 1 <= int(size) <= PAGE:
        raise VaultError(400, "BadParameter", "maxresults parameter should be between 1 and 25")
    first = int(start) if start.isdigit() else 0
    after = first + int(size)
    uri = str(_vault(call).body["properties"]["vaultUri"]).rstrip("/")
    more = f"{uri}{call.path}?api-version={call.query['api-version']}&$skiptoken={after}&maxresults={size}"
    return Reply(200, {"value": bodies[first:after], "nextLink": more if after < len(bodies) else None})


# --- the routes


def set_secret(call: Call) -> Reply:
    given, name = call.object_body(), call["secret"]
    value = given.get("value")
    if not isinstance(value, str) or len(value.encode()) > LARGEST:
        raise VaultError(400, "BadParameter", f"The parameter value is a string of at most {LARGEST} bytes.")
    now = int(time.time())
    with call.cloud.store.transaction():
        standing = call.cloud.store.get(_place(call))
        if standing is not None and standing.private.get("deleted"):
            raise VaultError(
                409,
                "Conflict",
                f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in "
                "this state, the secret can only be recovered or purged.",
                "ObjectIsDeletedButRecoverable",
            )
        version: Body = {
            "version": uuid.uuid4().hex,
            "value": value,
            "contentType": given.get("contentType"),
            "tags": given.get("tags") or {},
            "attributes": {"enabled": True, **(given.get("attributes") or {}), "created": now, "updated": now},
        }
        versions = [*(standing.private["versions"] if standing else []), version]
        vault = _vault(call)
        own = standing.name if standing else name
        call.cloud.store.put(
            Resource(_place(call), SECRET, vault.subscription, vault.group, own, {}, {"versions": versions})
        )
    return Reply(200, _bundle(call, own, version, value=True))


def get_secret(call: Call) -> Reply:
    found = _find(call)
    version = _version(call, found)
    if version["attributes"]["enabled"] is False:
        raise VaultError(403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled")
    return Reply(200, _bundle(call, found.name, version, value=True))


def update_secret(call: Call) -> Reply:
    found, given = _find(call), call.object_body()
    version = _version(call, found)
    changed = {**version, **{part: given[part] for part in ("tags", "contentType") if given.get(part) is not None}}
    changed["attributes"] = {**version["attributes"], **(given.get("attributes") or {}), "updated": int(time.time())}
    versions = [changed if one is version else one for one in found.private["versions"]]
    call.cloud.store.update(found, private={**found.private, "versions": versions})
    return Reply(200, _bundle(call, found.name, changed))


def list_secrets(call: Call) -> Reply:
    standing = [item for item in secrets_of(call.cloud, _vault(call)) if not item.private.get("deleted")]
    return _list(call, [_bundle(call, item.name, item.private["versions"][-1], versioned=False) for item in standing])


def list_versions(call: Call) -> Reply:
    found = _find(call)
    return _list(call, [_bundle(call, found.name, version) for version in found.private["versions"]])


def _deleted_bundle(call: Call, secret: Resource, versioned: bool = True) -> Body:
    since = secret.private["deleted"]
    days = _vault(call).body["properties"]["softDeleteRetentionInDays"]
    uri = _vault(call).body["properties"]["vaultUri"]
    return {
        **_bundle(call, secret.name, secret.private["versions"][-1], versioned=versioned),
        "recoveryId": f"{uri}deletedsecrets/{secret.name}",
        "deletedDate": since,
        "scheduledPurgeDate": since + days * DAY,
    }


def delete_secret(call: Call) -> Reply:
    found = _find(call)
    gone = call.cloud.store.update(found, private={**found.private, "deleted": int(time.time())})
    return Reply(200, _deleted_bundle(call, gone))


def get_deleted(call: Call) -> Reply:
    return Reply(200, _deleted_bundle(call, _find(call, deleted=True)))


def list_deleted(call: Call) -> Reply:
    gone = [item for item in secrets_of(call.cloud, _vault(call)) if item.private.get("deleted")]
    return _list(call, [_deleted_bundle(call, item, versioned=False) for item in gone])


def recover(call: Call) -> Reply:
    found = _find(call, deleted=True)
    private: dict[str, Any] = {part: value for part, value in found.private.items() if part != "deleted"}
    call.cloud.store.update(found, private=private)
    return Reply(200, _bundle(call, found.name, private["versions"][-1]))


def purge(call: Call) -> Reply:
    found = _find(call, deleted=True)
    if _vault(call).body["properties"].get("enablePurgeProtection"):
        raise VaultError(
            403,
            "Forbidden",
            'Operation "purge" is not allowed on this secret because purge protection is enabled for its vault.',
            "PurgeNotAllowed",
        )
    call.cloud.store.delete(found.id)
    return Reply(204)
