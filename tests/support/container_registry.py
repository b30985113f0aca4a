# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody at a container registry with a client of their own: the token flow and the registry's API, written apart."""

from __future__ import annotations

import hashlib
import json
import ssl
from typing import Any

import httpx

NULL_USER = "00000000-0000-0000-0000-000000000000"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class RegistryUser:
    """Signs in with an Entra token, or with a user and password, or is nobody."""

    def __init__(self, host: str, ca_file: str, entra_token: str = "", login: tuple[str, str] | None = None) -> None:
        self.host = host
        self.login = login
        self.entra_token = entra_token
        context = ssl.create_default_context(cafile=ca_file)
        self.http = httpx.Client(base_url=f"https://{host}", verify=context, timeout=60, trust_env=False)

    def exchange(self) -> httpx.Response:
        form = {"grant_type": "access_token", "service": self.host, "access_token": self.entra_token}
        return self.http.post("/oauth2/exchange", data=form)

    def token(self, scope: str) -> httpx.Response:
        """What /oauth2/token answers, as Docker asks it."""
        login = self.login
        if self.entra_token:
            login = (NULL_USER, self.exchange().raise_for_status().json()["refresh_token"])
        return self.http.get("/oauth2/token", params={"service": self.host, "scope": scope}, auth=login)

    def request(self, method: str, path: str, scope: str, **options: Any) -> httpx.Response:
        answer = self.token(scope)
        if answer.status_code != 200:
            return answer
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}", **options.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **options)

    def digest(self, repository: str, reference: str) -> str | None:
        path = f"/v2/{repository}/manifests/{reference}"
        answer = self.request("HEAD", path, f"repository:{repository}:pull", headers={"Accept": MANIFEST})
        return answer.headers.get("docker-content-digest") if answer.status_code == 200 else None

    def tags(self, repository: str) -> list[str]:
        answer = self.request("GET", f"/v2/{repository}/tags/list", f"repository:{repository}:pull")
        return sorted(answer.json().get("tags") or []) if answer.status_code == 200 else []

    def config(self, repository: str, digest: str) -> Any:
        """The configuration of an image."""
        scope = f"repository:{repository}:pull"
        path = f"/v2/{repository}/manifests/{digest}"
        manifest = self.request("GET", path, scope, headers={"Accept": MANIFEST}).raise_for_status().json()
        blob = f"/v2/{repository}/blobs/{manifest['config']['digest']}"
        return self.request("GET", blob, scope).raise_for_status().json()

    def push_empty(self, repository: str, tag: str) -> None:
        """The smallest image there is, into a registry that is signed in to with Basic."""
        config = b"{}"
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        login = httpx.BasicAuth(*self.login) if self.login else None
        place = self.http.post(f"/v2/{repository}/blobs/uploads/", auth=login).headers["location"]
        stored = self.http.put(f"{place}&digest={digest}", content=config, auth=login)
        stored.raise_for_status()
        kind = "application/vnd.oci.image.config.v1+json"
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": kind, "digest": digest, "size": len(config)},
            "layers": [],
        }
        path, sent = f"/v2/{repository}/manifests/{tag}", {"Content-Type": MANIFEST}
        self.http.put(path, content=json.dumps(manifest).encode(), headers=sent, auth=login).raise_for_status()

    def move(self, repository: str, tag: str, reference: str) -> None:
        """Let a tag name what another reference of the repository names."""
        scope = f"repository:{repository}:pull,push"
        path = f"/v2/{repository}/manifests"
        manifest = self.request("GET", f"{path}/{reference}", scope, headers={"Accept": MANIFEST}).raise_for_status()
        sent = {"Content-Type": MANIFEST}
        self.request("PUT", f"{path}/{tag}", scope, headers=sent, content=manifest.content).raise_for_status()
