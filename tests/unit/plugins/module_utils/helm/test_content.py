# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import io
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import chart, content
from ansible_collections.mcpops.platform.plugins.module_utils.helm.content import Content, Ignore
from ansible_collections.mcpops.platform.plugins.module_utils.helm.release_record import Release

FILES = {
    "Chart.yaml": b'apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: "2.0"\n',
    "values.yaml": b"replicas: 2\nratio: 0.5\n",
    "templates/a.yaml": b"a: 1\n",
    "LICENSE": b"free",
}


def encoded(name: str, data: bytes) -> dict[str, str]:
    return {"name": name, "data": base64.b64encode(data).decode()}


RECORDED: dict[str, Any] = {
    "metadata": {"name": "web", "version": "1.2.3", "appVersion": "2.0"},
    "templates": [encoded("templates/a.yaml", b"a: 1\n")],
    "files": [encoded("LICENSE", b"free")],
    "values": {"replicas": 2, "ratio": 0.5},
}
RELEASE = Release("web", "shop", 4, "deployed", "", "web", "1.2.3", "9", {}, "", None, "s", chart=RECORDED)


def paths(files: dict[str, bytes], release: Release = RELEASE) -> list[str]:
    return [change.path for change in content.content_changes(Content(files), release)]


CHANGED: dict[str, tuple[dict[str, bytes], list[str]]] = {
    "nothing": ({}, []),
    "a template": ({"templates/a.yaml": b"a: 2\n"}, ['chart."templates/a.yaml"']),
    "a new file": ({"motto": b"x"}, ["chart.motto"]),
    "a default": ({"values.yaml": b"replicas: 3\nratio: 0.5\n"}, ['chart."values.yaml"']),
    "a comment among the defaults": ({"values.yaml": b"# two\nreplicas: 2\nratio: 0.5\n"}, []),
    "a schema": ({"values.schema.json": b"{}"}, ['chart."values.schema.json"']),
    "the application's version": ({"Chart.yaml": FILES["Chart.yaml"].replace(b"2.0", b"2.1")}, ["chart.appVersion"]),
    "only when it was packed": ({"Chart.lock": b"generated: now"}, []),
    "the defaults of one with subcharts, which the record mixes": (
        {"values.yaml": b"replicas: 3\n", "charts/db/Chart.yaml": b"name: db"},
        [],
    ),
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_the_record_tells(case: str) -> None:
    more, expected = CHANGED[case]
    files = {**FILES, **more}
    assert paths(files) == expected


def test_a_file_that_is_gone_is_a_change() -> None:
    assert paths({name: data for name, data in FILES.items() if name != "LICENSE"}) == ["chart.LICENSE"]


def test_our_mark_tells_of_subcharts_too_as_long_as_it_is_of_that_revision() -> None:
    files = {**FILES, "charts/db/templates/a.yaml": b"1"}
    marked = replace(RELEASE, labels={content.CONTENT_LABEL: Content(files).label(4)})
    assert paths(files, marked) == []
    edited = {**files, "charts/db/templates/a.yaml": b"2"}
    assert paths(edited, marked) == ["chart.charts"]
    # what the label says is the whole truth, whatever the record is like
    assert paths({**files, "LICENSE": b"other"}, replace(marked, labels={content.CONTENT_LABEL: "r4-" + "0" * 40})) == [
        "chart.LICENSE"
    ]
    copied = replace(RELEASE, revision=5, labels=marked.labels)
    assert paths(edited, copied) == []
    assert len(Content(files).label(10**6)) <= 63


IGNORED: dict[str, tuple[str, list[str], list[str]]] = {
    "names anywhere": ("*.md\n.git", ["README.md", "docs/a.md", ".git"], ["README.mdx", "templates/a.yaml"]),
    "folders": ("tmp/", ["tmp/"], ["tmp", "tmp.txt"]),
    "from the top": ("/values-*.yaml", ["values-dev.yaml"], ["ci/values-dev.yaml"]),
    "paths": ("ci/*.yaml", ["ci/a.yaml"], ["a.yaml", "x/ci/a.yaml", "ci/deep/a.yaml"]),
    "hidden templates": ("", ["templates/.swp"], ["templates/_helpers.tpl", ".helmignore"]),
    "comments and blanks": ("# *\n\n  *.bak  ", ["a.bak"], ["#", "a"]),
    "sets": ("[^ab].txt", ["c.txt"], ["a.txt"]),
}


@pytest.mark.parametrize("case", IGNORED)
def test_what_helm_ignores(case: str) -> None:
    text, ignored, kept = IGNORED[case]
    rules = Ignore(text)
    assert [path for path in ignored if not rules.matches(path.rstrip("/"), path.endswith("/"))] == []
    assert [path for path in kept if rules.matches(path, False)] == []


def archive(files: dict[str, bytes], top: str, mtime: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as packed:
        for name, data in files.items():
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size, info.mtime = len(data), mtime
            packed.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_a_directory_and_its_archive_are_one_chart(tmp_path: Path) -> None:
    place = tmp_path / "web"
    for name, data in {**FILES, ".helmignore": b"*.md\nprivate/\n", "private/key": b"k", "a.md": b"m"}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    (place / "values.yaml").write_bytes(b"\xef\xbb\xbf" + FILES["values.yaml"])
    (place / "loop").symlink_to(place)
    (place / "charts").mkdir()
    sub = archive({"Chart.yaml": b"name: db"}, "db", 1)
    (place / "charts" / "db-1.0.0.tgz").write_bytes(sub)
    packed = tmp_path / "web-1.2.3.tgz"
    # the same subchart, packed at another time
    again = archive({"Chart.yaml": b"name: db"}, "db", 2)
    whole = {**FILES, ".helmignore": b"*.md\nprivate/\n", "charts/db-1.0.0.tgz": again}
    packed.write_bytes(archive(whole, "web", 3))
    assert again != sub
    assert content.read_content(place).digest == content.read_content(packed).digest


def test_a_chart_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "web.tgz").write_bytes(b"no archive")
    with pytest.raises(ServiceError, match="Reading the chart"):
        content.read_content(tmp_path / "web.tgz")


def test_half_an_archive_is_told(tmp_path: Path) -> None:
    packed = archive({**FILES, "motto": bytes(range(256)) * 400}, "web", 1)
    place = tmp_path / "web-1.2.3.tgz"
    for part in (packed[: len(packed) // 2], packed[:30], packed[:40] + b"\xff" * 40 + packed[80:]):
        place.write_bytes(part)
        with pytest.raises(ServiceError, match="Reading the chart") as reported:
            content.read_content(place)
        assert reported.value.code == "ChartNotReadable"
        # what comes before the fault may be all that is read here
        found, problems = chart.resolve_chart(str(place), None)
        assert found is not None or [problem.path for problem in problems] == ["chart_ref"]


def test_a_subchart_that_is_half_an_archive_is_left_to_helm() -> None:
    half = archive({"Chart.yaml": b"name: db"}, "db", 1)[:40] + b"\xff" * 40
    assert list(content._opened("charts/db-1.0.0.tgz", half)) == [("charts/db-1.0.0.tgz", half)]


@pytest.mark.parametrize("name", ["values.yaml", "Chart.yaml"])
@pytest.mark.parametrize("text", [b"a: [1\n", b"a: b: c\n", b"\tx: 1\n"])
def test_a_chart_that_is_no_yaml_is_told(name: str, text: bytes) -> None:
    with pytest.raises(ServiceError, match=f"Reading {name} of chart web") as reported:
        paths({**FILES, name: text})
    assert reported.value.code == "ChartNotReadable"
