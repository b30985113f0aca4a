# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.helm import chart
from ansible_collections.mcpops.platform.plugins.module_utils.helm.command import chart_arguments


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("0.3.0", "0.3.0"),
        ("v0.3.0", "0.3.0"),
        ("1.2.3-rc.1", "1.2.3-rc.1"),
        ("1.2.3+build.5", "1.2.3+build.5"),
        ("0.3", None),
        ("v1", None),
        ("~0.3", None),
        ("latest", None),
        ("", None),
        (">=1.0.0", None),
        ("1.2.3 ", "1.2.3"),
    ],
)
def test_a_version_is_exact_or_it_is_none(text: str, exact: str | None) -> None:
    assert chart.exact_version(text) == exact


def test_a_range_is_kept_until_somebody_is_asked() -> None:
    found, problems = chart.resolve_chart("oci://ghcr.io/a/b", "~1.2")
    assert problems == []
    assert found is not None
    assert (found.version, found.shown_version) == ("", "~1.2")


def test_a_chart_of_a_repository() -> None:
    found, problems = chart.resolve_chart("web", "1.2.3", "https://charts.example.org/stable/")
    assert problems == []
    assert found is not None
    assert (found.repository, found.registry) == ("https://charts.example.org/stable", "")


def test_a_chart_of_a_registry() -> None:
    found, problems = chart.resolve_chart("oci://ghcr.io/kagent-dev/kmcp/helm/kmcp-crds", "v0.3.0")
    assert problems == []
    assert found is not None
    assert (found.name, found.version, found.registry) == ("kmcp-crds", "0.3.0", "ghcr.io")


@pytest.mark.parametrize(
    ("written", "asked"), [("v1.9.1", "v1.9.1"), ("1.9.1", "1.9.1"), (" v1.9.1 ", "v1.9.1"), ("~1.9", "~1.9")]
)
def test_a_registry_is_asked_for_the_tag_as_it_is_written(written: str, asked: str) -> None:
    """Charts of Envoy Gateway and cert-manager are tagged with a leading v, those of KMCP without."""
    found, problems = chart.resolve_chart("oci://docker.io/envoyproxy/gateway-helm", written)
    assert problems == []
    assert found is not None
    spec: Any = SimpleNamespace(chart=found, registry=SimpleNamespace(plain_http=False, ca_file=""))
    assert chart_arguments(spec) == ["oci://docker.io/envoyproxy/gateway-helm", "--version", asked]
    assert not found.version.startswith("v")


def test_a_registry_on_a_port() -> None:
    found, _ = chart.resolve_chart("oci://127.0.0.1:5000/a/b", "1.0.0")
    assert found is not None
    assert found.registry == "127.0.0.1:5000"


@pytest.mark.parametrize(
    ("chart_ref", "version", "paths", "text"),
    [
        ("oci://ghcr.io/a/b", None, ["chart_version"], "required"),
        ("oci://ghcr.io/a/b", "0.3", ["chart_version"], "~0.3 for the newest"),
        ("oci://ghcr.io/a/b:1.0.0", "1.0.0", ["chart_ref"], "tag or digest"),
        ("oci://ghcr.io/A/B", "1.0.0", ["chart_ref"], "lower case"),
        ("https://charts.example.org/a", "1.0.0", ["chart_ref"], "neither oci://"),
        ("ftp://charts.example.org/a", "1.0.0", ["chart_ref"], "neither oci://"),
        ("https://charts.example.org/a", "1", ["chart_version", "chart_ref"], "neither oci://"),
        ("/nonexistent/chart", None, ["chart_ref"], "not a readable chart"),
    ],
)
def test_what_is_wrong_is_said_in_full(chart_ref: str, version: str | None, paths: list[str], text: str) -> None:
    found, problems = chart.resolve_chart(chart_ref, version)
    assert found is None
    assert [problem.path for problem in problems] == paths
    assert any(text in problem.message for problem in problems)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    place = tmp_path / "web"
    place.mkdir()
    (place / "Chart.yaml").write_text("name: web\nversion: 1.2.3\n")
    return place


def test_a_chart_directory_and_its_archive(directory: Path) -> None:
    archive = directory.parent / "web-1.2.3.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(directory, "web")
    for path in (directory, archive):
        found, problems = chart.resolve_chart(str(path), None)
        assert problems == []
        assert found == chart.Chart(str(path), "web", "1.2.3")
        assert found.registry == ""


def test_a_relative_path_is_told_with_where_it_begins(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(directory.parent)
    assert chart.resolve_chart("web", None)[0] is not None
    (problem,) = chart.resolve_chart("wbe", None)[1]
    begins = f"wbe in {directory.parent}, where relative paths begin, is not a readable chart: there is no such file"
    assert problem.message.startswith(begins)


def test_a_chart_on_disk_of_another_version(directory: Path) -> None:
    found, problems = chart.resolve_chart(str(directory), "1.2.4")
    assert found is None
    assert "is 1.2.3" in problems[0].message


@pytest.mark.parametrize(("wanted", "fits"), [("~1.2", True), (">=2", False)])
def test_a_chart_on_disk_and_a_range(directory: Path, wanted: str, fits: bool) -> None:
    found, problems = chart.resolve_chart(str(directory), wanted)
    assert (found is not None) == fits
    assert fits or f"{wanted} is asked for" in problems[0].message
