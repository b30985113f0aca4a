# SPDX-License-Identifier: GPL-3.0-or-later
"""The container registries of the local Azure: a real registry each, behind a login server of its own."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path

import httpx

from localcloud.files import locked, write_atomically
from localcloud.registries import Access, BuildRequest, ImageSource, RegistryBackend, RegistryFailure
from localcloud.registry.component import LOOPBACK, PREFIX, Component
from localcloud.registry.docker_build import Base, BuildFailed, build
from localcloud.registry.login_server import MANIFESTS, LoginServer
from localcloud.registry.tokens import RegistryTokens
from localcloud.registry.transfer import Endpoint, copy_blob, copy_image, push_manifest, read_manifest, upload
from localcloud.settings import DEMO_REGISTRY, Settings

# what the local cloud's own registry stands for
STANDS_FOR = ("ghcr.io", "docker.io", "registry-1.docker.io", "registry.hub.docker.com")
COPY_SECONDS = 120.0


class AttachedRegistries(RegistryBackend):
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tokens = RegistryTokens(settings.acr)
        self._doors: dict[str, LoginServer] = {}
        self._lock = threading.RLock()

    def reserve(self, name: str) -> str:
        key = name.lower()
        with locked(self.settings.acr / ".index.lock"):
            file = self._address_file(key)
            if file.exists():
                return file.read_text().strip()
            taken = {other.read_text().strip() for other in self.settings.acr.glob("*/login-server")}
            kept, *others = self.settings.login_servers
            mine = [kept, *others] if key.startswith(DEMO_REGISTRY) else others
            free = next((server for server in mine if server not in taken), "")
            if not free:
                raise RegistryFailure(
                    f"All {len(others)} login servers of this local cloud are taken. Delete a registry."
                )
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(file, f"{free}\n")
        return free

    def open(self, name: str, access: Access) -> None:
        with self._lock:
            if name.lower() not in self._doors:
                component = Component(self.settings, name.lower(), self.reserve(name), self.tokens.certificate_file)
                port = component.start()
                self._doors[name.lower()] = LoginServer(component, port, self.tokens, access, self.settings.tenant_id)

    def delete(self, name: str) -> None:
        with self._lock:
            door = self._doors.pop(name.lower(), None)
        if door is not None:
            door.close()
            door.component.remove()

    def close(self) -> None:
        with self._lock:
            doors = list(self._doors.values())
            self._doors.clear()
        for door in doors:
            door.close()

    def has_tag(self, name: str, repository: str, tag: str) -> bool:
        endpoint, path = self._endpoint(name), f"/v2/{repository}/manifests/{tag}"
        # to who takes anything, the registry says that an image of OCI is not there
        answer = endpoint.request("HEAD", repository, path, headers={"Accept": MANIFESTS})
        return answer.status_code == 200

    def copy(self, source: ImageSource, name: str, tags: Sequence[tuple[str, str]], untagged: Sequence[str]) -> str:
        names = [*tags, *((repository, "") for repository in untagged)]
        origin = self._endpoint(source.registry) if source.registry else self._foreign(source)
        try:
            return copy_image(origin, source.repository, source.reference, self._endpoint(name), names)
        finally:
            if not source.registry:
                origin.client.close()

    def blob_url(self, name: str, path: str) -> str:
        component = self._door(name).component
        return f"https://{component.service}/blobs/{path}?sig={component.signature(path)}"

    def write_log(self, name: str, path: str, text: str) -> None:
        file = self._door(name).component.blob(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as log:
            log.write(text)

    def build(self, name: str, request: BuildRequest) -> str:
        def log(line: str) -> None:
            self.write_log(name, request.log, f"{line}\n")

        target, files = self._endpoint(name), self._door(name).component
        try:
            context = files.blob(request.source).read_bytes()
            bases: dict[str, tuple[Endpoint, str]] = {}

            def base_of(reference: str) -> Base:
                endpoint, repository, base = self._base(reference)
                bases[reference] = (endpoint, repository)
                return base

            built = build(context, request.dockerfile, request.arguments, base_of, log)
            digest = ""
            for repository in dict.fromkeys(repository for repository, _ in request.tags):
                for endpoint, origin in bases.values():
                    for descriptor in built.base.layers:
                        copy_blob(endpoint, origin, target, repository, str(descriptor["digest"]))
                for content in (*(raw for raw, _ in built.layers), built.document()):
                    upload(target, repository, content)
                tags = [tag for own, tag in request.tags if own == repository]
                digest = push_manifest(target, repository, tags, built.manifest())
                for tag in tags:
                    log(f"{tag}: digest: {digest}")
        except (BuildFailed, RegistryFailure, OSError, ValueError) as exc:
            log(f"failed to build: {exc}")
            raise RegistryFailure(str(exc)) from exc
        log("Run was successful")
        return digest

    def _base(self, reference: str) -> tuple[Endpoint, str, Base]:
        """The image that FROM names: of one of our registries, or of what the local cloud's own stands for."""
        host, _, rest = reference.partition("/")
        repository, _, tag = rest.rpartition(":")
        own = next((name for name, door in self._doors.items() if door.service == host), "")
        endpoint = self._endpoint(own) if own else self._foreign(ImageSource(repository, tag, address=host))
        content, _ = read_manifest(endpoint, repository, tag)
        manifest = json.loads(content)
        if "config" not in manifest:
            raise BuildFailed(f"{reference} is an image of several platforms, which this builder does not take")
        found = endpoint.request("GET", repository, f"/v2/{repository}/blobs/{manifest['config']['digest']}")
        return endpoint, repository, Base(found.json(), manifest["layers"])

    def _door(self, name: str) -> LoginServer:
        door = self._doors.get(name.lower())
        if door is None:
            raise RegistryFailure(f"The registry {name} does not answer.")
        return door

    def _endpoint(self, name: str) -> Endpoint:
        """The registry of this name from inside, with tokens of our own."""
        door = self._door(name)

        def token(repository: str) -> str:
            grants = [{"type": "repository", "name": repository, "actions": ["pull", "push", "delete"]}]
            return self.tokens.access(door.service, "acr", grants)

        base = f"http://{LOOPBACK}:{door.port}"
        return Endpoint(
            httpx.Client(base_url=base, timeout=COPY_SECONDS, trust_env=False), token, door.component.storage
        )

    def _foreign(self, source: ImageSource) -> Endpoint:
        address = self.settings.registry if source.address.lower() in STANDS_FOR else source.address
        client = httpx.Client(
            base_url=f"https://{address}",
            verify=ssl.create_default_context(cafile=str(self.settings.ca_file)),
            timeout=COPY_SECONDS,
            trust_env=False,
            follow_redirects=True,
        )
        storage = self.settings.registry_storage if address == self.settings.registry else None
        return Endpoint(client, storage=storage, user=source.user, password=source.password)

    def _address_file(self, key: str) -> Path:
        return self.settings.acr / key / "login-server"


def processes(settings: Settings) -> list[str]:
    """The names of the processes that were started for registries, also by a local Azure that was killed."""
    return sorted(file.stem for file in settings.processes.glob(f"{PREFIX}*.json"))
