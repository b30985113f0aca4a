# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any, cast

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.domain import Domain
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Reason
from ansible_collections.mcpops.platform.plugins.module_utils.kube import k8s_objects
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.options import BundleOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import ObjectRef, rows_without_object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import wait
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness.judge import (
    JUDGES,
    OPTION,
    parse_conditions,
    unmet_conditions,
)

from .conftest import FakeTask


def box(**more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Box",
        "spec": {"size": "l", "on": True},
        "metadata": {"name": "one", "namespace": "shop", "generation": 2},
        "status": {
            "observedGeneration": 2,
            "phase": "Running",
            "replicas": 3,
            "ready": False,
            "addresses": ["10.0.0.1", "10.0.0.2"],
            "conditions": [{"type": "Ready", "status": "False", "reason": "Booting", "message": "still booting"}],
        },
        **more,
    }


DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "status": {"replicas": 1}}

# the rows of the option, and what is missing from the box
UNMET: dict[str, tuple[dict[str, Any], str | None]] = {
    "value": ({"path": ".status.phase", "value": "Running"}, None),
    "another value": (
        {"path": "{.status.phase}", "value": "Done"},
        "{.status.phase} is 'Running'; waiting for 'Done'",
    ),
    "number": ({"path": ".status.replicas", "value": "3"}, None),
    "map": ({"path": ".spec", "value": '{"size": "l", "on": true}'}, None),
    "list": ({"path": ".status.addresses", "value": '["10.0.0.1", "10.0.0.2"]'}, None),
    "boolean": ({"path": ".status.ready", "value": "false"}, None),
    "all of several": ({"path": ".status.addresses[*]", "regex": r"^10\."}, None),
    "not all of several": (
        {"path": ".status.addresses[*]", "regex": r"\.1$"},
        ".status.addresses[*] is '10.0.0.1', '10.0.0.2'; waiting for text matching '\\\\.1$'",
    ),
    "missing": ({"path": ".status.url", "value": "x"}, ".status.url is nothing; waiting for 'x'"),
    "there": ({"path": ".status.addresses"}, None),
    "not there": ({"path": ".status.url"}, ".status.url is nothing; waiting for a value"),
    "type": ({"type": "Ready", "status": "False"}, None),
    "type not yet": ({"type": "Ready"}, "condition Ready: still booting"),
    "type that is missing": ({"type": "Synced"}, "has no condition Synced yet"),
    "another kind": ({"kind": "Lid", "path": ".status.url"}, None),
    "another name": ({"name": "two", "path": ".status.url"}, None),
    "another namespace": ({"namespace": "other", "path": ".status.url"}, None),
    "its name": ({"kind": "Box", "name": "one", "path": ".status.url"}, ".status.url is nothing; waiting for a value"),
}


@pytest.mark.parametrize("case", UNMET)
def test_unmet(case: str) -> None:
    row, reported = UNMET[case]
    found = unmet_conditions(parse_conditions([row]), box())
    assert [reason.message for reason in found] == ([] if reported is None else [reported])
    assert all(reason.subject == "Box shop/one" and not reason.terminal for reason in found)


def test_a_status_of_an_older_generation_holds_nothing() -> None:
    old = box(metadata={"name": "one", "namespace": "shop", "generation": 3})
    (reason,) = unmet_conditions(parse_conditions([{"path": ".status.phase", "value": "Running"}]), old)
    assert reason.code == "NotObserved"


def test_a_row_that_names_nothing_is_about_kinds_without_a_verdict() -> None:
    anything = parse_conditions([{"path": ".status.url"}])
    named = parse_conditions([{"kind": "Deployment", "path": ".status.url"}])
    assert unmet_conditions(anything, box())
    assert not unmet_conditions(anything, DEPLOYMENT)
    assert unmet_conditions(named, DEPLOYMENT)


def test_a_kind_that_a_domain_judges_has_a_verdict() -> None:
    def steady(item: Any) -> list[Reason]:
        return []

    judges = {**JUDGES, ("example.com", "Box"): steady}
    anything = parse_conditions([{"path": ".status.url"}])
    assert not unmet_conditions(anything, box(), judges)
    # another kind of the same group has none
    assert unmet_conditions(anything, box(kind="Crate"), judges)
    assert unmet_conditions(parse_conditions([{"kind": "Box", "path": ".status.url"}]), box(), judges)


def test_a_wait_knows_the_kinds_that_domains_judge(monkeypatch: pytest.MonkeyPatch, task: FakeTask) -> None:
    unmet = []

    def waited(_kube: Any, _task: Any, _items: Any, _timeout: float, condition: Any, _judges: Any) -> list[Any]:
        unmet.extend(condition(one) for one in (box(), box(kind="Crate")))
        return []

    def applied(_kube: Any, _task: Any, _items: Any, _options: Any, settle: Any) -> BundleOutcome:
        settle(BundleOutcome(()))
        return BundleOutcome(())

    monkeypatch.setattr(wait, "wait_ready", waited)
    monkeypatch.setattr(k8s_objects, "apply_bundle", applied)
    options = ("force_conflicts", "exclusive", "roll_on_config_change", "delete_propagation", "prune")
    task.params = {**dict.fromkeys(options, False), "recreate": "never", "wait_timeout": 1, "wait": True}
    shop = Domain("shop", judges={("example.com", "Box"): lambda item: []})
    k8s_objects._apply(cast(Any, None), task, [], parse_conditions([{"path": ".status.url"}]), [shop])
    assert [len(one) for one in unmet] == [0, 1]


def test_several_rows_are_all_told() -> None:
    rows = [{"path": ".status.url"}, {"type": "Ready"}, {"path": ".status.phase", "value": "Running"}]
    assert len(unmet_conditions(parse_conditions(rows), box())) == 2


def test_values_of_a_secret_are_not_told() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"p": "aHVzaA=="}}
    (reason,) = unmet_conditions(parse_conditions([{"kind": "Secret", "path": ".data.p", "value": "x"}]), secret)
    assert "aHVzaA" not in reason.message


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "neither": ({"kind": "Box"}, "wait_conditions[0]: needs either type"),
    "both": ({"type": "Ready", "path": ".a"}, "wait_conditions[0]: needs either type"),
    "value without path": ({"type": "Ready", "value": "x"}, "value and regex compare what path leads to"),
    "status without type": ({"path": ".a", "status": "True"}, "status belongs to type"),
    "value and regex": ({"path": ".a", "value": "x", "regex": "y"}, "takes value or regex, not both"),
    "no regex": ({"path": ".a", "regex": "("}, "'(' is not a valid regular expression"),
    "no path": ({"path": ".a[1:2]"}, "'.a[1:2]' is not a valid path: it cannot be read from '[1:2]' on"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_rows(case: str) -> None:
    row, reported = BAD[case]
    with pytest.raises(InvalidInput) as wrong:
        parse_conditions([row])
    assert reported in wrong.value.message()


def test_all_bad_rows_are_told_together() -> None:
    with pytest.raises(InvalidInput) as wrong:
        parse_conditions([row for row, _reported in BAD.values()])
    assert len(wrong.value.problems) >= len(BAD)


FITS = {
    "nothing named": ({}, []),
    "kind": ({"kind": "Box"}, []),
    "kind and name": ({"kind": "Box", "name": "one", "namespace": "shop"}, []),
    "misspelt kind": ({"kind": "Bxo"}, ["wait_conditions[0]: no declared object has kind Bxo"]),
    "misspelt name": (
        {"kind": "Box", "name": "oen"},
        ["wait_conditions[0]: no declared object has kind Box, name oen"],
    ),
    "another namespace": ({"namespace": "other"}, ["wait_conditions[0]: no declared object has namespace other"]),
}


@pytest.mark.parametrize("case", FITS)
def test_rows_that_fit_no_object(case: str) -> None:
    row, reported = FITS[case]
    declared = [ObjectRef("example.com/v1", "Box", "one", "shop")]
    assert [
        str(one) for one in rows_without_object(OPTION, parse_conditions([{"path": ".a", **row}]), declared)
    ] == reported
