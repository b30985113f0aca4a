# SPDX-License-Identifier: GPL-3.0-or-later
"""A real helm and a real HTTP repository: who gets the login, and what is said where a chart cannot be had."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import drift
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart, version_range
from ansible_collections.mcpops.platform.plugins.module_utils.helm.cli import Helm
from ansible_collections.mcpops.platform.plugins.module_utils.helm.command import helm_files
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import Registry, ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import Access
from ansible_collections.mcpops.platform.plugins.module_utils.task import CommandOutput, Task
from localcloud.authority import Authority

pytestmark = pytest.mark.contract

HELM = str(Path(sys.executable).parent / "helm")
ACCESS = Access(server="https://127.0.0.1:6443", no_proxy="127.0.0.1")
LOGIN = Registry(plain_http=True, username="canary-user", password="canary-password")
BASIC = "Basic " + base64.b64encode(b"canary-user:canary-password").decode()
VERSIONS = ("1.2.3", "1.10.0")


class RunningTask:
    """Runs helm as a task does, in a home of its own, and keeps what everybody on the machine can see of it."""

    check_mode = False

    def __init__(self, home: Path) -> None:
        self.environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
        self.seen: list[str] = []

    def progress(self, message: str) -> None:
        self.seen.append(message)

    def run_command(self, argv: Any, stdin: str | None = None, env: Any = None, shown: bool = False) -> CommandOutput:
        self.seen += [*argv, json.dumps(dict(env or {}))]
        done = subprocess.run(
            argv, input=stdin, env={**self.environment, **(env or {})}, capture_output=True, text=True
        )
        return CommandOutput(done.returncode, done.stdout, done.stderr)


@dataclass
class Site:
    """What a server answers, and what it was asked."""

    address: str = ""
    pages: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    login: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)


def serve(site: Site, tls: ssl.SSLContext | None = None) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            login = self.headers.get("Authorization", "")
            site.asked.append((self.path, login))
            status, body = (200, site.pages[self.path]) if self.path in site.pages else (404, b"")
            if site.login and login != site.login:
                status, body = 401, b""
            elif self.path in site.redirects:
                status = 302
            self.send_response(status)
            if status == 302:
                self.send_header("Location", site.redirects[self.path])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    site.address = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    directory = tmp_path_factory.mktemp("charts")
    (directory / "web" / "templates").mkdir(parents=True)
    for version in VERSIONS:
        (directory / "web" / "Chart.yaml").write_text(f"apiVersion: v2\nname: web\nversion: {version}\n")
        subprocess.run([HELM, "package", "web"], cwd=directory, check=True, capture_output=True)
    return {version: (directory / f"web-{version}.tgz").read_bytes() for version in VERSIONS}


def index(archives: dict[str, bytes], below: str = "") -> bytes:
    versions = [
        {
            "name": "web",
            "version": version,
            "urls": [f"{below}web-{version}.tgz"],
            "digest": hashlib.sha256(body).hexdigest(),
        }
        for version, body in archives.items()
    ]
    return json.dumps({"apiVersion": "v1", "entries": {"web": versions}}).encode()


@pytest.fixture
def open_site() -> Iterator[Callable[..., Site]]:
    servers = []

    def opened(tls: ssl.SSLContext | None = None) -> Site:
        site = Site()
        servers.append(serve(site, tls))
        return site

    yield opened
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site(open_site: Callable[..., Site], archives: dict[str, bytes]) -> Site:
    site = open_site()
    site.pages = {"/index.yaml": index(archives), **{f"/web-{version}.tgz": body for version, body in archives.items()}}
    return site


@pytest.fixture
def task(tmp_path: Path) -> RunningTask:
    return RunningTask(tmp_path / "home")


def fetched(task: RunningTask, chart: Chart, registry: Registry = LOGIN) -> bytes:
    spec = ReleaseSpec("web", "shop", chart, registry=registry, helm_binary=HELM)
    helm = Helm.find(cast(Task, task), HELM)
    with helm_files(ACCESS, registry, chart) as files:
        return Path(drift.with_local_chart(helm, spec, files).chart.location).read_bytes()


def chart_of(site: Site, version: str = "1.2.3") -> Chart:
    return Chart("web", "web", version, site.address)


def test_a_login_reaches_the_repository_and_nobody_else_sees_it(
    site: Site, task: RunningTask, archives: dict[str, bytes], tmp_path: Path
) -> None:
    site.login = BASIC
    assert fetched(task, chart_of(site)) == archives["1.2.3"]
    newest = replace(chart_of(site, ""), range=version_range("^1.2"))
    assert fetched(task, newest) == archives["1.10.0"]
    assert [login for _path, login in site.asked] == [BASIC] * 4
    assert not [text for text in task.seen if "canary" in text or BASIC.split()[1] in text]
    # neither a list of repositories nor an archive is left in the user's own directories
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


@pytest.mark.parametrize("way", ["index", "redirect"])
def test_the_login_goes_to_no_other_host(
    site: Site, open_site: Callable[..., Site], task: RunningTask, archives: dict[str, bytes], way: str
) -> None:
    other = open_site()
    other.pages = {"/files/web-1.2.3.tgz": archives["1.2.3"]}
    # another name of this machine: helm lets a redirect to the same name keep the login
    elsewhere = other.address.replace("127.0.0.1", "localhost") + "/files/"
    if way == "index":
        site.pages["/index.yaml"] = index(archives, elsewhere)
    else:
        site.redirects["/web-1.2.3.tgz"] = f"{elsewhere}web-1.2.3.tgz"
    assert fetched(task, chart_of(site)) == archives["1.2.3"]
    assert site.asked[0][1] == BASIC
    assert other.asked == [("/files/web-1.2.3.tgz", "")]


def test_an_archive_that_is_not_what_the_index_says_is_refused(
    site: Site, task: RunningTask, archives: dict[str, bytes]
) -> None:
    """Helm itself would take it, also one that is a chart."""
    site.pages["/web-1.2.3.tgz"] = archives["1.10.0"]
    with pytest.raises(ServiceError, match="DigestMismatch"):
        fetched(task, chart_of(site))


def test_an_authority_of_ones_own_is_trusted_where_it_is_named(
    site: Site, open_site: Callable[..., Site], task: RunningTask, archives: dict[str, bytes], tmp_path: Path
) -> None:
    authority = Authority.create("A test's own")
    authority.pair.write(tmp_path / "ca.pem", tmp_path / "ca.key")
    authority.issue("repository", names=["127.0.0.1"], server=True).write(tmp_path / "site.pem", tmp_path / "site.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "site.pem", tmp_path / "site.key")
    secure = open_site(context)
    secure.pages, secure.login = site.pages, BASIC
    trusting = replace(LOGIN, plain_http=False, ca_file=str(tmp_path / "ca.pem"))
    assert fetched(task, chart_of(secure), trusting) == archives["1.2.3"]
    with pytest.raises(ServiceError, match="CertificateNotTrusted") as caught:
        fetched(task, chart_of(secure), replace(trusting, ca_file=None))
    assert "ca_file" in caught.value.hint


# what is wrong at the repository → code, reason and advice
WRONG: dict[str, tuple[Callable[[Site], None], str, str, str]] = {
    "login": (lambda site: setattr(site, "login", "Basic another"), "RegistryRefused", "401", "registry_username"),
    "no index": (lambda site: site.pages.clear(), "RepositoryAnswer", "404", "repo_url"),
    "a page": (lambda site: site.pages.update({"/index.yaml": b"<html>"}), "NoIndex", "JSON", "repo_url"),
    "no YAML": (lambda site: site.pages.update({"/index.yaml": b"a: ["}), "NoIndex", "YAML", "repo_url"),
    "an archive that is gone": (
        lambda site: cast(None, site.pages.pop("/web-1.2.3.tgz")),
        "RepositoryAnswer",
        "web-1.2.3.tgz : 404",
        "repo_url",
    ),
    "a circle": (
        lambda site: site.redirects.update({"/index.yaml": "/index.yaml"}),
        "RepositoryAnswer",
        "redirects",
        "repo_url",
    ),
    "nobody there": (
        lambda site: setattr(site, "address", "http://127.0.0.1:1"),
        "RegistryUnreachable",
        "127.0.0.1:1 does not answer",
        "this machine reaches it",
    ),
}


@pytest.mark.parametrize(("change", "code", "reason", "advice"), WRONG.values(), ids=WRONG)
def test_what_helm_says_becomes_a_code_and_advice(
    site: Site, task: RunningTask, change: Callable[[Site], None], code: str, reason: str, advice: str
) -> None:
    change(site)
    with pytest.raises(ServiceError) as caught:
        fetched(task, chart_of(site))
    assert (caught.value.code, reason in caught.value.reason, advice in caught.value.hint) == (code, True, True), (
        caught.value.message()
    )
    assert "canary" not in caught.value.message()
