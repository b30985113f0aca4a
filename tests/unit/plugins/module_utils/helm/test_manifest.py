# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import release_record
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import yaml_documents
from ansible_collections.mcpops.platform.plugins.module_utils.kube import yaml_loader
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube

DEFINITION = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: %s}\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "mcpops.platform" / "definitions"


RELEASE = release_record.decode_record(json.loads((Path(__file__).parent / "records" / "deployed.json").read_text()))


def test_the_objects_of_a_record() -> None:
    assert [item["kind"] for item in release_record.parse_manifest(RELEASE)] == [
        "Secret",
        "ConfigMap",
        "ClusterRole",
        "Service",
        "Deployment",
    ]


def test_a_manifest_is_read_as_go_reads_it() -> None:
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {at: 12:30, day: 2026-11-20}\n"
    [item] = release_record.parse_manifest(replace(RELEASE, manifest=body))
    assert item["data"] == {"at": "12:30", "day": "2026-11-20"}


def test_lists_are_opened_and_empty_documents_are_nothing() -> None:
    text = "---\n# only a comment\n---\nkind: List\n"
    text += "items:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n---\n"
    assert [item["metadata"]["name"] for item in release_record.parse_manifest(replace(RELEASE, manifest=text))] == [
        "a"
    ]


def test_a_broken_manifest_is_told() -> None:
    with pytest.raises(ServiceError, match="release d2rec/rec: revision 1 is not YAML"):
        release_record.parse_manifest(replace(RELEASE, manifest="a: ["))


def test_an_object_is_completed_as_helm_does() -> None:
    item = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"k": "v"}}
    done = release_record.with_helm_marks(item, RELEASE, namespaced=True)
    assert done["metadata"] == {
        "name": "a",
        "namespace": "d2rec",
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "rec", "meta.helm.sh/release-namespace": "d2rec"},
    }
    assert done["data"] == {"k": "dg=="}
    assert "namespace" not in release_record.with_helm_marks(item, RELEASE, namespaced=False)["metadata"]
    assert item["metadata"] == {"name": "a"}


def test_a_namespace_that_a_kind_does_not_have_is_left_out() -> None:
    """Charts write it for cluster-wide kinds too; the object would go by a name that nobody finds it under."""
    metadata = {"name": "a", "namespace": "elsewhere"}
    item = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata}
    assert "namespace" not in release_record.with_helm_marks(item, RELEASE, namespaced=False)["metadata"]
    assert (
        release_record.with_helm_marks({**item, "kind": "Role"}, RELEASE, namespaced=True)["metadata"]["namespace"]
        == "elsewhere"
    )


def test_objects_a_chart_asks_to_keep() -> None:
    assert release_record.is_kept_on_uninstall({"metadata": {"annotations": {"helm.sh/resource-policy": "keep"}}})
    assert not release_record.is_kept_on_uninstall({"metadata": {}})


class NoCluster:
    def resource_type(self, _api_version: str, _kind: str) -> None:
        return None


@pytest.mark.parametrize("text", ["a: b: c", "{{ if .Values.x }}\nkind: CustomResourceDefinition\n{{ end }}", "\ta: 1"])
def test_definitions_that_are_no_yaml_are_told_with_their_chart(text: str) -> None:
    with pytest.raises(ServiceError, match=r"chart web 1\.2\.3") as reported:
        release_record.chart_crds(text, cast(Kube, NoCluster()), "web 1.2.3")
    assert reported.value.code == "ChartNotReadable"


def test_a_chart_that_renders_no_yaml_is_told() -> None:
    with pytest.raises(ServiceError, match=r"Rendering chart kmcp-crds 9\.9\.9") as reported:
        yaml_documents("Rendering chart kmcp-crds 9.9.9", "a: b: c")
    assert reported.value.code == "ChartNotReadable"


# manifest → whether what it reads as is kept
KEPT = {
    "a definition": (DEFINITION % "a", True),
    "several, and what is no JSON": (f"{DEFINITION % 'a'}x: [.inf, 1e400, ü, null]\n---\n{DEFINITION % 'b'}", True),
    "a definition beside a value": (
        f"{DEFINITION % 'a'}---\n{{apiVersion: v1, kind: Secret, metadata: {{name: b}}}}",
        False,
    ),
    "half of a surrogate pair": (
        '{"apiVersion": "v1", "kind": "CustomResourceDefinition", "metadata": {"name": "\\ud800"}}',
        False,
    ),
    "nothing": ("", False),
}


@pytest.mark.parametrize("case", KEPT)
def test_a_manifest_of_nothing_but_definitions_is_read_once(
    case: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, kept = KEPT[case]
    read: list[str] = []
    monkeypatch.setattr(
        release_record, "read_documents", lambda given: read.append(given) or yaml_loader.read_documents(given)
    )
    release = replace(RELEASE, manifest=text)
    assert release_record.parse_manifest(release) == release_record.parse_manifest(release)
    assert len(read) == (1 if kept else 2)
    assert [stat.S_IMODE(file.stat().st_mode) for file in cache.glob("*")] == ([0o600] if kept else [])


def test_what_is_kept_and_cannot_be_read_is_read_again(cache: Path) -> None:
    release = replace(RELEASE, manifest=DEFINITION % "a")
    expected = release_record.parse_manifest(release)
    (file,) = cache.iterdir()
    for damaged in ('{"cut', "{}"):
        file.write_text(damaged)
        assert release_record.parse_manifest(release) == expected
