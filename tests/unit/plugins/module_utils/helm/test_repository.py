# SPDX-License-Identifier: GPL-3.0-or-later
"""What the index of an HTTP repository decides; helm itself reads repositories in tests/contract/helm."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import drift
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart, version_range
from ansible_collections.mcpops.platform.plugins.module_utils.helm.cli import Helm
from ansible_collections.mcpops.platform.plugins.module_utils.helm.command import HelmFiles
from ansible_collections.mcpops.platform.plugins.module_utils.helm.release_record import Release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import Registry, ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import Access

ARCHIVE = b"an archive"
DIGEST = hashlib.sha256(ARCHIVE).hexdigest()
REPOSITORY = "https://charts.example.org/stable"
CHART = Chart("web", "web", "1.2.3", REPOSITORY)
RANGE = replace(CHART, version="", range=version_range("^1.2"))
KUBE: Any = SimpleNamespace(access=Access(server="https://127.0.0.1:6443"))


def index(url: str = "web-1.2.3.tgz", digest: str = DIGEST) -> str:
    return f"""
apiVersion: v1
entries:
  web:
    - {{version: 1.10.0, urls: [{url}], digest: {digest}, created: 2026-13-45T99:00:00Z}}
    - {{version: v1.2.3, urls: [{url}], digest: "{digest}"}}
    - {{version: 1.11.0-rc.1, urls: [{url}]}}
    - {{version: nightly, urls: [{url}]}}
    - {{version: 1.12.0, urls: []}}
"""


class FakeHelm:
    """A helm that got this index and this archive."""

    files = Helm.files

    def __init__(self, directory: Path, text: str = "", archive: bytes = ARCHIVE) -> None:
        self.text, self.archive, self.path = text or index(), archive, directory / "some.tgz"
        self.asked: list[str] = []

    def index(self, _chart: Chart, _files: HelmFiles) -> str:
        self.asked.append("index")
        return self.text

    def pull(self, _spec: ReleaseSpec, version: str, _files: HelmFiles) -> tuple[Path, str]:
        self.asked.append(version)
        self.path.write_bytes(self.archive)
        return self.path, ""

    def fetched(self, chart: Chart = CHART, registry: Registry = Registry()) -> Chart:  # noqa: B008
        spec = ReleaseSpec("web", "shop", chart, registry=registry)
        return drift.with_local_chart(cast(Helm, self), spec, cast(HelmFiles, None)).chart


# chart and version of the release that stands, the version that is wanted then, and whether the repository is asked
STANDING: dict[str, tuple[tuple[str, str] | None, str, bool]] = {
    "no release": (None, "1.10.0", True),
    "one that fits": (("web", "1.2.3"), "1.2.3", False),
    "one outside of the range": (("web", "1.1.0"), "1.10.0", True),
    "one of another chart": (("till", "1.2.3"), "1.10.0", True),
}


@pytest.mark.parametrize("case", STANDING)
def test_a_range_is_resolved_only_while_nothing_stands_that_fits(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    existing, version, asked = STANDING[case]
    helm = FakeHelm(tmp_path)
    started: list[Any] = []
    monkeypatch.setattr(Helm, "find", lambda *given: started.append(given) or helm)
    release = None
    if existing is not None:
        release = Release("web", "shop", 1, "deployed", "", *existing, "9", {}, "", None, "r1")
    settled, note = drift.with_exact_version(cast(Any, None), KUBE, ReleaseSpec("web", "shop", RANGE), release)
    assert settled.chart.version == version
    assert (note is not None, bool(started), bool(helm.asked)) == (asked, asked, asked)


@pytest.mark.parametrize(("text", "version"), [("^1.2", "1.10.0"), ("<1.10", "v1.2.3"), (">=1.11.0-0", "1.11.0-rc.1")])
def test_the_newest_version_that_fits_as_the_index_writes_it(tmp_path: Path, text: str, version: str) -> None:
    helm = FakeHelm(tmp_path)
    helm.fetched(replace(RANGE, range=version_range(text)))
    assert helm.asked == ["index", version]


@pytest.mark.parametrize("digest", [DIGEST, f"sha256:{DIGEST}", ""], ids=["bare", "with its kind", "none"])
def test_an_archive_is_checked_against_the_index(tmp_path: Path, digest: str) -> None:
    chart = FakeHelm(tmp_path, index(digest=digest)).fetched()
    assert chart == replace(CHART, location=str(tmp_path / "some.tgz"), repository="")
    tampered = FakeHelm(tmp_path, index(digest=digest), b"another archive")
    if not digest:
        assert tampered.fetched() == chart
        return
    with pytest.raises(ServiceError, match="DigestMismatch"):
        tampered.fetched()


HTTP = replace(CHART, repository="http://charts.example.org")
# index, chart, how it is reached → code, text, and what helm was asked before
WRONG: dict[str, tuple[str, Chart, Registry, str, str, list[str]]] = {
    "no version": (
        index(),
        replace(CHART, version="9.9.9"),
        Registry(),
        "ChartVersionNotFound",
        "it has 1.10.0",
        ["index"],
    ),
    "no version in a range": (
        index(),
        replace(RANGE, range=version_range("^7")),
        Registry(),
        "ChartVersionNotFound",
        r"no version \^7 of web",
        ["index"],
    ),
    "no chart": ("apiVersion: v1\nentries: {}", CHART, Registry(), "ChartVersionNotFound", "no chart web", ["index"]),
    "nothing": ("apiVersion: v1", CHART, Registry(), "ChartVersionNotFound", "no chart web", ["index"]),
    "plain HTTP": (index(), HTTP, Registry(), "PlainHttp", "charts.example.org is plain HTTP", []),
    "an archive over plain HTTP": (
        index("http://files.example.org/web-1.2.3.tgz"),
        CHART,
        Registry(),
        "PlainHttp",
        "files.example.org/web-1.2.3.tgz is plain HTTP",
        ["index"],
    ),
}


@pytest.mark.parametrize(("text", "chart", "registry", "code", "stated", "asked"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_had(
    tmp_path: Path, text: str, chart: Chart, registry: Registry, code: str, stated: str, asked: list[str]
) -> None:
    helm = FakeHelm(tmp_path, text)
    with pytest.raises(ServiceError, match=stated) as caught:
        helm.fetched(chart, registry)
    assert (caught.value.code, helm.asked) == (code, asked)


def test_plain_http_is_spoken_when_it_is_meant(tmp_path: Path) -> None:
    assert FakeHelm(tmp_path).fetched(HTTP, Registry(plain_http=True)).repository == ""


def test_a_declared_digest_counts_beside_that_of_the_index(tmp_path: Path) -> None:
    spec = ReleaseSpec("web", "shop", CHART, digest="0" * 64)
    with pytest.raises(ServiceError, match="chart_digest says 0000") as failure:
        drift.with_local_chart(cast(Helm, FakeHelm(tmp_path)), spec, cast(HelmFiles, None))
    assert failure.value.code == "DigestMismatch"
    right = replace(spec, digest=hashlib.sha256(ARCHIVE).hexdigest())
    assert drift.with_local_chart(cast(Helm, FakeHelm(tmp_path)), right, cast(HelmFiles, None)).chart.location
