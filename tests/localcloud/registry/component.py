# SPDX-License-Identifier: GPL-3.0-or-later
"""One container registry's storage and API: Debian's docker-registry, which takes only tokens of the token flow.

It listens on loopback; clients reach it through the registry's login server.
"""

from __future__ import annotations

import hmac
import http.client
import json
import secrets
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from localcloud.files import write_atomically
from localcloud.processes import Server
from localcloud.registries import RegistryFailure
from localcloud.registry.tokens import ISSUER
from localcloud.settings import Settings

START_SECONDS = 15.0
PREFIX = "acr-"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Component:
    """The process of one registry. `service` is its login server, whose tokens it takes."""

    settings: Settings
    name: str
    service: str
    certificate_file: Path

    @property
    def directory(self) -> Path:
        return self.settings.acr / self.name

    @property
    def storage(self) -> Path:
        return self.directory / "storage"

    @property
    def process(self) -> Server:
        return Server(self.settings, f"{PREFIX}{self.name}")

    def start(self) -> int:
        """Start it anew; the port that it listens on."""
        self.process.stop()
        port = _free_port()
        self.storage.mkdir(parents=True, exist_ok=True, mode=0o700)
        config = self.directory / "registry.json"
        write_atomically(config, json.dumps(self._configuration(port), indent=1), 0o600)
        self.process.start([str(self.settings.node_parts / "usr/bin/docker-registry"), "serve", str(config)])
        self._await(port)
        return port

    def stop(self) -> None:
        self.process.stop()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def blob(self, name: str) -> Path:
        """A file of the registry's tasks: an uploaded context, a log. Names come from ourselves, by their signature."""
        return self.directory / "blobs" / name

    def signature(self, name: str) -> str:
        """What the address of a blob carries; of a key that is made with the registry."""
        file = self.directory / "blob.key"
        if not file.exists():
            write_atomically(file, secrets.token_hex(32), 0o600)
        return hmac.new(file.read_bytes(), name.encode(), "sha256").hexdigest()

    def untag(self, repository: str, tag: str) -> bool:
        """Take a tag away and leave its manifest: this version of the registry has no request for that."""
        place = self.storage / "docker/registry/v2/repositories" / repository / "_manifests/tags" / tag
        if not place.is_dir():
            return False
        shutil.rmtree(place)
        return True

    def _configuration(self, port: int) -> dict[str, object]:
        return {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.storage)},
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": {"addr": f"{LOOPBACK}:{port}", "secret": secrets.token_hex(16)},
            "auth": {
                "token": {
                    "realm": f"https://{self.service}/oauth2/token",
                    "service": self.service,
                    "issuer": ISSUER,
                    "rootcertbundle": str(self.certificate_file),
                }
            },
        }

    def _await(self, port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port):
            if self.process.pid() is None:
                raise RegistryFailure(str(self.process.failure("ended right after its start")))
            if time.monotonic() > deadline:
                raise RegistryFailure(str(self.process.failure(f"does not answer within {START_SECONDS:.0f} s")))
            time.sleep(0.03)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 401
    except OSError:
        return False
    finally:
        connection.close()
