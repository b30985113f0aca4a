# SPDX-License-Identifier: GPL-3.0-or-later
"""The kmcp program from a server of our own: what is installed, what is left alone, and what never is."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.direct import call

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import download
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import kmcp_cli as cli
from ansible_collections.mcpops.platform.plugins.modules import kmcp_cli

HOST = f"{os.uname().sysname.lower()}-{cli.ARCHITECTURES[os.uname().machine]}"
PAGE = b"<!DOCTYPE html><html>Not Found</html>"


def program(version: str) -> bytes:
    return f"#!/bin/sh\n[ \"$1\" = --version ] && echo 'kmcp version {version}'\n".encode()


class Mirror:
    """A server with files; `asked` are the requests, `login` what it wants to hear."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.login = ""
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(body=True)

            def do_HEAD(self) -> None:
                self.answer(body=False)

            def answer(self, body: bool) -> None:
                mirror.asked.append(f"{self.command} {self.path}")
                found = mirror.files.get(self.path)
                refused = mirror.login and self.headers.get("Authorization") != mirror.login
                content = PAGE if found is None or refused else found
                self.send_response(401 if refused else 404 if found is None else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if body:
                    self.wfile.write(content)

            def log_message(self, *_arguments: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v{{version}}/kmcp-{{os}}-{{arch}}"

    def release(self, version: str, content: bytes | None = None, checksum: str | None = None) -> str:
        """Puts a release there as upstream does, and returns its hash."""
        content = program(version) if content is None else content
        digest = hashlib.sha256(content).hexdigest()
        path = f"/v{version}/kmcp-{HOST}"
        # upstream's own form: the hash, two blanks, and a path that is not the file's name
        stated = f"{digest}  dist/kmcp-{HOST}\n" if checksum is None else checksum
        self.files |= {path: content, f"{path}.sha256": stated.encode()}
        return digest


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    found = Mirror()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.05,))
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bin" / "kmcp"


def run(path: Path, mirror: Mirror, **options: Any) -> dict[str, Any]:
    how = {key: options.pop(key) for key in ("check", "fails") if key in options}
    return call(kmcp_cli, path.parent, {"path": str(path), "url": mirror.url, **options}, **how)


def test_it_is_installed_once(path: Path, mirror: Mirror) -> None:
    digest = mirror.release("0.3.0")
    done = run(path, mirror, version="v0.3.0")
    assert (done["changed"], done["version"], done["sha256"]) == (True, "0.3.0", digest)
    assert path.read_bytes() == program("0.3.0")
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert done["diff"][0]["after"] == 'mode: "0755"\nversion: "0.3.0"\n'
    assert [entry.name for entry in path.parent.iterdir()] == ["kmcp"]
    assert f"{path.parent} is not in the PATH" in done["notes"][0]

    mirror.asked.clear()
    again = run(path, mirror)
    assert (again["changed"], again["diff"], mirror.asked) == (False, [], [])


def test_another_version_replaces_it_and_check_mode_says_so(path: Path, mirror: Mirror) -> None:
    mirror.release("0.2.8")
    mirror.release("0.3.0")
    run(path, mirror, version="0.2.8")
    planned = run(path, mirror, check=True)
    assert (planned["changed"], path.read_bytes()) == (True, program("0.2.8"))
    assert (planned["diff"][0]["before"], planned["diff"][0]["after"]) == ('version: "0.2.8"\n', 'version: "0.3.0"\n')
    done = run(path, mirror)
    assert done["diff"] == planned["diff"]
    assert path.read_bytes() == program("0.3.0")
    assert not run(path, mirror)["changed"]


def test_with_a_checksum_the_file_itself_counts(path: Path, mirror: Mirror) -> None:
    own = mirror.release("0.3.0", program("dev"), checksum="nothing that matters")
    done = run(path, mirror, checksum=f"sha256:{own.upper()}")
    assert done["changed"]
    assert not any(".sha256" in asked for asked in mirror.asked)
    assert not run(path, mirror, checksum=own)["changed"]
    path.write_bytes(program("0.3.0"))
    put_back = run(path, mirror, checksum=own)
    assert (put_back["changed"], path.read_bytes()) == (True, program("dev"))
    assert "it says version 0.3.0" in put_back["diff"][0]["before"]


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "wrong checksum of the release": ({"checksum": "0" * 64 + "  dist/kmcp\n"}, "ChecksumMismatch", "is wanted"),
    "a page for a checksum": ({"checksum": PAGE.decode()}, "NoChecksum", "does not begin with a SHA-256"),
    "the version of another release": ({"content": program("0.2.9")}, "WrongProgram", "reports version 0.2.9"),
    "a page that has its checksum": ({"content": PAGE}, "WrongProgram", "cannot be started, does not report"),
    "a program for another machine": ({"content": b"\x7fELF\0\0"}, "WrongProgram", "cannot be started"),
}


@pytest.mark.parametrize(("release", "code", "words"), BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("before", [None, program("0.2.8")], ids=["nothing there", "an older one there"])
def test_what_is_not_right_is_never_installed(
    path: Path, mirror: Mirror, before: bytes | None, release: dict[str, Any], code: str, words: str
) -> None:
    mirror.release("0.3.0", **release)
    if before is not None:
        path.parent.mkdir()
        path.write_bytes(before)
        path.chmod(0o755)
    failed = run(path, mirror, fails=True)
    assert failed["error"]["code"] == code
    assert words in failed["msg"]
    assert not failed["changed"]
    assert [entry.read_bytes() for entry in path.parent.glob("*")] == ([] if before is None else [before])
    assert list(path.parent.glob(".*")) == []


@pytest.mark.parametrize("check", [False, True], ids=["real run", "check mode"])
def test_a_page_for_a_missing_file_is_never_installed(path: Path, mirror: Mirror, check: bool) -> None:
    mirror.release("0.3.0")
    del mirror.files[f"/v0.3.0/kmcp-{HOST}"]
    for checksum in ({}, {"checksum": "a" * 64}):
        failed = run(path, mirror, fails=True, check=check, **checksum)
        assert (failed["error"]["code"], path.exists()) == ("HTTP404", False)
        assert "releases" in failed["error"]["hint"]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# what a server sends before it hangs up, or goes on with a byte at a time → code, words
BROKEN: dict[str, tuple[bytes, bytes, str, str]] = {
    "half a chunk": (CHUNKED + b"ff\r\nabc", b"", "Interrupted", "IncompleteRead"),
    "no size of a chunk": (CHUNKED + b"what\r\n", b"", "Interrupted", "IncompleteRead"),
    "less than promised": (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc", b"", "Interrupted", "broke off"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"", "NotReachable", "BadStatusLine"),
    "half of gzip": (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08", b"", "Interrupted", "broke off"),
    "endless drops": (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"a", "TooSlow", "not complete after 1 s"),
    "endless head": (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a", "TooSlow", "not complete after 1 s"),
}


@pytest.mark.parametrize(("begin", "drop", "code", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_or_endless_answer_leaves_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, begin: bytes, drop: bytes, code: str, words: str
) -> None:
    monkeypatch.setattr(download, "WHOLE", 1)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            peer, _address = listening.accept()
            with peer, suppress(OSError):
                peer.recv(65536)
                peer.sendall(begin)
                for _times in range(20 if drop else 0):
                    peer.sendall(drop)
                    time.sleep(0.1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/kmcp"
        options = {"path": str(path), "url": url, "checksum": "a" * 64, "timeout": 1}
        started = time.monotonic()
        failed = call(kmcp_cli, path.parent, options, fails=True)
        assert time.monotonic() - started < 5
        thread.join()
    assert (failed["error"]["code"], words in failed["msg"]) == (code, True), failed["msg"]
    assert "Nothing was installed" in failed["error"]["hint"]
    assert list(path.parent.iterdir()) == []


def test_a_program_that_never_says_its_version_is_not_waited_for(
    path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "VERSION_SECONDS", 0.5)
    mirror.release("0.3.0", b"#!/bin/sh\nsleep 60\n")
    started = time.monotonic()
    failed = run(path, mirror, fails=True)
    assert time.monotonic() - started < 10
    assert (failed["error"]["code"], path.exists()) == ("WrongProgram", False)
    assert "does not report its version within 0.5 s" in failed["msg"]
    # one that is there already is replaced
    path.write_bytes(b"#!/bin/sh\nsleep 60\n")
    path.chmod(0o755)
    mirror.release("0.3.0")
    assert run(path, mirror)["changed"]
    assert path.read_bytes() == program("0.3.0")


def test_a_soft_404_is_named_as_a_page(path: Path, mirror: Mirror) -> None:
    mirror.files[f"/v0.3.0/kmcp-{HOST}"] = PAGE
    failed = run(path, mirror, fails=True, checksum="b" * 64)
    assert "it is a web page (ChecksumMismatch)" in failed["msg"]
    assert not path.exists()


def test_a_page_that_others_installed_is_replaced(path: Path, mirror: Mirror) -> None:
    mirror.release("0.3.0")
    path.parent.mkdir()
    path.write_bytes(PAGE)
    path.chmod(0o755)
    done = run(path, mirror)
    assert 'version: "unknown"' in done["diff"][0]["before"]
    assert path.read_bytes() == program("0.3.0")


def test_a_mirror_with_a_login(path: Path, mirror: Mirror) -> None:
    mirror.release("0.3.0")
    mirror.login = "Basic bWU6aHVudGVyMg=="
    failed = run(path, mirror, fails=True)
    assert (failed["error"]["code"], "username and password" in failed["msg"]) == ("HTTP401", True)
    assert run(path, mirror, username="me", password="hunter2")["changed"]


def test_it_goes_and_stays_away(path: Path, mirror: Mirror) -> None:
    mirror.release("0.3.0")
    run(path, mirror)
    assert run(path, mirror, state="absent", check=True)["changed"]
    assert path.exists()
    gone = run(path, mirror, state="absent")
    assert (gone["changed"], gone["diff"][0]["before"], path.exists()) == (True, 'version: "0.3.0"\n', False)
    assert not run(path, mirror, state="absent")["changed"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_file_of_others_is_left_alone(path: Path, mirror: Mirror, state: str) -> None:
    mirror.release("0.3.0")
    other = path.with_name("python3")
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho Python 3\n")
    other.chmod(0o755)
    failed = run(other, mirror, state=state, fails=True)
    assert failed["error"]["kind"] == "refused"
    assert "does not report to be kmcp" in failed["msg"]
    assert "Python" in other.read_text()


def test_lost_permission_to_execute_is_given_back(path: Path, mirror: Mirror) -> None:
    digest = mirror.release("0.3.0")
    run(path, mirror)
    path.chmod(0o600)
    mirror.asked.clear()
    done = run(path, mirror, checksum=digest)
    assert done["diff"][0]["before"] == 'mode: "0600"\n'
    assert (stat.S_IMODE(path.stat().st_mode), mirror.asked) == (0o755, [])


def test_where_it_may_not_write_it_says_so(path: Path, mirror: Mirror) -> None:
    mirror.release("0.3.0")
    path.parent.write_text("a file, where a directory would have to be")
    failed = call(kmcp_cli, path.parent.parent, {"path": str(path), "url": mirror.url}, fails=True)
    assert failed["msg"].startswith(f"Writing {path}: ")
    assert "or run the task with become" in failed["msg"]


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no version": ({"version": "latest"}, "version", "is not one exact version"),
    "half a version": ({"version": "0.3"}, "version", "is not one exact version"),
    "no hash": ({"checksum": "sha256:abc"}, "checksum", "64 digits"),
    "relative path": ({"path": "bin/kmcp"}, "path", "not an absolute path"),
    "no path": ({"path": ""}, "path", "not an absolute path"),
    "unknown placeholder": ({"url": "https://m.example.com/{platform}"}, "url", "{platform}, which is not one of"),
    "no address": ({"url": "mirror/kmcp"}, "url", "is not an http, https or file address"),
    "credentials in the address": ({"url": "https://me:pw@m.example.com/kmcp"}, "url", "carries credentials"),
    "half a login": ({"username": "me"}, "username", "go together"),
    "no CA file": ({"ca_file": "/nonexistent/ca.pem"}, "ca_file", "is not a file"),
    "no time": ({"timeout": 0}, "timeout", "must be more than 0 seconds"),
}
GOOD: dict[str, Any] = {
    **{name: rule.get("default") for name, rule in kmcp_cli.ARGUMENT_SPEC.items()},
    "path": "/usr/local/bin/kmcp",
}


@pytest.mark.parametrize(("change", "where", "words"), WRONG.values(), ids=WRONG.keys())
def test_bad_options_are_named(change: dict[str, Any], where: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        cli.cli_spec({**GOOD, **change}, "Linux", "x86_64")
    [problem] = [one for one in caught.value.problems if one.path == where]
    assert words in problem.message


MACHINES = [
    ("Linux", "x86_64", "kmcp-linux-amd64"),
    ("Linux", "aarch64", "kmcp-linux-arm64"),
    ("Darwin", "arm64", "kmcp-darwin-arm64"),
    ("Darwin", "x86_64", "kmcp-darwin-amd64"),
]


@pytest.mark.parametrize(("system", "architecture", "asset"), MACHINES)
def test_every_machine_gets_its_own(system: str, architecture: str, asset: str) -> None:
    spec = cli.cli_spec(GOOD, system, architecture)
    assert spec.url == f"https://github.com/kagent-dev/kmcp/releases/download/v0.3.0/{asset}"
    assert spec.checksum_url == f"{spec.url}.sha256"


@pytest.mark.parametrize(("system", "architecture"), [("FreeBSD", "amd64"), ("Linux", "riscv64"), ("Linux", "i686")])
def test_a_machine_that_kmcp_is_not_built_for(system: str, architecture: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        cli.cli_spec(GOOD, system, architecture)
    assert "only for linux-amd64, linux-arm64, darwin-amd64, darwin-arm64" in caught.value.message()
