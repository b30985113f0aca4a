# SPDX-License-Identifier: GPL-3.0-or-later
"""An API registered at the local Entra, and two daemons that are given tokens for it: one with its role, one without.

`localcloud api https://echo.localcloud.onmicrosoft.com/mcp ...` does what `docs/gateway.md` does with azure-cli, and
`localcloud token` what `az account get-access-token` does. A URI has to be below the domain that the directory has
verified.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from localcloud.files import write_atomically
from localcloud.settings import Settings, SettingsError

ROLE, SCOPE = "mcp.user", "mcp.call"
CALLER, STRANGER = "caller", "stranger"
Body = dict[str, Any]


def record_file(settings: Settings) -> Path:
    """What was registered, for clients: with the secrets of both daemons, hence for its owner alone."""
    return settings.state / "api.json"


class Directory:
    """The local Entra, asked as the owner of the subscription asks Graph."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._trust = ssl.create_default_context(cafile=str(settings.ca_file))
        self._token = ""

    def _send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Body:
        url = f"{self._settings.azure_endpoint}{path}"
        request = urllib.request.Request(url, body, dict(headers), method=method)
        # a proxy of this machine knows nothing of addresses on it
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._trust)
        )
        try:
            with opener.open(request, timeout=30) as answer:
                content = answer.read()
        except urllib.error.HTTPError as exc:
            raise SettingsError(f"{method} {url} was answered with {exc.code}: {exc.read().decode()[:500]}") from exc
        found: Body = json.loads(content) if content else {}
        return found

    def token(self, scope: str, client: str, secret: str) -> str:
        form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret, "scope": scope}
        body = urllib.parse.urlencode(form).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return str(self._send("POST", f"/{self._settings.tenant_id}/oauth2/v2.0/token", body, kind)["access_token"])

    def keys(self) -> Body:
        return self._send("GET", f"/{self._settings.tenant_id}/discovery/v2.0/keys", None, {})

    def graph(self, method: str, path: str, body: Body | None = None) -> Body:
        if not self._token:
            secret = self._settings.client_secret_file.read_text().strip()
            self._token = self.token("https://graph.microsoft.com/.default", self._settings.client_id, secret)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        return self._send(method, f"/v1.0{path}", json.dumps(body).encode() if body else None, headers)

    def application(self, name: str, **body: Any) -> tuple[Body, Body]:
        """It, and what stands for it in the tenant."""
        app = self.graph("POST", "/applications", {"displayName": name, **body})
        return app, self.graph("POST", "/servicePrincipals", {"appId": app["appId"]})

    def daemon(self, name: str) -> tuple[Body, str]:
        """What stands for it in the tenant: its appId is the name it calls with, beside the password."""
        app, own = self.application(name)
        password = self.graph("POST", f"/applications/{app['id']}/addPassword", {"passwordCredential": {}})
        return own, str(password["secretText"])

    def assign(self, api: str, role: str, principal: str) -> None:
        body = {"principalId": principal, "resourceId": api, "appRoleId": role}
        self.graph("POST", f"/servicePrincipals/{api}/appRoleAssignedTo", body)


def register(settings: Settings, uris: Sequence[str]) -> Body:
    """The API with these URIs; what was registered before stays as long as it is of these."""
    directory = Directory(settings)
    applications = directory.graph("GET", "/applications")["value"]
    found = read(settings)
    stands = found and any(one["appId"] == found["audience"] for one in applications)
    if found and stands and found["uris"] == list(uris):
        return found
    for one in applications:
        # no two applications of a directory have the same URI
        if set(uris) & set(one["identifierUris"]):
            directory.graph("DELETE", f"/applications/{one['id']}")
    role: Body = {
        "id": str(uuid.uuid4()),
        "value": ROLE,
        "displayName": ROLE,
        "allowedMemberTypes": ["User", "Application"],
    }
    scope = {"id": str(uuid.uuid4()), "value": SCOPE, "type": "User", "isEnabled": True}
    app, own = directory.application(
        f"api of {uris[0]}",
        identifierUris=list(uris),
        appRoles=[role],
        api={"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [scope]},
    )
    clients = {}
    for name in (CALLER, STRANGER):
        principal, secret = directory.daemon(f"{name} of {uris[0]}")
        if name == CALLER:
            directory.assign(own["id"], role["id"], principal["id"])
        clients[name] = {"client_id": principal["appId"], "secret": secret}
    issuer = f"https://{settings.host_address}:{settings.azure_port}/{settings.tenant_id}/v2.0"
    made = {
        "uris": list(uris),
        "audience": app["appId"],
        "scope": f"{uris[0]}/.default",
        "issuer": issuer,
        "keys": directory.keys(),
        "clients": clients,
    }
    write_atomically(record_file(settings), json.dumps(made, indent=1) + "\n", 0o600)
    return made


def read(settings: Settings) -> Body | None:
    try:
        found: Body = json.loads(record_file(settings).read_text())
    except FileNotFoundError:
        return None
    return found


def token(settings: Settings, client: str = CALLER) -> str:
    """One that one of the two daemons is given now."""
    found = read(settings)
    if found is None:
        raise SettingsError("No API is registered at the local Entra. Run `localcloud api URI`.")
    own = found["clients"][client]
    return Directory(settings).token(found["scope"], own["client_id"], own["secret"])
