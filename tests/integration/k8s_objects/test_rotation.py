# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets and ConfigMaps that change, and the pods that use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.workloads import SLEEP, deployment, pod_spec

Apply = Callable[..., dict[str, Any]]
Object = dict[str, Any]
CANARY = "canary-4b1d"
DIGEST = "mcpops.io/config-digest"


def secret(value: str, name: str = "keys", **metadata: Any) -> Object:
    data = {"TOKEN": f"{CANARY}-{value}", "OTHER": "x"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, **metadata}, "stringData": data}


def config_map(value: str, name: str = "settings") -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"MODE": value}}


def web(registry: str, **more: Any) -> Object:
    sources = [{"secretRef": {"name": "keys"}}, {"configMapRef": {"name": "settings", "optional": True}}]
    return deployment(pod_spec(registry, SLEEP, **{"envFrom": sources, **more}))


@pytest.fixture
def pods(cluster: Any, namespace: str) -> Callable[..., list[str]]:
    """The names of the pods that are not on their way out."""

    def names() -> list[str]:
        found = cluster.get("pods", "-n", namespace)["items"]
        return sorted(one["metadata"]["name"] for one in found if not one["metadata"].get("deletionTimestamp"))

    return names


@pytest.fixture
def variable(cluster: Any, namespace: str, pods: Any) -> Callable[[str], str]:
    """What the program of the one pod sees."""

    def value(name: str) -> str:
        [pod] = pods()
        code = f"import os; print(os.environ.get({name!r}, ''))"
        reported: str = cluster.kubectl("-n", namespace, "exec", pod, "--", "python", "-c", code)
        return reported.strip()

    return value


def text(result: Object) -> str:
    return json.dumps(result)


def notes(result: Object) -> str:
    return " ".join(result.get("notes", []))


def test_a_changed_value_reaches_the_program_in_the_same_run(
    apply: Apply, cloud: Any, pods: Any, variable: Callable[[str], str]
) -> None:
    def declared(token: str, mode: str) -> dict[str, Any]:
        objects = [secret(token), config_map(mode), web(cloud.registry)]
        return {"definitions": objects, "wait": True, "wait_timeout": 90}

    assert apply(**declared("one", "slow"))["changed"]
    assert (variable("TOKEN"), variable("MODE")) == (f"{CANARY}-one", "slow")
    assert not apply(**declared("one", "slow"))["changed"]
    assert not apply(check=True, **declared("one", "slow"))["changed"]
    before = pods()

    for token, mode, what in (("two", "slow", "Secret keys"), ("two", "fast", "ConfigMap settings")):
        planned = apply(check=True, **declared(token, mode))
        assert f"{what} has changed, so its pods would be replaced" in notes(planned)
        assert pods() == before
        rotated = apply(**declared(token, mode))
        assert f"{what} has changed, so its pods are replaced" in notes(rotated)
        assert CANARY not in text([planned, rotated])
        # the plan is what is done
        assert [part["after"] for part in planned["diff"]] == [part["after"] for part in rotated["diff"]]
        assert (variable("TOKEN"), variable("MODE")) == (f"{CANARY}-{token}", mode)
        assert pods() != before
        before = pods()
        again = apply(**declared(token, mode))
        assert (again["changed"], pods()) == (False, before)

    # neither what is no value, nor a value that the declaration merely spells in another way
    labelled = [secret("two", labels={"team": "a"}), config_map("fast"), web(cloud.registry)]
    assert apply(definitions=labelled, wait=True)["changed"]
    assert pods() == before


@pytest.mark.slow
def test_whoever_changed_it_and_only_what_is_used(
    apply: Apply, cloud: Any, cluster: Any, namespace: str, pods: Any, variable: Callable[[str], str]
) -> None:
    """Another program's Secret, one key of which is used, and something optional that comes later."""
    cluster.kubectl(
        "-n", namespace, "create", "secret", "generic", "theirs", "--from-literal=a=1", "--from-literal=b=1"
    )
    sources = [
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "theirs", "key": "a"}}},
        {"name": "M", "valueFrom": {"configMapKeyRef": {"name": "later", "key": "MODE", "optional": True}}},
    ]
    declared: dict[str, Any] = {
        "definitions": [deployment(pod_spec(cloud.registry, SLEEP, env=sources))],
        "wait": True,
        "wait_timeout": 90,
    }
    apply(**declared)
    assert not apply(**declared)["changed"]
    before = pods()

    def edit(**values: str) -> None:
        patch = json.dumps({"stringData": values})
        cluster.kubectl("-n", namespace, "patch", "secret", "theirs", "--type=merge", "-p", patch)

    edit(b="2")
    cluster.kubectl("-n", namespace, "annotate", "secret", "theirs", "rotated-by=nobody")
    assert not apply(**declared)["changed"]
    edit(a="2")
    assert "Secret theirs has changed" in notes(apply(**declared))
    assert variable("A") == "2"
    assert not apply(**declared)["changed"]

    cluster.kubectl("-n", namespace, "create", "configmap", "later", "--from-literal=MODE=on")
    assert "ConfigMap later has changed" in notes(apply(**declared))
    assert variable("M") == "on"
    assert pods() != before
    assert not apply(**declared)["changed"]


@pytest.mark.slow
def test_pods_that_run_already_are_left_alone_until_the_next_change(
    apply: Apply, cloud: Any, cluster: Any, namespace: str, pods: Any, variable: Callable[[str], str]
) -> None:
    """A workload that an older version of this collection has made."""
    declared: dict[str, Any] = {"definitions": [secret("one"), web(cloud.registry)], "wait": True, "wait_timeout": 90}
    apply(**declared, roll_on_config_change=False)
    before = pods()
    adopted = apply(**declared)
    assert adopted["changed"]
    assert DIGEST in text(adopted["diff"])
    assert not apply(**declared)["changed"]
    assert pods() == before
    live = cluster.get("deployment", "web", "-n", namespace)
    assert DIGEST in live["metadata"]["annotations"]
    assert "annotations" not in live["spec"]["template"]["metadata"]

    declared["definitions"][0] = secret("two")
    assert "Secret keys has changed" in notes(apply(**declared))
    assert variable("TOKEN") == f"{CANARY}-two"
    assert not apply(**declared)["changed"]
    live = cluster.get("deployment", "web", "-n", namespace)
    assert DIGEST not in live["metadata"]["annotations"]


@pytest.mark.slow
def test_a_secret_that_a_controller_makes_later_is_waited_for_and_then_followed(
    apply: Apply, cloud: Any, cluster: Any, namespace: str, pods: Any, variable: Callable[[str], str]
) -> None:
    """As of ingress controllers and operators, whose jobs and controllers make the Secrets that they use."""
    declared: dict[str, Any] = {"definitions": [web(cloud.registry)]}
    apply(**declared)
    cluster.kubectl("-n", namespace, "create", "secret", "generic", "keys", f"--from-literal=TOKEN={CANARY}-one")
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=90s")
    before = pods()
    assert not apply(**declared, wait=True)["changed"]
    assert pods() == before
    body = json.dumps({"stringData": {"TOKEN": f"{CANARY}-two"}})
    cluster.kubectl("-n", namespace, "patch", "secret", "keys", "--type=merge", "-p", body)
    assert "Secret keys has changed" in notes(apply(**declared, wait=True))
    assert variable("TOKEN") == f"{CANARY}-two"
    assert not apply(**declared)["changed"]


@pytest.mark.slow
def test_it_can_be_switched_off_without_a_restart(apply: Apply, cloud: Any, pods: Any) -> None:
    def declared(token: str, **more: Any) -> dict[str, Any]:
        return {"definitions": [secret(token), web(cloud.registry)], "wait": True, "wait_timeout": 90, **more}

    apply(**declared("one"))
    before = pods()
    off = {"object_options": [{"kind": "Deployment", "roll_on_config_change": False}]}
    assert not apply(**declared("one", **off))["changed"]
    rotated = apply(**declared("two", **off))
    assert rotated["changed"]
    assert notes(rotated) == ""
    assert not apply(**declared("two", **off))["changed"]
    assert not apply(**declared("two", roll_on_config_change=False))["changed"]
    assert pods() == before


@pytest.mark.slow
def test_what_cannot_start_is_not_restarted(apply: Apply, cloud: Any, cluster: Any, namespace: str, pods: Any) -> None:
    """A required Secret that somebody deletes: new pods could not start, those that run do."""
    declared: dict[str, Any] = {"definitions": [web(cloud.registry)], "wait": True, "wait_timeout": 90}
    apply(definitions=[secret("one"), *declared["definitions"]], wait=True)
    before = pods()
    cluster.kubectl("-n", namespace, "delete", "secret", "keys")
    assert not apply(**declared)["changed"]
    assert pods() == before


def test_nothing_is_there_yet(apply: Apply, cloud: Any) -> None:
    """Check mode from nothing tells what it cannot know, and the real run needs no second one."""
    declared: dict[str, Any] = {"definitions": [secret("one"), config_map("slow"), web(cloud.registry)]}
    planned = apply(check=True, **declared)
    assert "secret/keys=(new)" in text(planned["diff"])
    assert CANARY not in text(planned)
    apply(**declared)
    assert not apply(**declared)["changed"]
    # what an earlier task would change, a later one reckons with
    assert apply(check=True, definitions=[secret("two")])["changed"]
    assert "Secret keys has changed" in notes(apply(check=True, definitions=[web(cloud.registry)]))
    apply(definitions=[secret("three")])
    apply(definitions=[web(cloud.registry)])
    assert not apply(check=True, definitions=[web(cloud.registry)])["changed"]


@pytest.mark.parametrize("exclusive", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["shared", "exclusive"])
def test_a_restart_is_nobodys_drift(
    apply: Apply, cloud: Any, cluster: Any, namespace: str, pods: Any, exclusive: bool
) -> None:
    declared: dict[str, Any] = {
        "definitions": [secret("one"), web(cloud.registry)],
        "exclusive": exclusive,
        "wait": True,
        "wait_timeout": 90,
    }
    apply(**declared)
    cluster.kubectl("-n", namespace, "rollout", "restart", "deployment/web")
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=90s")
    before = pods()
    for check in (True, False):
        assert not apply(check=check, **declared)["changed"]
    declared["definitions"][0] = secret("one", labels={"team": "a"})
    apply(**declared)
    assert pods() == before
