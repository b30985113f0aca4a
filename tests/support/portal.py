# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who changes Azure resources behind the playbook's back: plain requests, none of the collection's code."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Mapping
from typing import Any

import httpx

API_VERSION = "2026-08-01"


class Portal:
    """A person with the same rights and another tool."""

    def __init__(self, environment: Mapping[str, str], secret: str) -> None:
        self._endpoint = environment["azure_endpoint"]
        self._subscription = environment["subscription_id"]
        self.context = ssl.create_default_context(cafile=environment["ca_file"])
        self._http = httpx.Client(verify=self.context, timeout=60)
        self._form = {
            "grant_type": "client_credentials",
            "client_id": environment["client_id"],
            "client_secret": secret,
        }
        self._sign_in = f"{self._endpoint}/{environment['tenant_id']}/oauth2/v2.0/token"
        self._token = self.token_for(f"{self._endpoint}/.default")
        self._headers = {"Authorization": f"Bearer {self._token}"}

    def token(self) -> str:
        """The Entra token it signs in with."""
        return self._token

    def token_for(self, scope: str) -> str:
        answer = self._http.post(self._sign_in, data={**self._form, "scope": scope})
        return str(answer.raise_for_status().json()["access_token"])

    @property
    def object_id(self) -> str:
        """Of the principal, as its token says."""
        claims = self._token.split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["oid"])

    def id_of(self, path: str) -> str:
        """The whole id of what is at `path`."""
        return f"/subscriptions/{self._subscription}/{path}".rstrip("/")

    def request(self, method: str, path: str, body: Any = None, version: str = API_VERSION) -> httpx.Response:
        """`path` is relative to the subscription."""
        url = f"{self._endpoint}/subscriptions/{self._subscription}/{path}"
        return self._http.request(method, url, json=body, params={"api-version": version}, headers=self._headers)

    def get(self, path: str, version: str = API_VERSION) -> Any:
        return self.request("GET", path, version=version).raise_for_status().json()

    def put(self, path: str, body: Any, version: str = API_VERSION, timeout: float = 120) -> None:
        """Change the resource and wait for the operation."""
        answer = self.request("PUT", path, body, version).raise_for_status()
        monitor = answer.headers.get("azure-asyncoperation")
        deadline = time.monotonic() + timeout
        while monitor:
            status = self._http.get(monitor, headers=self._headers).json()["status"]
            if status not in ("InProgress", "Creating"):
                assert status == "Succeeded", status
                return
            assert time.monotonic() < deadline, "the operation has not ended"
