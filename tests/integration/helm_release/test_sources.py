# SPDX-License-Identifier: GPL-3.0-or-later
"""Where charts come from: registries with a login or plain HTTP, HTTP repositories, ranges; and whose login is used."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from localcloud.registry.private import PASSWORD, USER, private_registry

pytestmark = pytest.mark.integration

LOGIN = {"registry_username": USER, "registry_password": PASSWORD}
Run = Callable[..., dict[str, Any]]
Package = Callable[..., Path]


def push(cloud: Any, archive: Path, registry: str, *flags: str, config: Path | None = None) -> None:
    argv = [cloud.environment["helm"], "push", archive, f"oci://{registry}/charts", *flags]
    environment = {"HELM_REGISTRY_CONFIG": str(config)} if config else {}
    env = {**cloud.process_environment(), **environment, "HOME": str(archive.parent), "PATH": "/usr/bin:/bin"}
    subprocess.run(argv, check=True, capture_output=True, env=env)


def login_file(directory: Path, registry: str) -> Path:
    """What a person's `helm registry login` would have left."""
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    path = directory / "pusher.json"
    path.write_text(json.dumps({"auths": {registry: {"auth": pair}}}))
    return path


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user whose own helm and docker are logged in somewhere else."""
    home = tmp_path / "home"
    (home / ".docker").mkdir(parents=True)
    (home / ".config/helm/registry").mkdir(parents=True)
    for file in (home / ".docker/config.json", home / ".config/helm/registry/config.json"):
        file.write_text('{"auths": {"registry.example.org": {"auth": "Y2FuYXJ5OmNhbmFyeQ=="}}}')
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "HELM_CONFIG_HOME", "HELM_REGISTRY_CONFIG", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.mark.slow
def test_a_login_is_used_and_the_users_own_stays_as_it_is(
    cloud: Any,
    release: dict[str, Any],
    direct: Run,
    package: Package,
    person: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    kept = {path: path.read_bytes() for path in person.rglob("*.json")}
    seen = tmp_path / "seen"
    spy = tmp_path / "spy"
    spy.write_text(f'#!/bin/sh\necho "$@" >> {seen}\nenv >> {seen}\nexec {cloud.environment["helm"]} "$@"\n')
    spy.chmod(0o755)
    archive = package("greeting", "1.0.0")
    with private_registry(cloud.settings, tmp_path) as registry:
        ca = cloud.environment["registry_ca_file"]
        push(cloud, archive, registry, "--ca-file", ca, config=login_file(tmp_path, registry))
        wanted = {**release, "chart_ref": f"oci://{registry}/charts/greeting", "chart_version": "1.0.0"}
        wanted |= {"ca_file": ca, "wait": False, "helm_binary": str(spy)}

        anonymous = direct(wanted, fails=True)
        wrong = direct({**wanted, **LOGIN, "registry_password": "canary-wrong"}, fails=True)
        untrusted = direct({**wanted, **LOGIN, "ca_file": None}, fails=True)
        made = direct({**wanted, **LOGIN})
    assert anonymous["error"]["code"] == wrong["error"]["code"] == "RegistryRefused"
    assert untrusted["error"]["code"] == "CertificateNotTrusted"
    assert made["release"]["status"] == "deployed"
    assert "upgrade" in seen.read_text()
    assert "canary" not in seen.read_text()
    assert {path: path.read_bytes() for path in kept} == kept
    assert not list(person.rglob("repositories.yaml"))


@pytest.mark.slow
def test_plain_http_is_spoken_only_when_told(
    cloud: Any, release: dict[str, Any], direct: Run, package: Package, tmp_path: Path
) -> None:
    archive = package("greeting", "1.0.0")
    with private_registry(cloud.settings, tmp_path, tls=False, login=False) as registry:
        push(cloud, archive, registry, "--plain-http")
        wanted = {**release, "chart_ref": f"oci://{registry}/charts/greeting", "chart_version": "1.0.0", "wait": False}
        refused = direct(wanted, fails=True)
        made = direct({**wanted, "plain_http": True})
    assert refused["error"]["code"] == "PlainHttp"
    assert "plain_http: true" in refused["msg"]
    assert made["release"]["status"] == "deployed"


@pytest.mark.slow
def test_a_range_is_resolved_once(cloud: Any, release: dict[str, Any], direct: Run, package: Package) -> None:
    ca = cloud.environment["registry_ca_file"]
    unique = release["namespace"]
    registry = f"{cloud.registry}/{unique}"
    for version in ("1.0.0", "1.0.2", "1.1.0"):
        push(cloud, package("greeting", version), registry, "--ca-file", ca)
    wanted = {**release, "chart_ref": f"oci://{registry}/charts/greeting", "ca_file": ca, "wait": False}
    planned = direct({**wanted, "chart_version": "~1.0"}, check=True)
    assert 'version: "1.0.2"' in planned["diff"][0]["after"]
    made = direct({**wanted, "chart_version": "~1.0"})
    assert made["release"]["chart_version"] == "1.0.2"
    assert "chart_version ~1.0 is 1.0.2 now." in made["notes"]

    # a newer one that fits is no reason to move, and nobody is asked for it
    push(cloud, package("greeting", "1.0.3"), registry, "--ca-file", ca)
    nobody = {"helm_binary": "/nonexistent/helm", "ca_file": None}
    assert not direct({**wanted, "chart_version": "~1.0", **nobody})["changed"]
    moved = direct({**wanted, "chart_version": ">=1.0.3 <2"})
    assert (moved["release"]["chart_version"], moved["previous"]["chart_version"]) == ("1.1.0", "1.0.2")
    none = direct({**wanted, "chart_version": "^2"}, fails=True)
    assert none["error"]["code"] == "ChartVersionNotFound"


@pytest.fixture
def repository(cloud: Any, tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """An HTTPS chart repository with a login: its address, the directory it serves, and what it was asked for."""
    directory = tmp_path / "repository"
    directory.mkdir()
    asked: list[str] = []
    expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            file = directory / self.path.removeprefix("/stable/")
            allowed = self.headers.get("Authorization") == expected
            status = 401 if not allowed else 200 if file.is_file() else 404
            body = file.read_bytes() if status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cloud.settings.azure_cert_file, cloud.settings.azure_key_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"https://127.0.0.1:{server.server_address[1]}/stable", directory, asked
    server.shutdown()
    server.server_close()


def publish(directory: Path, *archives: Path) -> None:
    """An index as `helm repo index` writes it."""
    lines = ["apiVersion: v1", "entries:", "  greeting:"]
    for archive in archives:
        (directory / archive.name).write_bytes(archive.read_bytes())
        version = archive.stem.removeprefix("greeting-")
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        lines.append(f"    - {{name: greeting, version: {version}, urls: [{archive.name}], digest: {digest}}}")
    (directory / "index.yaml").write_text("\n".join(lines) + "\n")


@pytest.mark.slow
@pytest.mark.parametrize("generation", ["helm 3", "helm 4"])
def test_a_repository_over_https_with_a_login(
    cloud: Any,
    release: dict[str, Any],
    direct: Run,
    package: Package,
    repository: tuple[str, Path, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    helm4: Path,
    generation: str,
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    release = {**release, "helm_binary": str(helm4)} if generation == "helm 4" else release
    address, directory, asked = repository
    publish(directory, package("greeting", "1.0.0"), package("greeting", "1.4.0"))
    wanted = {**release, "repo_url": address, "chart_ref": "greeting", "chart_version": "^1.0", "wait": False}
    assert direct({**wanted, **LOGIN}, fails=True)["error"]["code"] == "CertificateNotTrusted"
    wanted["ca_file"] = cloud.environment["ca_file"]
    assert direct(wanted, fails=True)["error"]["code"] == "RegistryRefused"
    assert direct({**wanted, **LOGIN, "chart_version": "9.9.9"}, fails=True)["error"]["code"] == "ChartVersionNotFound"

    made = direct({**wanted, **LOGIN})
    assert made["release"]["chart_version"] == "1.4.0"
    asked.clear()
    assert not direct({**wanted, **LOGIN, "helm_binary": "/nonexistent/helm"})["changed"]
    assert asked == []

    (directory / "greeting-1.0.0.tgz").write_bytes(b"not what was published")
    tampered = direct({**wanted, **LOGIN, "chart_version": "1.0.0"}, fails=True)
    assert tampered["error"]["code"] == "DigestMismatch"
