# SPDX-License-Identifier: GPL-3.0-or-later
"""A second registry for the length of a test: one that wants a login, or one that speaks plain HTTP."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.settings import Settings

USER = "reader"
# A made-up password and its bcrypt hash, the only kind docker-registry reads. It opens nothing but this.
PASSWORD = "canary-registry-5b1e"
HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuu70fHVdN3ENuVcB57TU9fWdb2CdvYqd2\n"
START_SECONDS = 15.0


@contextmanager
def private_registry(settings: Settings, directory: Path, *, tls: bool = True, login: bool = True) -> Iterator[str]:
    """HOST:PORT of a registry that lives below `directory` and ends with the block."""
    address = f"{settings.host_address}:{_free_port(settings.host_address)}"
    config = directory / "registry.json"
    config.write_text(json.dumps(_configuration(settings, directory, address, tls=tls, login=login)))
    binary = settings.node_parts / "usr" / "bin" / "docker-registry"
    with (directory / "registry.log").open("wb") as log:
        process = subprocess.Popen([binary, "serve", config], stdout=log, stderr=log)
    try:
        _await(settings, address, process, directory / "registry.log", tls=tls)
        yield address
    finally:
        process.terminate()
        process.wait()


def _configuration(settings: Settings, directory: Path, address: str, *, tls: bool, login: bool) -> dict[str, object]:
    listening: dict[str, object] = {"addr": address, "secret": "of one test"}
    if tls:
        listening["tls"] = {"certificate": str(settings.registry_cert_file), "key": str(settings.registry_key_file)}
    document: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": str(directory / "storage")},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": listening,
    }
    if login:
        (directory / "htpasswd").write_text(HTPASSWD)
        document["auth"] = {"htpasswd": {"realm": "test", "path": str(directory / "htpasswd")}}
    return document


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
    return port


def _await(settings: Settings, address: str, process: subprocess.Popen[bytes], log: Path, *, tls: bool) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(settings, address, tls=tls):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the private registry does not answer at {address}:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


def _answers(settings: Settings, address: str, *, tls: bool) -> bool:
    if tls:
        context = ssl.create_default_context(cafile=str(settings.ca_file))
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(address, context=context, timeout=2)
    else:
        connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status in (200, 401)
    except OSError:
        return False
    finally:
        connection.close()
