# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask an OCI registry for what it holds and name images in it: as much of the distribution API as that takes."""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path

from localcloud.images.builder import MANIFEST_TYPE

Answer = tuple[int, http.client.HTTPMessage, bytes]


class RegistryError(Exception):
    """The registry answered something else than it should."""


def split_reference(reference: str) -> tuple[str, str]:
    """Repository and tag of a name without a registry: a/b:tag."""
    repository, colon, tag = reference.rpartition(":")
    if not colon or "/" in tag or not repository:
        raise ValueError(f"{reference!r} names no tag; write repository:tag")
    return repository, tag


class RegistryClient:
    """One connection to HOST:PORT over TLS, trusting one authority. No proxy is ever asked."""

    def __init__(self, registry: str, ca_file: Path) -> None:
        context = ssl.create_default_context(cafile=str(ca_file))
        self.registry = registry
        self.connection = http.client.HTTPSConnection(registry, context=context, timeout=60)

    def close(self) -> None:
        self.connection.close()

    def _request(
        self, method: str, path: str, body: bytes | None = None, content_type: str = "", accept: str = ""
    ) -> Answer:
        headers = {"Content-Type": content_type} if content_type else {}
        if accept:
            headers["Accept"] = accept
        self.connection.request(method, path, body=body, headers=headers)
        response = self.connection.getresponse()
        return response.status, response.headers, response.read()

    def manifest_digest(self, reference: str) -> str | None:
        """The digest a tag points at, or None when there is no such tag."""
        repository, tag = split_reference(reference)
        status, headers, _ = self._request("HEAD", f"/v2/{repository}/manifests/{tag}", accept=MANIFEST_TYPE)
        return headers.get("Docker-Content-Digest") if status == 200 else None

    def has_tag(self, reference: str) -> bool:
        repository, tag = split_reference(reference)
        status, _, body = self._request("GET", f"/v2/{repository}/tags/list")
        return status == 200 and tag in (json.loads(body).get("tags") or [])

    def push_manifest(self, reference: str, manifest: bytes) -> None:
        """Name an image whose layers are in the repository."""
        repository, tag = split_reference(reference)
        status, _, body = self._request("PUT", f"/v2/{repository}/manifests/{tag}", manifest, MANIFEST_TYPE)
        if status != 201:
            text = body[:300].decode(errors="replace")
            raise RegistryError(f"The registry {self.registry} refused the manifest of {reference} ({status}): {text}")
