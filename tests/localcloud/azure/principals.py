# SPDX-License-Identifier: GPL-3.0-or-later
"""Who there is in the directory besides the owner of the subscription: service principals and managed identities.

A service principal of a test is made with `Principals.at(state).add("deployer")`: it signs in with its secret and may
do what its role assignments say. A new principal is known to Resource Manager only when it has been replicated
(https://learn.microsoft.com/azure/role-based-access-control/troubleshooting, "principal … does not exist"); an
assignment that says principalType is taken before that.
"""

from __future__ import annotations

import hmac
import secrets
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .faults import DATABASE
from .store import Resource, Store

APPLICATION, REGISTRATION = "Microsoft.Graph/servicePrincipals", "Microsoft.Graph/applications"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
_NAMESPACE = uuid.UUID("0d2c6f5e-3a61-4c0b-9a57-5b0d8f6f7a11")


@dataclass(frozen=True)
class Principal:
    """One object of the directory; `client_id` is what signs in, `object_id` what roles are assigned to."""

    client_id: str
    object_id: str
    name: str = ""
    secret: str = ""
    since: float = 0.0
    passwords: tuple[str, ...] = ()  # of the application, which may have several

    def proves(self, given: str) -> bool:
        """Whether this is a secret of its own. Compared as bytes: it may hold characters that are not ASCII."""
        own = [known for known in (self.secret, *self.passwords) if known]
        return any(hmac.compare_digest(given.encode(), known.encode()) for known in own)


class Principals:
    """The directory of one local Azure."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    def at(cls, state: Path) -> Principals:
        return cls(Store(state / DATABASE))

    def add(self, name: str, *, secret: str = "", since: float | None = None) -> Principal:
        """A service principal with a secret; the same name is the same one, with a new secret."""
        client_id, object_id = (str(uuid.uuid5(_NAMESPACE, f"{part} {name}")) for part in ("client", "object"))
        began = time.time() if since is None else since
        principal = Principal(client_id, object_id, name, secret or secrets.token_urlsafe(24), began)
        body: dict[str, Any] = {"appId": client_id, "id": object_id, "displayName": name}
        private = {"secret": principal.secret, "since": began}
        self._store.put(Resource(f"/servicePrincipals/{object_id}", APPLICATION, "", "", name, body, private))
        return principal

    def by_client(self, client_id: str) -> Principal | None:
        return next((one for one in self.all() if one.client_id.lower() == client_id.lower()), None)

    def by_object(self, object_id: str) -> Principal | None:
        return next((one for one in self.all() if one.object_id.lower() == object_id.lower()), None)

    def knows(self, object_id: str, replication_seconds: float) -> bool:
        """Whether Resource Manager finds this principal by now: those of clusters at once, new ones after a while."""
        if object_id.lower() in self._of_clusters():
            return True
        found = self.by_object(object_id)
        return found is not None and time.time() - found.since >= replication_seconds

    def _of_clusters(self) -> set[str]:
        """Object ids of the identities that AKS made: a cluster's own, and its kubelets'."""
        found = set()
        for item in self._store.find(kind="Microsoft.ContainerService/managedClusters"):
            kubelet = (item.body["properties"].get("identityProfile") or {}).get("kubeletidentity") or {}
            own = item.body.get("identity") or {}
            found |= {str(kubelet.get("objectId")).lower(), str(own.get("principalId")).lower()}
        return found

    def all(self) -> Iterator[Principal]:
        registered = {item.body["appId"]: item for item in self._store.find(kind=REGISTRATION)}
        for item in self._store.find(kind=APPLICATION):
            known, registration = item.private, registered.get(item.body["appId"])
            passwords = tuple(one["secretText"] for one in registration.private["passwords"]) if registration else ()
            yield Principal(
                item.body["appId"], item.body["id"], item.name, known.get("secret", ""), known["since"], passwords
            )
        for item in self._store.find(kind=IDENTITY):
            properties = item.body["properties"]
            since = float(item.private.get("since", 0.0))
            yield Principal(properties["clientId"], properties["principalId"], item.name, "", since)
