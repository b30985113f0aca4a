# SPDX-License-Identifier: GPL-3.0-or-later
"""A chart on disk that was changed under the same version is another chart; one that failed half way has changed."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

CHART = Path(__file__).parent / "charts" / "greeting"
Run = Callable[..., dict[str, Any]]
NOTE = """apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-note}
data: {note: {{ .Values.note | default "first" | quote }}}
"""


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A chart with a subchart, a file that helm ignores, and one that it does not."""
    place = tmp_path / "charts" / "ledger"
    below = place / "charts" / "notes"
    for folder, name in ((place, "ledger"), (below, "notes")):
        (folder / "templates").mkdir(parents=True)
        (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 0.1.0\nappVersion: '1'\n")
        (folder / "values.yaml").write_text("note: first\n")
        (folder / "templates" / "note.yaml").write_text(NOTE.replace("-note", f"-{name}"))
    (place / ".helmignore").write_text("*.md\nsecrets/\n")
    (place / "README.md").write_text("read me")
    (place / "motto.txt").write_text("carpe diem")
    return place


def touch(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


EDITS: dict[str, tuple[str, str, bool]] = {
    "a template": ("templates/note.yaml", NOTE.replace("-note", "-ledger") + "# more\n", True),
    "a new template": ("templates/more.yaml", NOTE.replace("-note", "-more"), True),
    "a file that templates read": ("motto.txt", "festina lente", True),
    "defaults": ("values.yaml", "note: second\n", True),
    "the application's version": (
        "Chart.yaml",
        "apiVersion: v2\nname: ledger\nversion: 0.1.0\nappVersion: '2'\n",
        True,
    ),
    "a subchart's template": ("charts/notes/templates/note.yaml", NOTE.replace("-note", "-notes") + "# more\n", True),
    "a subchart's defaults": ("charts/notes/values.yaml", "note: second\n", True),
    "what helm ignores": ("README.md", "read me again", False),
    "a folder that helm ignores": ("secrets/key", "k", False),
    "a lock with another date": ("Chart.lock", "dependencies: []\ngenerated: '2026-01-01T00:00:00Z'\n", False),
}


def test_what_was_edited_is_upgraded(direct: Run, namespace: str, chart: Path) -> None:
    release = {"name": "ledger", "namespace": namespace, "chart_ref": str(chart)}
    assert direct(release)["release"]["revision"] == 1
    assert not direct(release)["changed"]
    revision = 1
    for name, (path, text, matters) in EDITS.items():
        touch(chart / path, text)
        expected_outcome = direct(release, check=True)
        assert expected_outcome["changed"] is matters, name
        done = direct(release)
        assert done["changed"] is matters, name
        revision += matters
        assert done["release"]["revision"] == revision, name
        assert not direct(release)["changed"], name
    # the same as an archive is the same chart
    archive = chart.with_name("ledger-0.1.0.tgz")
    with tarfile.open(archive, "w:gz") as packed:
        for file in sorted(chart.rglob("*")):
            if file.name != "README.md" and "secrets" not in file.parts and file.is_file():
                packed.add(file, f"ledger/{file.relative_to(chart)}")
    assert not direct({**release, "chart_ref": str(archive)}, check=True)["changed"]


def test_what_somebody_else_installed_is_compared_as_far_as_its_record_tells(
    direct: Run, namespace: str, chart: Path, helm: Callable[..., list[str]]
) -> None:
    release = {"name": "ledger", "namespace": namespace, "chart_ref": str(chart)}
    subprocess.run(helm("install", "ledger", str(chart)), check=True, capture_output=True)
    assert not direct(release)["changed"]
    touch(chart / "templates" / "note.yaml", EDITS["a template"][1])
    assert direct(release)["changed"]
    # a person's helm copies our mark to its own revision, which is of another chart
    other = chart.parent / "other" / "ledger"
    shutil.copytree(chart, other)
    touch(other / "templates" / "note.yaml", NOTE.replace("-note", "-ledger") + "# theirs\n")
    subprocess.run(helm("upgrade", "ledger", str(other)), check=True, capture_output=True)
    shown = direct(release, check=True)
    assert shown["changed"]
    assert 'chart."templates/note.yaml"' in shown["msg"]


def test_a_release_that_fails_half_way_has_changed(
    cluster: Any, namespace: str, release: dict[str, Any], direct: Run
) -> None:
    # nothing was written: the chart refuses its values
    refused = direct({**release, "values": {"text": {"a": "mapping"}, "image": {"b": 1}}}, fails=True)
    there = cluster.get("secret", "-n", namespace)["items"]
    assert refused["changed"] is bool(there)

    held = {**release, "wait_timeout": 2, "values": {**release["values"], "hold": True}}
    failed = direct(held, fails=True)
    assert failed["changed"]
    assert any("release" in line for line in failed["done"])
    assert cluster.get("configmap", "hello-text", "-n", namespace)


def test_a_release_that_does_not_become_ready_has_changed(
    cloud: Any, cluster: Any, namespace: str, release: dict[str, Any], direct: Run
) -> None:
    broken = {**release, "values": {**release["values"], "image": f"{cloud.registry}/pause:no-such-tag"}}
    failed = direct(broken, fails=True)
    assert failed["error"]["kind"] == "not_ready"
    assert (failed["changed"], len(failed["done"])) == (True, 1)
    # waited for again, nothing is written
    again = direct({**broken, "wait_timeout": 2}, fails=True)
    assert (again["changed"], again.get("done")) == (False, None)
    # and a repair before the wait is one
    cluster.kubectl("patch", "configmap", "hello-text", "-n", namespace, "--type=merge", "-p", '{"data":{"text":"x"}}')
    repaired = direct({**broken, "wait_timeout": 2}, fails=True)
    assert (repaired["changed"], repaired["done"]) == (True, [f"apply ConfigMap {namespace}/hello-text"])
