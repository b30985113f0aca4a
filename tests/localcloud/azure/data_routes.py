# SPDX-License-Identifier: GPL-3.0-or-later
"""What is answered beside Resource Manager: Microsoft Graph, and vaults and storage accounts at hosts of their own.

One row a verb and path. RBAC is asked for a row's `action` as a data action.
"""

from __future__ import annotations

from dataclasses import replace

from . import blobs, directory, key_vaults, registrations, storage_accounts, vault_secrets
from .blobs import BlobError
from .bodies import raw_body, read_body
from .data_plane import Plane
from .graph import admit, bad
from .key_vaults import SECRET
from .routes import Route, match
from .storage_accounts import BLOB, CONTAINER
from .vault_secrets import VaultError
from .wire import Call, Reply

NAMED, GONE = "/secrets/{secret}", "/deletedsecrets/{secret}"
READ, WRITE = f"{SECRET}/readMetadata/action", f"{SECRET}/setSecret/action"

VAULT_ROUTES: tuple[Route, ...] = (
    Route("GET", "/secrets", vault_secrets.list_secrets, action=READ),
    Route("PUT", NAMED, vault_secrets.set_secret, action=WRITE),
    Route("GET", f"{NAMED}/versions", vault_secrets.list_versions, action=READ),
    Route("GET", NAMED, vault_secrets.get_secret, action=f"{SECRET}/getSecret/action"),
    Route("GET", f"{NAMED}/{{version}}", vault_secrets.get_secret, action=f"{SECRET}/getSecret/action"),
    Route("PATCH", NAMED, vault_secrets.update_secret, action=f"{SECRET}/update/action"),
    Route("PATCH", f"{NAMED}/{{version}}", vault_secrets.update_secret, action=f"{SECRET}/update/action"),
    Route("DELETE", NAMED, vault_secrets.delete_secret, action=f"{SECRET}/delete"),
    Route("GET", "/deletedsecrets", vault_secrets.list_deleted, action=READ),
    Route("GET", GONE, vault_secrets.get_deleted, action=READ),
    Route("POST", f"{GONE}/recover", vault_secrets.recover, action=f"{SECRET}/recover/action"),
    Route("DELETE", GONE, vault_secrets.purge, action=f"{SECRET}/purge/action"),
)


APPS, PRINCIPALS = "/v1.0/applications", "/v1.0/servicePrincipals"
APP, PRINCIPAL = f"{APPS}/{{id}}", f"{PRINCIPALS}/{{id}}"
CREDENTIALS = f"{APP}/federatedIdentityCredentials"

GRAPH_ROUTES: tuple[Route, ...] = (
    Route("GET", APPS, registrations.list_applications),
    Route("POST", APPS, registrations.create_application),
    Route("GET", APP, registrations.get_application),
    Route("PATCH", APP, registrations.update_application),
    Route("DELETE", APP, registrations.delete_application),
    Route("POST", f"{APP}/addPassword", registrations.add_password),
    Route("POST", f"{APP}/removePassword", registrations.remove_password),
    Route("GET", CREDENTIALS, registrations.list_credentials),
    Route("POST", CREDENTIALS, registrations.create_credential),
    Route("GET", f"{CREDENTIALS}/{{credential}}", registrations.get_credential),
    Route("PATCH", f"{CREDENTIALS}/{{credential}}", registrations.update_credential),
    Route("DELETE", f"{CREDENTIALS}/{{credential}}", registrations.delete_credential),
    Route("GET", PRINCIPALS, directory.list_principals),
    Route("POST", PRINCIPALS, directory.create_principal),
    Route("GET", PRINCIPAL, directory.get_principal),
    Route("PATCH", PRINCIPAL, directory.update_principal),
    Route("DELETE", PRINCIPAL, directory.delete_principal),
    Route("GET", f"{PRINCIPAL}/appRoleAssignments", directory.list_assignments),
    Route("POST", f"{PRINCIPAL}/appRoleAssignments", directory.assign),
    Route("DELETE", f"{PRINCIPAL}/appRoleAssignments/{{assignment}}", directory.unassign),
    Route("GET", f"{PRINCIPAL}/appRoleAssignedTo", directory.list_assigned),
    Route("POST", f"{PRINCIPAL}/appRoleAssignedTo", directory.assign),
    Route("POST", "/v1.0/directoryObjects/getByIds", directory.by_ids),
)
GRAPH = "/v1.0/"


def graph(call: Call) -> Reply:
    """Microsoft Graph has no host of its own here: the metadata document names that of Resource Manager."""
    admit(call)
    found = match(GRAPH_ROUTES, call.method, call.path)
    if found is None:
        raise bad(f"Resource not found for the segment '{call.path.removeprefix(GRAPH)}'.")
    route, params = found
    return route.handler(replace(call, params=params))


def vault(call: Call) -> Reply:
    found = match(VAULT_ROUTES, call.method, call.path)
    if found is None:
        # who has no token is told first how to get one, whatever was asked for
        vault_secrets.claims_of(call)
        raise VaultError(404, "NotFound", f"{call.method} {call.path} is nothing that this vault answers.")
    route, params = found
    asked = replace(call, params=params)
    vault_secrets.admit(asked, route)
    return route.handler(asked)


# A path and what of the query is part of it: the blob service tells its operations by that.
CONTAINER_PATH, BLOB_PATH = "/{container}?restype=container", "/{container}/{blob}"
BLOB_ROUTES: tuple[Route, ...] = (
    Route("GET", "/?comp=list", blobs.list_containers, action=f"{CONTAINER}/read"),
    Route("PUT", CONTAINER_PATH, blobs.create_container, action=f"{CONTAINER}/write"),
    Route("GET", CONTAINER_PATH, blobs.get_container, action=f"{CONTAINER}/read"),
    Route("HEAD", CONTAINER_PATH, blobs.get_container, action=f"{CONTAINER}/read"),
    Route("DELETE", CONTAINER_PATH, blobs.delete_container, action=f"{CONTAINER}/delete"),
    Route("GET", f"{CONTAINER_PATH}&comp=list", blobs.list_blobs, action=f"{BLOB}/read"),
    Route("PUT", BLOB_PATH, blobs.put_blob, action=f"{BLOB}/write"),
    Route("GET", BLOB_PATH, blobs.get_blob, action=f"{BLOB}/read"),
    Route("HEAD", BLOB_PATH, blobs.get_properties, action=f"{BLOB}/read"),
    Route("DELETE", BLOB_PATH, blobs.delete_blob, action=f"{BLOB}/delete"),
)


def blob(call: Call) -> Reply:
    asked = (call.method, blobs.shape(call))
    route = next((row for row in BLOB_ROUTES if (row.method, row.path) == asked), None)
    if route is None:
        blobs.claims_of(call)
        raise BlobError(400, "UnsupportedQueryParameter", f"{call.method} {asked[1]} is nothing that is answered here.")
    blobs.admit(call, route)
    return route.handler(call)


PLANES = {
    "vault": Plane(key_vaults.TYPE, vault, read_body),
    "blob": Plane(storage_accounts.TYPE, blob, raw_body),
}
