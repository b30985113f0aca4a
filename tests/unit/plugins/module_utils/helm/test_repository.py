# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP repository served by a real server on this machine; TLS and logins are in tests/integration."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import repository, source
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart
from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import Registry, ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.helm.versions import version_range

ARCHIVE = b"an archive"
DIGEST = hashlib.sha256(ARCHIVE).hexdigest()
PLAIN = Registry(plain_http=True)
LOGIN = Registry(plain_http=True, username="me", password="canary-password")


@dataclass
class Site:
    """What the server answers, and what it was asked."""

    address: str = ""
    pages: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    login: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def chart(self) -> Chart:
        return Chart("web", "web", "1.2.3", self.address)


def serve(site: Site) -> ThreadingHTTPServer:
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
    site.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


@pytest.fixture
def open_site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Site]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    servers = []

    def opened(**pages: bytes) -> Site:
        site = Site()
        servers.append(serve(site))
        return site

    yield opened
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    site = open_site()
    site.pages = {"/index.yaml": index("web-1.2.3.tgz").encode(), "/web-1.2.3.tgz": ARCHIVE}
    return site


def index(url: str, digest: str = DIGEST) -> str:
    return f"""
apiVersion: v1
entries:
  web:
    - {{version: 1.10.0, urls: [{url}], digest: {digest}, created: 2026-13-45T99:00:00Z}}
    - {{version: v1.2.3, urls: [{url}], digest: {digest}}}
    - {{version: 1.11.0-rc.1, urls: [{url}]}}
    - {{version: nightly, urls: [{url}]}}
    - {{version: 1.12.0, urls: []}}
"""


def test_the_newest_version_that_fits(site: Site) -> None:
    chart = replace(site.chart, version="", range=version_range("^1.2"))
    assert repository.newest(chart, PLAIN) == "1.10.0"
    assert repository.newest(replace(chart, range=version_range("<1.10")), PLAIN) == "1.2.3"


# chart and version of the release that stands, the version that is wanted then, and whether the repository is asked
STANDING: dict[str, tuple[tuple[str, str] | None, str, bool]] = {
    "no release": (None, "1.10.0", True),
    "one that fits": (("web", "1.2.3"), "1.2.3", False),
    "one outside of the range": (("web", "1.1.0"), "1.10.0", True),
    "one of another chart": (("till", "1.2.3"), "1.10.0", True),
}


@pytest.mark.parametrize("case", STANDING)
def test_a_range_is_resolved_only_while_nothing_stands_that_fits(case: str, site: Site) -> None:
    standing, version, asked = STANDING[case]
    release = None
    if standing is not None:
        release = Release("web", "shop", 1, "deployed", "", *standing, "9", {}, "", None, "r1")
    spec = ReleaseSpec("web", "shop", replace(site.chart, version="", range=version_range("^1.2")), registry=PLAIN)
    nobody: Any = None  # neither helm nor the cluster knows the versions of an HTTP repository
    settled, note = source.settled(nobody, nobody, spec, release)
    assert settled.chart.version == version
    assert (note is not None, bool(site.asked)) == (asked, asked)


def test_an_archive_is_downloaded_and_checked(site: Site, tmp_path: Path) -> None:
    path = repository.download(site.chart, PLAIN, tmp_path)
    assert path.read_bytes() == ARCHIVE
    assert path.name == "web-1.2.3.tgz"
    site.pages["/web-1.2.3.tgz"] = b"another archive"
    with pytest.raises(ServiceError, match="DigestMismatch"):
        repository.download(site.chart, PLAIN, tmp_path)


def test_the_login_is_sent_to_the_repository(site: Site, tmp_path: Path) -> None:
    site.login = "Basic " + base64.b64encode(b"me:canary-password").decode()
    repository.download(site.chart, LOGIN, tmp_path)
    with pytest.raises(ServiceError, match="RegistryRefused") as caught:
        repository.download(site.chart, PLAIN, tmp_path)
    assert "registry_username" in caught.value.hint


@pytest.mark.parametrize("way", ["index", "redirect"])
def test_the_login_goes_nowhere_else(site: Site, open_site: Callable[..., Site], tmp_path: Path, way: str) -> None:
    other = open_site()
    other.pages = {"/files/web-1.2.3.tgz": ARCHIVE}
    if way == "index":
        site.pages["/index.yaml"] = index(f"{other.address}/files/web-1.2.3.tgz").encode()
    else:
        site.redirects["/web-1.2.3.tgz"] = f"{other.address}/files/web-1.2.3.tgz"
    repository.download(site.chart, LOGIN, tmp_path)
    assert site.asked[0][1].startswith("Basic ")
    assert other.asked == [("/files/web-1.2.3.tgz", "")]


WRONG: list[tuple[str, Callable[[Site], None], Registry, str, str]] = [
    ("no version", lambda site: None, PLAIN, "ChartVersionNotFound", "it has 1.10.0"),
    (
        "no chart",
        lambda site: site.pages.update({"/index.yaml": b"entries: {}"}),
        PLAIN,
        "ChartVersionNotFound",
        "no chart",
    ),
    ("no index", lambda site: site.pages.update({"/index.yaml": b"<html>"}), PLAIN, "NoIndex", "no index of charts"),
    ("no YAML", lambda site: site.pages.update({"/index.yaml": b"a: ["}), PLAIN, "NoIndex", "no index of charts"),
    ("not there", lambda site: site.pages.clear(), PLAIN, "RepositoryAnswer", "answered 404"),
    (
        "in a circle",
        lambda site: site.redirects.update({"/index.yaml": "/index.yaml"}),
        PLAIN,
        "TooMany",
        "redirects more",
    ),
    ("plain", lambda site: None, Registry(), "PlainHttp", "is plain HTTP"),
]


@pytest.mark.parametrize(("change", "registry", "code", "text"), [pytest.param(*row[1:], id=row[0]) for row in WRONG])
def test_what_cannot_be_had(
    site: Site, tmp_path: Path, change: Callable[[Site], None], registry: Registry, code: str, text: str
) -> None:
    change(site)
    with pytest.raises(ServiceError, match=text) as caught:
        repository.download(replace(site.chart, version="9.9.9"), registry, tmp_path)
    assert caught.value.code.startswith(code)


def test_nobody_listens(tmp_path: Path) -> None:
    chart = Chart("web", "web", "1.2.3", "http://127.0.0.1:1")
    with pytest.raises(ServiceError, match=r"127\.0\.0\.1:1 does not answer") as caught:
        repository.download(chart, PLAIN, tmp_path)
    assert caught.value.code == "RegistryUnreachable"


def test_an_answer_without_end_is_cut(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "ARCHIVE_LIMIT", 3)
    with pytest.raises(ServiceError, match="TooLarge"):
        repository.download(site.chart, PLAIN, tmp_path)
