# SPDX-License-Identifier: GPL-3.0-or-later
"""The little the backend itself asks of an API server: is it ready, apply an add-on, read an object."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

from localcloud.kube.layout import API_PORT, ClusterLayout

FIELD_MANAGER = "localcloud"
# Cluster add-ons only; where each kind's objects live.
PATHS = {
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "Service": "/api/v1/namespaces/{namespace}/services",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
}


class ApiError(Exception):
    """The API server refused a request."""


class Api:
    def __init__(self, layout: ClusterLayout, user: str = "admin") -> None:
        self.layout = layout
        self.context = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
        self.context.load_cert_chain(layout.pki / f"{user}.crt", layout.pki / f"{user}.key")
        self.connection: http.client.HTTPSConnection | None = None

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def connect(self, timeout: float = 10) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.layout.node_address, API_PORT, context=self.context, timeout=timeout)

    def request(self, method: str, path: str, body: Any = None, content_type: str = "") -> tuple[int, bytes]:
        """Status and body; an OSError when nobody listens. Asks no proxy."""
        if self.connection is None:
            self.connection = self.connect()
        headers = {"Content-Type": content_type} if content_type else {}
        try:
            self.connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = self.connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def is_ready(self) -> bool:
        try:
            return self.request("GET", "/readyz") == (200, b"ok")
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path: str) -> dict[str, Any] | None:
        status, body = self.request("GET", path)
        if status == 404:
            return None
        if status != 200:
            raise ApiError(f"GET {path} was answered with {status}: {body[:300].decode(errors='replace')}")
        document: dict[str, Any] = json.loads(body)
        return document

    def apply(self, document: dict[str, Any]) -> None:
        """Server-side apply, forced: the add-ons are ours."""
        metadata = document["metadata"]
        collection = PATHS[document["kind"]].format(namespace=metadata.get("namespace", ""))
        path = f"{collection}/{metadata['name']}"
        apply = (f"{path}?fieldManager={FIELD_MANAGER}&force=true", document, "application/apply-patch+yaml")
        status, body = self.request("PATCH", *apply)
        if status == 422 and document["kind"] == "StorageClass":
            # Its provisioner cannot change, and an older local cloud had another one. Volumes outlive their class.
            self.request("DELETE", path)
            status, body = self.request("PATCH", *apply)
        if status not in (200, 201):
            raise ApiError(
                f"{document['kind']} {metadata['name']} was refused ({status}): {body[:300].decode(errors='replace')}"
            )
