# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what in a container registry: the token flow asks here what RBAC and the registry's settings say.

Sources: an Entra token of Resource Manager's audience is taken unless the policy azureADAuthenticationAsArmPolicy is
disabled, one of the registry service's own always (https://learn.microsoft.com/azure/container-registry/
container-registry-disable-authentication-as-arm); which action of a role stands for which action of a scope:
https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-overview; the admin user may
do everything (…/container-registry-authentication), anonymous pull is pull alone (…/anonymous-pull-access).
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import jwt

from localcloud.registries import AccessRefused

from . import rbac
from .principals import Principal, Principals
from .store import Resource
from .wire import ArmError

if TYPE_CHECKING:
    from .cloud import Cloud

SERVICE_AUDIENCE = "https://containerregistry.azure.net"
ACR = "Microsoft.ContainerRegistry/registries"
# an action of a scope → the role's action
ACTIONS = {
    "pull": f"{ACR}/pull/read",
    "metadata_read": f"{ACR}/pull/read",
    "push": f"{ACR}/push/write",
    "metadata_write": f"{ACR}/push/write",
    "delete": f"{ACR}/artifacts/delete",
    "catalog": f"{ACR}/pull/read",
}
ADMIN = "admin"  # no object id looks like this
CLUSTERS = "Microsoft.ContainerService/managedClusters"


class StoredAccess:
    """One registry's access as the local Azure's state has it now."""

    def __init__(self, cloud: Cloud, registry_id: str) -> None:
        self._cloud = cloud
        self._id = registry_id

    def principal_of(self, entra_token: str) -> str:
        entra = self._cloud.entra
        key = jwt.PyJWK(entra.keys()["keys"][0])
        try:
            claims = jwt.decode(entra_token, key.key, algorithms=["RS256"], options={"verify_aud": False})
        except jwt.InvalidTokenError as exc:
            raise AccessRefused("AADSTS50027: JWT token is invalid or malformed.") from exc
        audience = str(claims.get("aud", "")).rstrip("/")
        if audience == SERVICE_AUDIENCE:
            return str(claims["oid"])
        if not self._takes_arm_tokens():
            raise AccessRefused(f"Tokens of the audience {audience!r} are not allowed for this registry.")
        try:
            return entra.authenticate(f"Bearer {entra_token}")
        except ArmError as exc:
            raise AccessRefused(exc.message) from exc

    def signs_in(self, user: str, password: str) -> str:
        registry = self._registry()
        if user.lower() == registry.name.lower():
            good = any(_same(password, own) for own in registry.private["passwords"])
            if good and registry.body["properties"]["adminUserEnabled"]:
                return ADMIN
            raise AccessRefused("Invalid username or password specified, or the admin user is disabled.")
        owner = self._cloud.entra.owner()
        own = user.lower() == owner.client_id.lower()
        found = owner if own else Principals(self._cloud.store).by_client(user)
        if found is None or not found.proves(password):
            raise AccessRefused("Invalid clientid or client secret.")
        return found.object_id

    def actions(self, subject: str) -> frozenset[str]:
        if subject == ADMIN or self._cloud.entra.knows(subject):
            return frozenset(ACTIONS)
        if not subject:
            anybody = self._registry().body["properties"]["anonymousPullEnabled"]
            return frozenset({"pull", "metadata_read"} if anybody else ())
        store = self._cloud.store
        return frozenset(name for name, action in ACTIONS.items() if rbac.allowed(store, subject, action, self._id))

    def identity_token(self, address: str, resource: str) -> str:
        cloud = self._cloud
        for cluster in cloud.store.find(kind=CLUSTERS):
            backend = cloud.backend.get(str(cluster.private.get("backend") or ""))
            if backend is None or f"//{address}:" not in backend.api_server:
                continue
            identity = (cluster.body["properties"].get("identityProfile") or {}).get("kubeletidentity")
            if identity:
                principal = Principal(identity["clientId"], identity["objectId"])
                issued = cloud.entra.issue(resource, principal)
                if issued is not None:
                    return issued[0]
        raise AccessRefused("Identity not found")

    def _registry(self) -> Resource:
        found = self._cloud.store.get(self._id)
        if found is None:
            raise AccessRefused("The registry is not there any more.")
        return found

    def _takes_arm_tokens(self) -> bool:
        policies = self._registry().body["properties"]["policies"]
        return bool(policies["azureADAuthenticationAsArmPolicy"]["status"] == "enabled")


def _same(given: str, own: str) -> bool:
    return hmac.compare_digest(given.encode(), own.encode())
