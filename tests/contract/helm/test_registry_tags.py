# SPDX-License-Identifier: GPL-3.0-or-later
"""A real helm and a registry whose tags carry a leading v, or do not: a version is found as it is written, or the other
way."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import drift
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import resolve_chart
from ansible_collections.mcpops.platform.plugins.module_utils.helm.cli import Helm
from ansible_collections.mcpops.platform.plugins.module_utils.helm.command import helm_files
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import Registry, ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import Access
from ansible_collections.mcpops.platform.plugins.module_utils.task import CommandOutput, Task

pytestmark = pytest.mark.contract

HELM = str(Path(sys.executable).parent / "helm")
ACCESS = Access(server="https://127.0.0.1:6443", no_proxy="127.0.0.1")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OF_HELM = "application/vnd.cncf.helm"


class RunningTask:
    """Runs helm as a task does, in a home of its own."""

    check_mode = False

    def __init__(self, home: Path) -> None:
        self.environment = {"HOME": str(home), "PATH": os.environ["PATH"]}

    def progress(self, message: str) -> None: ...

    def run_command(self, argv: Any, stdin: str | None = None, env: Any = None, shown: bool = False) -> CommandOutput:
        whole = {**self.environment, **(env or {})}
        done = subprocess.run(argv, input=stdin, env=whole, capture_output=True, text=True, check=False)
        return CommandOutput(done.returncode, done.stdout, done.stderr)


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    directory = tmp_path_factory.mktemp("charts")
    (directory / "web" / "templates").mkdir(parents=True)

    def packaged(version: str) -> bytes:
        (directory / "web" / "Chart.yaml").write_text(f"apiVersion: v2\nname: web\nversion: {version}\n")
        subprocess.run([HELM, "package", "web"], cwd=directory, check=True, capture_output=True)
        return (directory / f"web-{version}.tgz").read_bytes()

    return packaged


@pytest.fixture
def registry(archive: Callable[[str], bytes]) -> Iterator[Callable[..., str]]:
    """An address with charts by their tags, as the distribution specification has it."""
    blobs: dict[str, bytes] = {}
    tags: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reference = self.path.rpartition("/")[2]
            body = blobs.get(tags.get(reference, reference))
            if self.path.endswith("/tags/list"):
                body = json.dumps({"name": "charts/web", "tags": list(tags)}).encode()
            elif self.path == "/v2/":
                body = b"{}"
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", MANIFEST if "/manifests/" in self.path else "application/json")
            self.send_header("Docker-Content-Digest", digest_of(body or b""))
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"")

        do_HEAD = do_GET

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def holding(**charts: str) -> str:
        for tag, version in charts.items():
            packed, settings = archive(version), json.dumps({"name": "web", "version": version}).encode()
            parts = [(f"{OF_HELM}.config.v1+json", settings), (f"{OF_HELM}.chart.content.v1.tar+gzip", packed)]
            for _kind, content in parts:
                blobs[digest_of(content)] = content
            rows = [{"mediaType": kind, "digest": digest_of(one), "size": len(one)} for kind, one in parts]
            manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": rows[0], "layers": rows[1:]}
            body = json.dumps(manifest).encode()
            blobs[digest_of(body)] = body
            tags[tag] = digest_of(body)
        return f"oci://127.0.0.1:{server.server_address[1]}/charts/web"

    yield holding
    server.shutdown()
    server.server_close()


def found(address: str, version: str, home: Path) -> str:
    """The version in the Chart.yaml that helm was given."""
    chart, problems = resolve_chart(address, version)
    assert problems == [] and chart is not None
    spec = ReleaseSpec("web", "shop", chart, registry=Registry(plain_http=True), helm_binary=HELM)
    task = cast(Task, RunningTask(home))
    helm = Helm.find(task, HELM)
    if not chart.version:
        spec, _note = drift.with_exact_version(task, cast(Any, type("Kube", (), {"access": ACCESS})), spec, None)
    with helm_files(ACCESS, spec.registry, spec.chart) as files:
        archive, _digest = helm.pull(spec, spec.chart.version, files)
        assert helm.own_name(spec, files) == "web"
        with tarfile.open(archive) as opened:
            described = opened.extractfile("web/Chart.yaml")
            assert described is not None
            return str(yaml.safe_load(described.read())["version"])


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        ("1.2.3", "1.2.3"),
        ("1.2.3", "v1.2.3"),
        ("v1.2.3", "1.2.3"),
        ("v1.2.3", "v1.2.3"),
        # helm looks for ranges among tags without a v
        ("1.2.3", "~1.2"),
        ("1.2.3", "^1"),
    ],
)
def test_a_version_is_found_under_either_tag(
    registry: Callable[..., str], tmp_path: Path, tag: str, written: str
) -> None:
    assert found(registry(**{tag: "1.2.3", "0.9.0": "0.9.0"}), written, tmp_path) == "1.2.3"


@pytest.mark.parametrize(("written", "version"), [("1.2.3", "1.2.3"), ("v1.2.3", "1.2.4")])
def test_where_both_are_there_it_is_the_one_that_is_written(
    registry: Callable[..., str], tmp_path: Path, written: str, version: str
) -> None:
    """The second chart says of itself to be another one, so that it can be told which was taken."""
    assert found(registry(**{"1.2.3": "1.2.3", "v1.2.3": "1.2.4"}), written, tmp_path) == version


def test_what_neither_tag_has(registry: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"has no version 9\.9\.9.*with a leading v and without;") as failure:
        found(registry(**{"1.2.3": "1.2.3"}), "v9.9.9", tmp_path)
    assert failure.value.code == "ChartVersionNotFound"
