# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress
import random
from typing import Any

import pytest

from localcloud.kube import addresses
from localcloud.kube.addresses import CLEANUP, GROUP, INTERNAL, IPV4, PUBLIC_IP, Pools, decide

POOLS = Pools("10.213.3.64/26", "10.213.3.128/26", {"rg-ip/way-in": "10.213.251.7", "rg-other/x": "10.213.251.8"})


def service(name: str = "a", ports: tuple[int, ...] = (443,), ingress: str = "", **metadata: Any) -> dict[str, Any]:
    spec = {"type": "LoadBalancer", "ports": [{"port": port} for port in ports], **metadata.pop("spec", {})}
    status = {"loadBalancer": {"ingress": [{"ip": ingress}]} if ingress else {}}
    metadata = {"namespace": "n", "name": name, "uid": f"uid-{name}", "creationTimestamp": "2026", **metadata}
    return {"metadata": metadata, "spec": spec, "status": status}


def annotated(**values: Any) -> dict[str, Any]:
    return {"annotations": values}


def only(one: dict[str, Any]) -> addresses.Decision:
    (decision,) = decide([one], POOLS)
    return decision


@pytest.mark.parametrize("seed", range(40))
def test_no_two_services_share_a_port_of_an_address_and_nothing_moves(seed: int) -> None:
    chance = random.Random(seed)
    asked = [chance.sample([80, 443, 8443], chance.randint(1, 3)) for _ in range(chance.choice([0, 1, 5, 62, 70]))]
    services = [service(f"s{number}", tuple(ports)) for number, ports in enumerate(asked)]
    first = {one.name: one for one in decide(services, POOLS)}
    used = [(one.address, port) for one in first.values() if one.address for port in asked[int(one.name[1:])]]
    assert len(used) == len(set(used))
    # with what was given out written down, in any other order, everybody keeps theirs
    for one in services:
        one["status"] = service(ingress=first[one["metadata"]["name"]].address)["status"]
    again = decide(services[::-1], POOLS)
    assert all(first[one.name].address == one.address and not one.changed for one in again)
    # who is refused is so only where none is left
    assert all(one.address for one in first.values()) or len(asked) > 62


@pytest.mark.parametrize("change", [{"type": "ClusterIP"}, {"type": "LoadBalancer", "loadBalancerClass": "mine"}])
def test_what_asks_no_load_balancer_of_ours_is_left_alone(change: dict[str, str]) -> None:
    assert decide([service(spec=change)], POOLS) == []


@pytest.mark.parametrize("change", [{"spec": {"type": "ClusterIP"}}, {"deletionTimestamp": "2026"}])
def test_an_address_is_released(change: dict[str, Any]) -> None:
    gone = service("gone", ingress="10.213.3.65", finalizers=[CLEANUP], **change)
    released, given_out = decide([gone, service("new")], POOLS)
    assert released.changed and not released.balanced
    assert given_out.address == "10.213.3.65"


def test_an_internal_one_is_of_the_other_network() -> None:
    decision = only(service(**annotated(**{INTERNAL: "true"})))
    assert ipaddress.IPv4Address(decision.address) in ipaddress.IPv4Network(POOLS.internal)
    # and becomes public when it is told to
    assert only(service(ingress=decision.address)).address == "10.213.3.65"


@pytest.mark.parametrize(
    ("annotations", "spec", "address"),
    [
        ({PUBLIC_IP: "Way-In", GROUP: "RG-IP"}, {}, "10.213.251.7"),
        ({IPV4: "10.213.251.7", GROUP: "rg-ip"}, {}, "10.213.251.7"),
        ({GROUP: "rg-other"}, {"loadBalancerIP": "10.213.251.8"}, "10.213.251.8"),
        ({INTERNAL: "true", IPV4: "10.213.3.140"}, {}, "10.213.3.140"),
    ],
)
def test_a_fixed_address(annotations: dict[str, str], spec: dict[str, str], address: str) -> None:
    # also where it has another one already
    assert only(service(ingress="10.213.3.70", annotations=annotations, spec=spec)).address == address


@pytest.mark.parametrize(
    ("annotations", "word"),
    [
        ({PUBLIC_IP: "way-in"}, "resource group of the nodes"),
        ({PUBLIC_IP: "way-in", GROUP: "rg-other"}, "cannot find public IP with name way-in"),
        ({IPV4: "10.213.251.7", GROUP: "rg-other"}, "was not found in resource group rg-other"),
        ({IPV4: "10.213.3.66"}, "was not found"),
        ({INTERNAL: "true", IPV4: "10.213.251.7"}, "not contained in subnet"),
        ({INTERNAL: "true", IPV4: "nonsense"}, "not contained in subnet"),
    ],
)
def test_an_address_that_cannot_be_had(annotations: dict[str, str], word: str) -> None:
    decision = only(service(ingress="10.213.3.66", annotations=annotations))
    assert word in decision.refusal and not decision.address and decision.changed and decision.balanced


def test_two_services_of_different_ports_share_a_public_ip_and_a_third_does_not() -> None:
    fixed = annotated(**{PUBLIC_IP: "way-in", GROUP: "rg-ip"})
    made = [service(name, ports, **fixed) for name, ports in (("a", (80,)), ("b", (443,)), ("c", (443, 80)))]
    first, second, third = decide(made, POOLS)
    assert first.address == second.address == "10.213.251.7"
    assert "in use by the service n/" in third.refusal
