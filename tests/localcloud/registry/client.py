# SPDX-License-Identifier: GPL-3.0-or-later
"""Push an image to an OCI registry: as much of the distribution API as that takes."""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from localcloud.images.builder import MANIFEST_TYPE, sha256

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

    def _expect(
        self, wanted: int, answer: tuple[int, http.client.HTTPMessage, bytes], what: str
    ) -> http.client.HTTPMessage:
        status, headers, body = answer
        if status != wanted:
            raise RegistryError(
                f"The registry {self.registry} refused {what} ({status}): {body[:300].decode(errors='replace')}"
            )
        return headers

    def manifest_digest(self, reference: str) -> str | None:
        """The digest a tag points at, or None when there is no such tag."""
        repository, tag = split_reference(reference)
        status, headers, _ = self._request("HEAD", f"/v2/{repository}/manifests/{tag}", accept=MANIFEST_TYPE)
        return headers.get("Docker-Content-Digest") if status == 200 else None

    def has_tag(self, reference: str) -> bool:
        repository, tag = split_reference(reference)
        status, _, body = self._request("GET", f"/v2/{repository}/tags/list")
        return status == 200 and tag in (json.loads(body).get("tags") or [])

    def _push_blob(self, repository: str, digest: str, content: bytes) -> None:
        status, _, _ = self._request("HEAD", f"/v2/{repository}/blobs/{digest}")
        if status == 200:
            return
        headers = self._expect(
            202, self._request("POST", f"/v2/{repository}/blobs/uploads/"), f"an upload to {repository}"
        )
        location = urlsplit(headers["Location"])
        path = (
            f"{location.path}?{location.query}&digest={digest}"
            if location.query
            else f"{location.path}?digest={digest}"
        )
        self._expect(201, self._request("PUT", path, content, "application/octet-stream"), f"a layer of {repository}")

    def push_layout(self, layout: Path, reference: str) -> bool:
        """Push the image of an OCI layout directory under this name; whether anything had to be pushed."""
        repository, tag = split_reference(reference)
        blob = layout / "blobs" / "sha256"
        digest: str = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
        if self.manifest_digest(reference) == digest:
            return False
        manifest = (blob / digest.removeprefix("sha256:")).read_bytes()
        document = json.loads(manifest)
        for descriptor in (document["config"], *document["layers"]):
            content = (blob / descriptor["digest"].removeprefix("sha256:")).read_bytes()
            if sha256(content) != descriptor["digest"]:
                raise RegistryError(f"{layout} is damaged. Remove it and run `localcloud build` again.")
            self._push_blob(repository, descriptor["digest"], content)
        answer = self._request("PUT", f"/v2/{repository}/manifests/{tag}", manifest, MANIFEST_TYPE)
        self._expect(201, answer, f"the manifest of {reference}")
        return True
