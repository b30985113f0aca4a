# SPDX-License-Identifier: GPL-3.0-or-later
"""What vaults answer at their own hosts: one row a verb and path. RBAC is asked for a row's `action` as data action."""

from __future__ import annotations

from dataclasses import replace

from . import key_vaults, vault_secrets
from .bodies import read_body
from .data_plane import Plane
from .key_vaults import SECRET
from .routes import Route, match
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


PLANES = {"vault": Plane(key_vaults.TYPE, vault, read_body)}
