# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may write where, and what of a declaration is applied then."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.domain import writers_of
from ansible_collections.mcpops.platform.plugins.module_utils.domains import DOMAINS
from ansible_collections.mcpops.platform.plugins.module_utils.kube import writers
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.comparison import declaration_to_apply
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import (
    EXPECTED,
    Tolerated,
    tolerated,
    with_additions,
)

from .conftest import described

OURS = frozenset({"mcpops", "helm"})


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("spec.replicas", "spec.replicas", True),
        ("spec.replicas", "spec.replicasMax", False),
        ("spec.template", "spec.template.spec.containers[main].image", True),
        ("data.*", "data.cache", True),
        ("data.*", 'data."a.b/c"', True),
        ("data.**", "data.a.b", True),
        ("**", "anything.at[all]", True),
        ("spec.**.replicas", "spec.a.b[c].replicas", True),
        ("**.caBundle", "webhooks[a].clientConfig.caBundle", True),
        ("**.caBundle", "webhooks[a].clientConfig.url", False),
        ("spec.containers[*].image", "spec.containers[main].image", True),
        ("spec.containers[*].image", "spec.containers[main].env[A].value", False),
        ("spec.containers[main].image", "spec.containers[side].image", False),
        ("webhooks[*].clientConfig.caBundle", "webhooks[a.example.com].clientConfig.caBundle", True),
        ('metadata.annotations."a/b"', 'metadata.annotations."a/b"', True),
    ],
)
def test_a_path_covers_itself_and_what_is_below(pattern: str, path: str, covered: bool) -> None:
    assert Tolerated(paths=[pattern]).is_ignored(path) is covered


@pytest.mark.parametrize("row", [*EXPECTED, *writers_of(DOMAINS)], ids=lambda row: f"{row.managers} {row.path}")
def test_each_row_has_its_reason_and_source(row: Any) -> None:
    assert row.reason
    assert row.source.startswith("https://")


def managed(*entries: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    rows = [
        {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": fields}
        for manager, operation, fields in entries
    ]
    return {"metadata": {"name": "a", "managedFields": rows}}


REPLICAS = {"f:spec": {"f:replicas": {}}}
HPA, PERSON = ("kube-controller-manager", "Update", REPLICAS), ("kubectl", "Update", REPLICAS)
MINE = ("mcpops", "Apply", REPLICAS)


@pytest.mark.parametrize(
    ("entries", "applied"),
    [
        pytest.param((HPA,), {}, id="an autoscaler's: left out"),
        pytest.param((HPA, MINE), {"replicas": 5}, id="shared with an autoscaler: as it stands"),
        pytest.param((PERSON,), {"replicas": 2}, id="a person's: taken back"),
        pytest.param((MINE,), {"replicas": 2}, id="ours"),
    ],
)
def test_a_leaf_that_others_may_set(entries: Any, applied: dict[str, Any]) -> None:
    live = {**managed(*entries), "kind": "Deployment", "spec": {"replicas": 5}}
    declared = {"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 2}}
    made = declaration_to_apply(
        declared, live, OURS, "mcpops", described("apps/v1", "Deployment"), tolerated("Deployment")
    )
    assert made["spec"] == applied
    assert declared["spec"] == {"replicas": 2}


@pytest.mark.parametrize(("mine", "kept"), [(False, {"paused": True}), (True, {"paused": True, "replicas": 5})])
def test_a_path_that_the_user_named(mine: bool, kept: dict[str, Any]) -> None:
    live = {**managed(*([MINE] if mine else [])), "kind": "Deployment", "spec": {"replicas": 5}}
    declared = {"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 2, "paused": True}}
    expected = tolerated("Deployment", paths=("spec.replicas",))
    made = declaration_to_apply(declared, live, OURS, "mcpops", described("apps/v1", "Deployment"), expected)
    assert made["spec"] == kept


HOOKS = "ValidatingWebhookConfiguration"
OWN = {"key": "team", "operator": "Exists"}
AKS = {"key": "control-plane", "operator": "DoesNotExist"}


def hook(*expressions: dict[str, str]) -> dict[str, Any]:
    return {"webhooks": [{"name": "a.example.com", "namespaceSelector": {"matchExpressions": [*expressions]}}]}


def selector_of(manager: str, operation: str = "Update") -> tuple[str, str, dict[str, Any]]:
    fields = {"f:webhooks": {'k:{"name":"a.example.com"}': {"f:namespaceSelector": {}}}}
    return (manager, operation, fields)


@pytest.mark.parametrize(
    ("manager", "existing", "applied"),
    [
        pytest.param("admissionsenforcer", (OWN, AKS), None, id="added by AKS: left out"),
        pytest.param("admissionsenforcer", (AKS,), (OWN, AKS), id="ours is gone: put beside what AKS added"),
        pytest.param("kubectl-edit", (OWN, AKS), (OWN,), id="added by a person: taken back"),
    ],
)
def test_what_aks_adds_to_a_selector_stays(manager: str, existing: Any, applied: Any) -> None:
    live = {**managed(selector_of(manager)), "kind": HOOKS, **hook(*existing)}
    declared = {"kind": HOOKS, "metadata": {"name": "a"}, **hook(OWN)}
    structure = described("admissionregistration.k8s.io/v1", HOOKS)
    made = declaration_to_apply(declared, live, OURS, "mcpops", structure, tolerated(HOOKS, writers_of(DOMAINS)))
    assert made["webhooks"] == ([{"name": "a.example.com"}] if applied is None else hook(*applied)["webhooks"])


def test_an_aggregated_role_leaves_its_rules_to_the_controller() -> None:
    entry = ("clusterrole-aggregation-controller", "Apply", {"f:rules": {}})
    live = {**managed(entry), "kind": "ClusterRole", "rules": [{"verbs": ["get"]}]}
    declared = {"kind": "ClusterRole", "metadata": {"name": "a"}, "rules": [], "aggregationRule": {}}
    structure = described("rbac.authorization.k8s.io/v1", "ClusterRole")
    made = declaration_to_apply(declared, live, OURS, "mcpops", structure, tolerated("ClusterRole"))
    assert "rules" not in made


def test_a_declared_restart_is_applied() -> None:
    """kubectl's own is nobody's drift; one that is declared asks for new pods."""
    path = 'spec.template.metadata.annotations."kubectl.kubernetes.io/restartedAt"'
    rules = tolerated("StatefulSet")
    assert rules.expects("kubectl-rollout", path)
    assert not rules.yields(path, {"kubectl-rollout"})
    assert not tolerated("Pod").expects("kubectl-rollout", path)


@pytest.mark.parametrize(
    ("declared", "live", "expected"),
    [
        ({"a": [1]}, {"a": [1, 2], "b": 3}, {"a": [1, 2], "b": 3}),
        ({"a": [1, 3]}, {"a": [2, 1]}, {"a": [1, 3, 2]}),
        ({"a": 1}, {"a": 2, "b": 3}, {"a": 1, "b": 3}),
        ([{"k": 1}], None, [{"k": 1}]),
    ],
)
def test_additions_are_kept_beside_what_is_declared(declared: Any, live: Any, expected: Any) -> None:
    assert with_additions(declared, live) == expected


def test_what_the_control_plane_writes_over_a_declared_field_is_taken_back() -> None:
    """Its name is no licence: whoever signs as kubelet may fill in, and not replace what is declared."""
    main = 'k:{"name":"main"}'
    fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": {main: {"f:image": {}}}}}}}
    containers = [{"name": "main", "image": "evil:1"}]
    live = {**managed(("kubelet", "Update", fields)), "spec": {"template": {"spec": {"containers": containers}}}}
    declared = {
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "good:1"}]}}},
    }
    made = declaration_to_apply(
        declared, live, OURS, "mcpops", described("apps/v1", "Deployment"), tolerated("Deployment")
    )
    assert made["spec"] == declared["spec"]


BUNDLE = {"f:webhooks": {'k:{"name":"a.example.com"}': {"f:clientConfig": {"f:caBundle": {}}}}}


@pytest.mark.parametrize(
    ("manager", "declared", "left"),
    [
        pytest.param("cert-manager-cainjector", "UkVBTA==", True, id="an injector's"),
        pytest.param("webhook", "Cg==", True, id="a place that the chart holds for it"),
        pytest.param("webhook", "", True, id="an empty place"),
        pytest.param("webhook", "UkVBTA==", False, id="a declared authority that somebody replaced"),
    ],
)
def test_an_authority_that_others_put_in(manager: str, declared: str, left: bool) -> None:
    def configuration(authority: str) -> dict[str, Any]:
        return {"webhooks": [{"name": "a.example.com", "clientConfig": {"caBundle": authority}}]}

    live = {**managed((manager, "Update", BUNDLE)), "kind": HOOKS, **configuration("T1RIRVI=")}
    structure = described("admissionregistration.k8s.io/v1", HOOKS)
    wanted = {"kind": HOOKS, "metadata": {"name": "a"}, **configuration(declared)}
    made = declaration_to_apply(wanted, live, OURS, "mcpops", structure, tolerated(HOOKS))
    assert ("caBundle" not in made["webhooks"][0]["clientConfig"]) is left


PORT = 'k:{"port":80,"protocol":"TCP"}'


@pytest.mark.parametrize("path", ["spec.ports[80,TCP].nodePort", "spec.ports[http].nodePort", "spec.ports[*].nodePort"])
def test_an_item_has_several_names_in_a_path(path: str) -> None:
    fields = {"f:spec": {"f:ports": {PORT: {".": {}, "f:port": {}, "f:name": {}, "f:nodePort": {}}}}}
    existing = [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": 31000}]
    live = {**managed(("mcpops", "Apply", fields)), "kind": "Service", "spec": {"ports": existing}}
    ports = [{"name": "http", "port": 80, "nodePort": 30000}]
    declared = {"kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": ports}}
    made = declaration_to_apply(
        declared, live, OURS, "mcpops", described("v1", "Service"), tolerated("Service", paths=(path,))
    )
    assert made["spec"]["ports"] == [{"name": "http", "port": 80, "nodePort": 31000}]


@pytest.mark.parametrize(("fields", "expected"), [({"aggregationRule"}, True), ({"rules"}, False), (None, True)])
def test_rules_are_the_controllers_only_where_they_are_aggregated(fields: Any, expected: bool) -> None:
    """Who declares rules of a role that was aggregated once means these."""
    rules = tolerated("ClusterRole", fields=None if fields is None else frozenset(fields))
    assert rules.expects("clusterrole-aggregation-controller", "rules") is expected
    assert rules.yields("rules", {"clusterrole-aggregation-controller"}) is expected


def test_an_expression_of_plain_names_fits_as_it_would_by_re() -> None:
    expressions = {text for row in (*EXPECTED, *writers_of(DOMAINS)) for text in (row.managers, row.kinds)}
    expressions |= {"", "a|", "|", "a-b|c", "a.b", "[ab]", "a|b.*", r"\d+", "-"}
    names = {name for text in expressions for name in (text, *text.split("|"), text.replace("|", ""), f"x{text}")}
    for expression in expressions:
        for name in {*names, "", "7", "aXb", "kubelet\n"}:
            assert writers._fits(expression, name) == bool(re.fullmatch(expression, name)), (expression, name)
