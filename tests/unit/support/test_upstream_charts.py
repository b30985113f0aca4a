# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts of others: nothing about them is changed silently, and what is not the pinned content is not used."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from support import upstream_charts
from support.upstream_charts import Module, UpstreamChart

from localcloud.settings import Settings

CHARTS = upstream_charts.load()
MODULE = Module("example.invalid/web", "v1.2.3", "h1:pinned")


def test_there_are_enough_of_them() -> None:
    assert len(CHARTS) >= 10
    assert len({chart.module.path for chart in CHARTS.values()}) >= 10


def test_every_module_is_pinned_and_used() -> None:
    pinned = yaml.safe_load(upstream_charts.DATA.read_text(encoding="utf-8"))["modules"]
    assert set(pinned) == {chart.module.path for chart in CHARTS.values()}
    for row in pinned.values():
        algorithm, _, digest = row["sum"].partition(":")
        assert (algorithm, len(base64.b64decode(digest))) == ("h1", 32)


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_whatever_is_done_to_a_chart_has_a_reason(chart: UpstreamChart) -> None:
    done = (chart.values, chart.without_dependencies, chart.without_files, chart.fill_in, chart.namespace, chart.needs)
    assert bool(chart.why) == any(done)
    assert set(chart.needs) <= set(CHARTS)


Fetch = Callable[..., Path]


@pytest.fixture
def fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    """`fetch(chart, sum=, error=)` with a `go` that has one module."""
    source = tmp_path / "module" / "charts" / "web"
    (source / "templates").mkdir(parents=True)
    dependencies = [{"name": "cache", "version": "1.0.0"}, {"name": "queue", "version": "2.0.0"}]
    (source / "Chart.yaml").write_text(yaml.safe_dump({"name": "web", "dependencies": dependencies}))
    (source / "Chart.lock").write_text("digest: x\n")
    (source / "values.tmpl.yaml").write_text("image: ${Image}\n")
    (source / "templates" / "hook.yaml").write_text("kind: Job\n")

    def run(chart: UpstreamChart, *, content: str = MODULE.sum, error: str = "") -> Path:
        answer = {"Path": MODULE.path, "Sum": content, "Dir": str(source.parents[1])} | (
            {"Error": error} if error else {}
        )
        (tmp_path / "answer.json").write_text(json.dumps(answer))
        program = tmp_path / "bin" / "go"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ncat {tmp_path}/answer.json\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        settings = Settings(cache=tmp_path / "cache", state=tmp_path / "state")
        return upstream_charts.fetch(settings, [chart])[chart.name]

    return run


def test_a_chart_is_kept_as_it_is(fetch: Fetch) -> None:
    directory = fetch(UpstreamChart("web", MODULE, "charts/web"))
    assert sorted(path.name for path in directory.iterdir()) == [
        "Chart.lock",
        "Chart.yaml",
        "templates",
        "values.tmpl.yaml",
    ]
    # the second time nobody is asked
    assert fetch(UpstreamChart("web", MODULE, "charts/web"), error="no network") == directory


def test_what_the_data_file_says_is_done_to_it(fetch: Fetch) -> None:
    directory = fetch(
        UpstreamChart(
            "web",
            MODULE,
            "charts/web",
            without_dependencies=("cache",),
            without_files=("templates/hook.yaml",),
            fill_in={"file": "values.tmpl.yaml", "words": {"Image": "web:1"}},
        )
    )
    chart = yaml.safe_load((directory / "Chart.yaml").read_text())
    assert [row["name"] for row in chart["dependencies"]] == ["queue"]
    assert not (directory / "Chart.lock").exists()
    assert not (directory / "templates" / "hook.yaml").exists()
    assert yaml.safe_load((directory / "values.yaml").read_text()) == {"image": "web:1"}


@pytest.mark.parametrize(
    ("chart", "answer", "message"),
    [
        pytest.param({}, {"content": "h1:other"}, "is h1:other, but charts.yml pins h1:pinned", id="another-content"),
        pytest.param({}, {"error": "403 Forbidden"}, "cannot be downloaded: 403 Forbidden", id="not-to-be-had"),
        pytest.param(
            {"without_dependencies": ("other",)}, {}, "does not have all of these dependencies: other", id="dependency"
        ),
    ],
)
def test_what_is_not_as_expected_is_not_used(
    chart: dict[str, tuple[str, ...]], answer: dict[str, str], message: str, fetch: Fetch, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match=message):
        fetch(UpstreamChart("web", MODULE, "charts/web", **chart), **answer)
    assert list((tmp_path / "cache").rglob("Chart.yaml")) == []
