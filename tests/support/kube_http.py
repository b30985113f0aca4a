# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server asked directly, with an admin kubeconfig: for tests that make hundreds of requests of their own."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
import yaml

from support.openapi import Schema, kind_schema

JSON_PATCH = "application/json-patch+json"


class Api:
    """Objects by (apiVersion, kind, namespace, name), and what the server says of their kinds."""

    def __init__(self, kubeconfig: Path, scratch: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        parts = {
            "ca": cluster["certificate-authority-data"],
            "certificate": user["client-certificate-data"],
            "key": user["client-key-data"],
        }
        for name, encoded in parts.items():
            path = scratch / name
            path.touch(mode=0o600)
            path.write_bytes(base64.b64decode(encoded))
        context = ssl.create_default_context(cafile=str(scratch / "ca"))
        context.load_cert_chain(scratch / "certificate", scratch / "key")
        self._pool = urllib3.PoolManager(ssl_context=context, retries=False, timeout=60)
        self._server = cluster["server"]
        self._documents: dict[str, Any] = {}
        self._resources: dict[str, dict[str, Any]] = {}

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **query: str
    ) -> tuple[int, Any]:
        """(status, body) of one request; a refusal is an answer like another."""
        answer = self._pool.request(
            method,
            f"{self._server}{path}" + (f"?{urlencode(query)}" if query else ""),
            body=None if body is None else json.dumps(body),
            headers={"Content-Type": content_type, "User-Agent": "mcpops-tests"},
        )
        return answer.status, json.loads(answer.data or b"{}")

    def read(self, path: str) -> Any:
        status, body = self.request("GET", path)
        assert status == 200, (path, body)
        return body

    def path_of(self, item: Mapping[str, Any], namespace: str) -> tuple[str, bool]:
        """(the object's path, whether it lives in a namespace); `namespace` is where it is when it does not say."""
        version, kind, metadata = item["apiVersion"], item["kind"], item["metadata"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if kind not in self._resources.get(version, {}):
            listed = self.read(root)["resources"]
            self._resources[version] = {row["kind"]: row for row in listed if "/" not in row["name"]}
        row = self._resources[version][kind]
        place = f"/namespaces/{metadata.get('namespace') or namespace}" if row["namespaced"] else ""
        return f"{root}{place}/{row['name']}/{metadata['name']}", row["namespaced"]

    def patch(self, path: str, operations: Sequence[Mapping[str, Any]], manager: str) -> tuple[int, Any]:
        return self.request("PATCH", path, list(operations), JSON_PATCH, fieldManager=manager)

    def schema(self, api_version: str, kind: str) -> Schema | None:
        """What the server's OpenAPI v3 document says of a kind. Read once: a chart's own kinds come with the chart."""
        place = f"apis/{api_version}" if "/" in api_version else f"api/{api_version}"
        if place not in self._documents:
            listed = self.read("/openapi/v3")["paths"]
            if place not in listed:
                return None
            self._documents[place] = self.read(listed[place]["serverRelativeURL"])
        return kind_schema(self._documents[place], api_version, kind)

    def names(self, path: str) -> set[str]:
        return {item["metadata"]["name"] for item in self.read(path)["items"]}

    def delete(self, paths: Iterable[str]) -> None:
        for path in paths:
            self.request("DELETE", path)
