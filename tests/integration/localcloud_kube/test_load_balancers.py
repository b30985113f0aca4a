# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of type LoadBalancer have an address that this host reaches, until they go."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.restricted_pods import namespace, python_pod

from localcloud.kube.backend import LocalClusters
from localcloud.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.slow]

NAME = "balanced"
SERVE = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=8080)"


@pytest.fixture(scope="module")
def kubectl(clusters: LocalClusters, kubectl_for: Callable[[str], Any], own_settings: Settings) -> Iterator[Any]:
    clusters.create(NAME, clusters.default_version())
    kubectl = kubectl_for(NAME)
    kubectl("apply", "-f", "-", stdin=namespace("work"))
    kubectl("-n", "work", "apply", "-f", "-", stdin=python_pod(own_settings, "web", SERVE))
    kubectl("-n", "work", "wait", "pod/web", "--for=condition=Ready", "--timeout=90s")
    yield lambda *arguments, **options: kubectl("-n", "work", *arguments, **options)
    clusters.delete(NAME)


def service(name: str, annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    ports = [{"port": 80, "targetPort": 8080}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": ports, **spec},
    }


def address(kubectl: Any, name: str, seconds: float = 20) -> str:
    path = "jsonpath={.status.loadBalancer.ingress[0].ip}"
    deadline = time.monotonic() + seconds
    while not (found := str(kubectl("get", "service", name, "-o", path))):
        assert time.monotonic() < deadline, "no address"
        time.sleep(0.1)
    return found


def reached(at: str, seconds: float = 10) -> bool:
    """Whether somebody answers there; kube-proxy needs a moment to hear of a new address."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                f"http://{at}/", timeout=2
            ) as answer:
                return bool(answer.status == 200)
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """kube-proxy needs a moment to hear of a Service that is new, and of one that is gone."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_several_services_with_the_same_port_are_reached_from_here(kubectl: Any) -> None:
    policies = {"one": "Cluster", "two": "Local"}
    for name, policy in policies.items():
        kubectl("apply", "-f", "-", stdin=service(name, externalTrafficPolicy=policy))
    addresses = {name: address(kubectl, name) for name in policies}
    assert len(set(addresses.values())) == 2
    assert all(reached(one) for one in addresses.values())
    events = kubectl("get", "events", "-o", "jsonpath={.items[*].reason}")
    assert "EnsuredLoadBalancer" in events
    kubectl("delete", "service", "one", "--timeout=20s")
    until(lambda: not reached(addresses["one"], 0))
    assert reached(addresses["two"])
    # its address is the next one's
    kubectl("apply", "-f", "-", stdin=service("three"))
    assert address(kubectl, "three") == addresses["one"]


def test_source_ranges_are_enforced(kubectl: Any, clusters: LocalClusters) -> None:
    layout = clusters.layout(NAME)
    assert layout is not None
    for name, ranges, answer in (("open", [f"{layout.host_address}/32"], True), ("closed", ["192.0.2.0/24"], False)):
        kubectl("apply", "-f", "-", stdin=service(name, loadBalancerSourceRanges=ranges))
        assert reached(address(kubectl, name), 10 if answer else 3) is answer


def test_an_internal_address_is_not_reached_from_here(kubectl: Any) -> None:
    annotations = {"service.beta.kubernetes.io/azure-load-balancer-internal": "true"}
    kubectl("apply", "-f", "-", stdin=service("inner", annotations))
    inner = address(kubectl, "inner")
    assert not reached(inner, 0)
    ask = f"import urllib.request as u; print(u.urlopen('http://{inner}/', timeout=5).status)"
    until(lambda: kubectl("exec", "web", "--", "python", "-c", ask, check=False).strip() == "200")
    # no longer internal: another address, which is reached
    kubectl("apply", "-f", "-", stdin=service("inner"))
    deadline = time.monotonic() + 20
    while address(kubectl, "inner") == inner:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert reached(address(kubectl, "inner"))


def test_why_a_service_has_no_address_is_an_event_and_it_gets_one_when_it_can(
    kubectl: Any, clusters: LocalClusters
) -> None:
    group = {"service.beta.kubernetes.io/azure-load-balancer-resource-group": "rg-ip"}
    annotations = {"service.beta.kubernetes.io/azure-pip-name": "way-in", **group}
    kubectl("apply", "-f", "-", stdin=service("fixed", annotations))
    deadline = time.monotonic() + 20
    while "cannot find public IP with name way-in" not in kubectl("get", "events", "-o", "json"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    layout = clusters.layout(NAME)
    assert layout is not None
    layout.public_addresses.write_text(json.dumps({"rg-ip/way-in": "10.250.251.9"}))
    assert address(kubectl, "fixed") == "10.250.251.9"
    kubectl("delete", "service", "fixed", "--timeout=20s")
