# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind of finding, caused for real: all faults at once in one namespace, each then looked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.workloads import SLEEP, deployment, pod_spec, service, until

from .conftest import Diagnose, apply, found, shown
from .faults import FAULTS, KINDS_OF_WORKLOAD, QUOTA

pytestmark = [pytest.mark.integration]
SECONDS = 150.0


@pytest.fixture(scope="module")
def broken(cluster: Any, cloud: Any, make_namespace: Callable[..., str]) -> str:
    """A namespace that has every fault there is."""
    name = make_namespace("broken")
    apply(cluster, name, [item for fault in FAULTS.values() for item in fault.objects(cloud.registry)])
    return name


def look_for(diagnose: Diagnose, namespace: str, identifier: str, words: tuple[str, ...] = ()) -> dict[str, Any]:
    """The finding, as soon as it is there and says all it is to say."""

    def look() -> dict[str, Any]:
        return diagnose(namespaces=[namespace])

    def reported(result: dict[str, Any]) -> bool:
        one = found(result, identifier)
        return one is not None and all(word in shown(one) for word in words)

    result = until(look, reported, SECONDS)
    one = found(result, identifier)
    assert one is not None, [each["id"] for each in result["findings"]]
    assert [word for word in words if word not in shown(one)] == [], shown(one)
    return one


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS, ids=lambda name: name.replace(" ", "-"))
def test_a_fault_is_found_with_its_evidence(diagnose: Diagnose, broken: str, name: str) -> None:
    fault = FAULTS[name]
    words = tuple(word.replace("{}", broken) for word in fault.words)
    one = look_for(diagnose, broken, fault.identifier.format(broken), words)
    assert [word for word in fault.absent if word in shown(one)] == []
    assert one["severity"] in ("error", "warning", "info")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS_OF_WORKLOAD)
def test_pods_that_a_quota_forbids(
    diagnose: Diagnose, cluster: Any, cloud: Any, make_namespace: Callable[..., str], kind: str
) -> None:
    name = make_namespace("quota")
    apply(cluster, name, [QUOTA])
    until(lambda: cluster.get("quota", "small", "-n", name), lambda seen: bool(seen.get("status", {}).get("hard")), 30)
    apply(cluster, name, [deployment(pod_spec(cloud.registry, SLEEP), kind=kind)])
    look_for(diagnose, name, f"QuotaExceeded/{name}/{kind}/web", ("exceeded quota: small", "Raise the ResourceQuota"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS_OF_WORKLOAD)
def test_pods_that_admission_refuses(
    diagnose: Diagnose, cluster: Any, cloud: Any, make_namespace: Callable[..., str], kind: str
) -> None:
    name = make_namespace("admission", {"pod-security.kubernetes.io/enforce": "restricted"})
    spec = pod_spec(cloud.registry, SLEEP, securityContext={"privileged": True})
    apply(cluster, name, [deployment(spec, kind=kind)])
    look_for(diagnose, name, f"PodsRefused/{name}/{kind}/web", ("violates PodSecurity", "securityContext"))


def test_a_service_that_leads_nowhere_and_a_misspelt_namespace(
    diagnose: Diagnose, cluster: Any, cloud: Any, namespace: str
) -> None:
    """Quick, and so in the gate: from what stands in the cluster to a finding, and no false ease."""
    held = deployment(pod_spec(cloud.registry, SLEEP))
    apply(cluster, namespace, [{**held, "spec": {**held["spec"], "paused": True}}, service("web", {"app": "web"})])
    one = look_for(diagnose, namespace, f"Paused/{namespace}/Deployment/web", ("is paused",))
    assert one["object"] == {"api_version": "apps/v1", "kind": "Deployment", "name": "web", "namespace": namespace}
    unknown = diagnose(namespaces=["no-such-namespace"])
    assert unknown["failed"]
    assert "there is no namespace no-such-namespace" in unknown["msg"]
