# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's docker-registry over TLS, run by the calling user on the address clusters see too."""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from localcloud.files import Progress, key_of, write_atomically
from localcloud.processes import Server
from localcloud.registry.charts import Chart, push_charts
from localcloud.registry.client import RegistryClient, split_reference
from localcloud.registry.storage import image_digest, image_manifest, place_layers
from localcloud.settings import Settings

START_SECONDS = 15.0


def server(settings: Settings) -> Server:
    return Server(settings, "registry")


def configuration(settings: Settings, secret: str) -> str:
    """JSON is YAML: no quoting rules to get wrong."""
    document = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(settings.registry_storage)},
            "delete": {"enabled": True},
            # It would look for abandoned uploads in the background; ours are seconds old.
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {
            "addr": settings.registry,
            "secret": secret,
            "tls": {"certificate": str(settings.registry_cert_file), "key": str(settings.registry_key_file)},
        },
    }
    return json.dumps(document, indent=1)


def answers(settings: Settings) -> bool:
    context = ssl.create_default_context(cafile=str(settings.ca_file))
    connection = http.client.HTTPSConnection(settings.registry, context=context, timeout=2)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def ensure_running(settings: Settings, node_parts: Path) -> None:
    registry = server(settings)
    # A new certificate or another binary means another process.
    certificate = key_of(settings.registry_cert_file.read_bytes())
    config_file = settings.processes / f"registry-{certificate}.yml"
    argv = [str(node_parts / "usr/bin/docker-registry"), "serve", str(config_file)]
    if registry.pid() is not None and registry.record().get("command") != argv:
        registry.stop()
    if registry.pid() is None:
        for old in settings.processes.glob("registry-*.yml"):
            old.unlink()
        write_atomically(config_file, configuration(settings, secrets.token_hex(16)))
        registry.start(argv)
    deadline = time.monotonic() + START_SECONDS
    while not answers(settings):
        if registry.pid() is None:
            raise registry.failure(f"ended right after its start; is {settings.registry} taken by another program?")
        if time.monotonic() > deadline:
            raise registry.failure(f"does not answer at https://{settings.registry} within {START_SECONDS:.0f} s")
        time.sleep(0.05)


def seed(
    settings: Settings, images: Mapping[str, Path], charts: Sequence[tuple[Chart, Path]], progress: Progress
) -> None:
    client = RegistryClient(settings.registry, settings.ca_file)
    try:
        pushed = [name for name, layout in images.items() if client.manifest_digest(name) != image_digest(layout)]
        for name in pushed:
            place_layers(settings.registry_storage, images[name], split_reference(name)[0])
            client.push_manifest(name, image_manifest(images[name]))
        pushed += push_charts(settings, client, charts)
    finally:
        client.close()
    if pushed:
        progress(f"registry seeded: {', '.join(pushed)}")
