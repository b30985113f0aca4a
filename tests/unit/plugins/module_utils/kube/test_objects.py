# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube import manifests
from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import (
    ObjectRef,
    apply_phase,
    flatten_lists,
    normalise,
)


def item(kind: str = "ConfigMap", name: Any = "a", api_version: str = "v1", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **metadata}}


WRONG: dict[str, tuple[list[Any], list[str]]] = {
    "no mapping": (["text"], ["definitions[0]: is text, not an object"]),
    "nothing in it": ([{}], ["apiVersion is missing", "kind is missing", "metadata with a name is missing"]),
    "no name": ([item(name=None)], ["definitions[0].metadata.name: is missing"]),
    "generated name": ([{**item(), "metadata": {"generateName": "a-"}}], ["makes a new object each run"]),
    "upper case": ([item(name="Web")], ["'Web' is not a valid ConfigMap name"]),
    "namespace with a dot": ([item("Namespace", "a.b")], ["'a.b' is not a valid Namespace name", "1 to 63"]),
    "long service": ([item("Service", "a" * 64)], ["is not a valid Service name"]),
    "role with a slash": ([item("Role", "a/b")], ["may not contain / or %"]),
    "bad namespace": ([item(namespace="Not")], ["'Not' is not a valid namespace name"]),
    "secret that is no text": (
        [{**item("Secret"), "stringData": {"flag": True, "pin": 123}}],
        ["stringData.flag: is a boolean, and must be text: quote it", "stringData.pin: is a number, and"],
    ),
    "secret that is not encoded": (
        [{**item("Secret"), "data": {"p": "plain text"}}],
        ["definitions[0].data.p: is not base64; plain text goes into stringData"],
    ),
    "Pod Security level": (
        [
            item("Namespace", labels={"pod-security.kubernetes.io/audit": "strict"}),
            item("Namespace", "b", labels={"pod-security.kubernetes.io/enforce": "baseline"}),
        ],
        ["definitions[0].metadata.labels.pod-security.kubernetes.io/audit: 'strict' is not a valid level: use one of"],
    ),
    "secret that is no mapping": ([{**item("Secret"), "data": "x"}], ["data: is not a mapping"]),
    "null instead of an object": ([None], ["definitions[0]: is null, not an object"]),
    "names that are no text": (
        [item(name=8080), item(name=True), item(name="a", namespace=7), item(kind=1, name="b"), item(api_version=2)],
        [
            "definitions[0].metadata.name: is the number 8080, and must be text: quote it",
            "definitions[1].metadata.name: is true, and must be text: quote it",
            "definitions[2].metadata.namespace: is the number 7, and must be text: quote it",
            "definitions[3].kind: is the number 1, and must be text",
            "definitions[4].apiVersion: is the number 2, and must be text",
        ],
    ),
    "labels that are no text": (
        [item(labels={"n": 7, "on": True, "fine": "x", "empty": None}, annotations={"a.b/c": {"d": 1}})],
        [
            "definitions[0].metadata.labels.n: is a number, and must be text: quote it",
            "definitions[0].metadata.labels.on: is a boolean, and must be text: quote it",
            'definitions[0].metadata.annotations."a.b/c": is a mapping, and must be text',
        ],
    ),
    "labels that are no mapping": (
        [item(labels=["a"])],
        ["metadata.labels: is a list, not a mapping of names to text"],
    ),
    "null in a secret": (
        [{**item("Secret"), "stringData": {"p": None}, "data": {"q": None}}],
        ["stringData.p: is null, and must be text: give it a value ('' for empty text)", "data.q: is null"],
    ),
    "what no reader takes": (
        [{**item(), "data": {"a": "x\ud83d"}}, {**item("Box", "b", "example.com/v1"), "spec": {"n": float("inf")}}],
        ["definitions[0].data.a: holds U+D83D", "definitions[1].spec.n: is infinity"],
    ),
    "twice": ([item(), item()], ["ConfigMap a is declared twice (also definitions[0])"]),
    "all at once": ([item(name="X"), {"kind": "A"}, item(), item()], ["'X'", "apiVersion is missing", "twice"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_problems(case: str) -> None:
    items, reported = WRONG[case]
    text = "\n".join(map(str, manifests.manifest_problems(items)))
    for words in reported:
        assert words in text


def test_values_of_a_secret_are_in_no_problem() -> None:
    given = {**item("Secret"), "data": {"p": "not base64 canary"}, "stringData": {"n": 4711}}
    text = "\n".join(map(str, manifests.manifest_problems([given])))
    assert "canary" not in text
    assert "4711" not in text


def test_places_are_those_that_were_given() -> None:
    (wrong,) = manifests.manifest_problems([{"kind": "A", "metadata": {"name": "a"}}], ["web.yaml document 2"])
    assert str(wrong) == "web.yaml document 2: apiVersion is missing"


def test_what_is_right_has_no_problem() -> None:
    role = item("ClusterRole", "system:Reader", "rbac.authorization.k8s.io/v1")
    other_namespace = item(namespace="b")
    definition = item("CustomResourceDefinition", "boxes.example.com", "apiextensions.k8s.io/v1")
    secret = {**item("Secret"), "data": {"folded": "YWJj\nZGVm\n", "empty": ""}}
    assert manifests.manifest_problems([role, item(), other_namespace, definition, secret]) == []


def test_reading_text() -> None:
    documents, wrong = manifests.read_manifests("file", "a: 1\n---\n---\nb: 2\n")
    assert (documents, wrong) == ([{"a": 1}, {"b": 2}], [])
    documents, wrong = manifests.read_manifests("file", "a: 1\nb: [\n")
    assert documents == []
    assert str(wrong[0]).startswith("file line 3: is not YAML")


def test_lists_are_opened() -> None:
    nested = {"kind": "List", "items": [item(name="a"), {"kind": "ConfigMapList", "items": [item(name="b")]}]}
    assert [one["metadata"]["name"] for one in flatten_lists([nested, [item(name="c")]])] == ["a", "b", "c"]


def test_items_of_a_list_of_one_kind_need_not_say_what_they_are() -> None:
    bare = {"metadata": {"name": "a"}, "roleRef": {"kind": "Role"}}
    group = "rbac.authorization.k8s.io/v1"
    listed = {"apiVersion": group, "kind": "RoleBindingList", "items": [bare, {**bare, "kind": "Other"}]}
    first, second = flatten_lists([listed])
    assert first == {"apiVersion": group, "kind": "RoleBinding", **bare}
    assert (second["apiVersion"], second["kind"]) == (group, "Other")


def test_a_plain_list_says_nothing_of_its_items() -> None:
    [bare] = flatten_lists([{"apiVersion": "v1", "kind": "List", "items": [{"metadata": {"name": "a"}}]}])
    assert bare == {"metadata": {"name": "a"}}


@pytest.mark.parametrize(
    "document",
    [{"kind": "AllowList", "metadata": {"name": "a"}, "items": ["x"]}, {"kind": "BlockList", "items": {"x": 1}}],
)
def test_a_kind_whose_name_ends_like_a_list_is_none(document: dict[str, Any]) -> None:
    assert flatten_lists([document]) == [document]


@pytest.mark.parametrize("document", [{"kind": "List", "items": None}, {"kind": "ConfigMapList", "items": []}])
def test_a_list_without_items_is_empty(document: dict[str, Any]) -> None:
    assert flatten_lists([document]) == []


NULLS = {
    "text of a secret": (
        {**item("Secret"), "stringData": {"user": "bob", "password": None}},
        {"user": "Ym9i", "password": ""},
    ),
    "data of a secret": ({**item("Secret"), "data": {"a": None, "b": "eA=="}}, {"a": "", "b": "eA=="}),
    "text over data": ({**item("Secret"), "data": {"a": "eA=="}, "stringData": {"a": None}}, {"a": ""}),
    "no text": ({**item("Secret"), "data": {"a": "eA=="}, "stringData": None}, {"a": "eA=="}),
    "data of a config map": ({**item(), "data": {"a": None, "b": "x"}}, {"a": "", "b": "x"}),
}


@pytest.mark.parametrize("case", NULLS)
def test_null_is_empty_text_as_for_the_api_server(case: str) -> None:
    given, data = NULLS[case]
    clean = normalise(given)
    assert clean["data"] == data
    assert "stringData" not in clean


def test_null_in_metadata() -> None:
    clean = normalise(item(labels={"a": None}, annotations=None))
    assert clean["metadata"] == {"name": "a", "labels": {"a": ""}, "annotations": None}


def test_what_no_server_would_take_is_left_to_it() -> None:
    given = {**item("Secret"), "stringData": {"port": 8080, "list": ["a"]}}
    assert normalise(given)["data"] == {"port": 8080, "list": ["a"]}


def test_what_only_a_server_sets_is_left_out() -> None:
    given = {**item(resourceVersion="1", uid="u", labels={"a": "b"}), "status": {"x": 1}}
    assert normalise(given) == item(labels={"a": "b"})
    assert given["status"] == {"x": 1}


def test_text_of_a_secret_is_stored_encoded() -> None:
    given = {**item("Secret"), "data": {"a": "YQ=="}, "stringData": {"b": "b"}}
    assert normalise(given)["data"] == {"a": "YQ==", "b": "Yg=="}
    assert "stringData" not in normalise(given)


PHASES = [
    ("v1", "Namespace", manifests.NAMESPACES),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", manifests.DEFINITIONS),
    ("v1", "ConfigMap", manifests.BASE),
    ("rbac.authorization.k8s.io/v1", "Role", manifests.BASE),
    ("apps/v1", "Deployment", manifests.WORKLOADS),
    ("kagent.dev/v1alpha1", "MCPServer", manifests.CUSTOM),
    ("gateway.networking.k8s.io/v1", "Gateway", manifests.CUSTOM),
    ("cluster.x-k8s.io/v1beta1", "Cluster", manifests.CUSTOM),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", manifests.CUSTOM),
]


@pytest.mark.parametrize(("api_version", "kind", "expected"), PHASES)
def test_phases(api_version: str, kind: str, expected: int) -> None:
    assert apply_phase(ObjectRef(api_version, kind, "a")) == expected


def test_a_level_that_is_not_text_is_reported_once() -> None:
    labels = {"pod-security.kubernetes.io/warn": True, "pod-security.kubernetes.io/audit": 7}
    found = [problem.path for problem in manifests.manifest_problems([item("Namespace", labels=labels)])]
    assert len(found) == 2


def test_what_controllers_count_and_empty_mappings_are_not_declared() -> None:
    """What `kubectl get -o yaml` prints of a Deployment can be declared as it is."""
    noted = {"deployment.kubernetes.io/revision": "3", "pv.kubernetes.io/provisioned-by": "disk.csi.azure.com"}
    item = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "annotations": noted, "labels": {}},
    }
    assert manifests.normalise(item)["metadata"] == {
        "name": "a",
        "annotations": {"pv.kubernetes.io/provisioned-by": "disk.csi.azure.com"},
    }
