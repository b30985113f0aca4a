# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy an image from one registry to another, with everything that its manifest names."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import httpx

from localcloud.registries import RegistryFailure
from localcloud.registry.login_server import MANIFESTS
from localcloud.registry.storage import place_blob

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MOST_MANIFESTS = (
    50  # of one import, says https://learn.microsoft.com/azure/container-registry/container-registry-import-images
)
DEFAULT_TYPE = "application/vnd.oci.image.manifest.v1+json"


@dataclass
class Endpoint:
    """One registry. `token` makes an access token for a repository; where there is none, the registry's challenge is
    answered with the user and password, or with nothing."""

    client: httpx.Client
    token: Callable[[str], str] | None = None
    storage: Path | None = None  # of a registry on this machine: blobs are linked, not sent
    user: str = ""
    password: str = ""
    _headers: dict[str, str] = field(default_factory=dict)

    def request(
        self, method: str, repository: str, path: str, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        sent = {**(headers or {}), **self._authorization(repository)}
        answer = self._send(method, path, content, sent)
        challenge = answer.headers.get("WWW-Authenticate", "")
        if answer.status_code == 401 and challenge and self.token is None:
            self._headers = {"Authorization": self._answer(challenge)}
            answer = self._send(method, path, content, {**sent, **self._headers})
        return answer

    def _send(self, method: str, path: str, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
        try:
            return self.client.request(method, path, content=content or None, headers=dict(headers))
        except httpx.HTTPError as exc:
            raise RegistryFailure(f"Error copying blobs: {exc}") from exc

    def _authorization(self, repository: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(repository)}"} if self.token else self._headers

    def _answer(self, challenge: str) -> str:
        basic = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if challenge.lower().startswith("basic"):
            return basic
        parts = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        query = urlencode({name: parts[name] for name in ("service", "scope") if parts.get(name)})
        answer = self._send("GET", f"{parts.get('realm')}?{query}", b"", {"Authorization": basic} if self.user else {})
        body = {}
        with suppress(ValueError):
            body = answer.json()
        return f"Bearer {body.get('token') or body.get('access_token') or ''}"


def copy_image(
    source: Endpoint, repository: str, reference: str, target: Endpoint, tags: Sequence[tuple[str, str]]
) -> str:
    """Copy under each (repository, tag); an empty tag means by digest only. The image's digest."""
    content, kind = read_manifest(source, repository, reference)
    digest = _digest(content)
    for name in dict.fromkeys(name for name, _ in tags):
        _copy_below(source, repository, target, name, content, kind, [])
    for name, tag in tags:
        _put(target, name, tag or digest, content, kind)
    return digest


def read_manifest(source: Endpoint, repository: str, reference: str) -> tuple[bytes, str]:
    answer = source.request("GET", repository, f"/v2/{repository}/manifests/{reference}", headers={"Accept": MANIFESTS})
    if answer.status_code == 200:
        return answer.content, answer.headers.get("Content-Type", DEFAULT_TYPE)
    if answer.status_code in (401, 403):
        raise RegistryFailure(f"Invalid message {answer.reason_phrase} {answer.text[:200]}")
    raise RegistryFailure(f"Unable to find manifest digest  Repo: {repository} Tag: {reference} Manifest: ")


def _copy_below(
    source: Endpoint, repository: str, target: Endpoint, name: str, content: bytes, kind: str, seen: list[str]
) -> None:
    """What a manifest names: layers and configuration, or manifests."""
    document = json.loads(content)
    for child in document.get("manifests") or []:
        seen.append(child["digest"])
        if len(seen) > MOST_MANIFESTS:
            raise RegistryFailure(f"The image has more than {MOST_MANIFESTS} manifests.")
        below, child_kind = read_manifest(source, repository, child["digest"])
        _copy_below(source, repository, target, name, below, child_kind, seen)
        _put(target, name, child["digest"], below, child_kind)
    for descriptor in [document["config"], *document["layers"]] if "config" in document else []:
        copy_blob(source, repository, target, name, descriptor["digest"])


def copy_blob(source: Endpoint, repository: str, target: Endpoint, name: str, digest: str) -> None:
    if source.storage and target.storage and place_blob(target.storage, source.storage, name, digest):
        return
    if target.request("HEAD", name, f"/v2/{name}/blobs/{digest}").status_code == 200:
        return
    answer = source.request("GET", repository, f"/v2/{repository}/blobs/{digest}")
    if answer.status_code != 200:
        raise RegistryFailure(f"Error copying blobs: {digest} ({answer.status_code})")
    upload(target, name, answer.content)


def upload(target: Endpoint, name: str, content: bytes) -> str:
    """Put a blob into a repository; its digest."""
    digest = _digest(content)
    begun = target.request("POST", name, f"/v2/{name}/blobs/uploads/")
    place = begun.headers.get("Location", "")
    path = re.sub(r"^https?://[^/]+", "", place)
    done = target.request(
        "PUT",
        name,
        f"{path}{'&' if '?' in path else '?'}{urlencode({'digest': digest})}",
        content,
        {"Content-Type": "application/octet-stream"},
    )
    if done.status_code != 201:
        raise RegistryFailure(f"Error copying blobs: {digest} was not taken ({done.status_code} {done.text[:200]})")
    return digest


def _put(target: Endpoint, name: str, reference: str, content: bytes, kind: str) -> None:
    answer = target.request("PUT", name, f"/v2/{name}/manifests/{reference}", content, {"Content-Type": kind})
    if answer.status_code != 201:
        raise RegistryFailure(f"{name}:{reference} was not taken ({answer.status_code} {answer.text[:200]})")


def push_manifest(target: Endpoint, name: str, references: Sequence[str], document: Mapping[str, object]) -> str:
    """Name an image whose blobs are in the repository; its digest."""
    content = json.dumps(document).encode()
    for reference in references:
        _put(target, name, reference, content, str(document["mediaType"]))
    return _digest(content)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def tags_of(endpoint: Endpoint, name: str) -> Iterator[str]:
    answer = endpoint.request("GET", name, f"/v2/{name}/tags/list")
    yield from (answer.json().get("tags") or []) if answer.status_code == 200 else ()
