# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A registry, or an agent, that other clusters call: its load balancer, and who may come through it. Pure.

Nothing of the mesh asks for a token: who may come is said by ranges of addresses, and there is no default for them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ..arm import names
from ..arm.names import INTERNAL, INTERNAL_ADDRESS, PIP_GROUP, PIP_NAME
from ..errors import Problem
from ..kube.manifests import Object
from ..kube.policy_peers import range_problems
from ..text import texts_of_mapping

SUFFIX = "exposed"
EXPOSED = "exposed"
AGENT_RANGES = "mcpops.io/agent-ranges"
"""On the load balancer of a registry: where agents of other clusters are called, which its policy lets it do."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?){2,}")
# a third label that makes it the name of a Service
_SERVICE_LABEL = "svc"
_EVERYBODY = 0

OPTIONS: dict[str, Any] = {
    "internal": {"type": "bool", "default": True},
    "ip": {"type": "str"},
    "public_ip": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "resource_group": {"type": "str", "required": True},
        },
    },
    "source_ranges": {"type": "list", "elements": "str"},
    "annotations": {"type": "dict"},
}
"""What `exposed` takes of both; an agent has a host beside it."""


def exposed_service(service: Mapping[str, Any], exposed: Mapping[str, Any]) -> Object:
    """The pods of a Service through a load balancer. With Local, policies see who comes, and not a node."""
    annotations: dict[str, str] = {}
    if exposed.get("internal"):
        annotations[INTERNAL] = "true"
    if exposed.get("ip"):
        annotations[INTERNAL_ADDRESS] = exposed["ip"]
    if exposed.get("public_ip"):
        annotations[PIP_NAME] = exposed["public_ip"]["name"]
        annotations[PIP_GROUP] = exposed["public_ip"]["resource_group"]
    if exposed.get("agent_ranges"):
        annotations[AGENT_RANGES] = ",".join(exposed["agent_ranges"])
    annotations |= texts_of_mapping(exposed.get("annotations") or {})
    metadata = {**service["metadata"], "name": exposed_name(service["metadata"]["name"])}
    spec = {
        **service["spec"],
        "type": "LoadBalancer",
        "externalTrafficPolicy": "Local",
        "loadBalancerSourceRanges": list(exposed["source_ranges"]),
    }
    return {**service, "metadata": {**metadata, **({"annotations": annotations} if annotations else {})}, "spec": spec}


def way_in(exposed: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The peers of a NetworkPolicy that may come from elsewhere."""
    return peers((exposed or {}).get("source_ranges") or ())


def way_to_agents(exposed: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The rule by which a registry calls agents of other clusters, as whoever diagnoses asks it to."""
    remote = peers((exposed or {}).get("agent_ranges") or ())
    return [{"to": remote}] if remote else []


def exposed_name(name: str) -> str:
    return f"{name}-{SUFFIX}"


def is_called_in(host: str, ranges: str) -> bool:
    """Whether an agent of another cluster is called in these ranges; of a name only whoever calls it knows."""
    given = [one.strip() for one in ranges.split(",") if one.strip()]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return bool(given)
    return any(address in ipaddress.ip_network(one, strict=False) for one in given)


def peers(ranges: Sequence[str]) -> list[dict[str, Any]]:
    """Of a NetworkPolicy."""
    return [{"ipBlock": {"cidr": one}} for one in ranges]


def registry_range(url: str) -> list[str]:
    """The address of a registry that is given as one; the others are in nobody's policy by their names."""
    host = urlsplit(url).hostname or ""
    try:
        return [str(ipaddress.ip_network(host))]
    except ValueError:
        return []


def exposure_problems(where: str, exposed: Mapping[str, Any] | None) -> Iterator[Problem]:
    if exposed is None:
        return
    ranges = exposed.get("source_ranges") or ()
    if not ranges:
        yield Problem(f"{where}.source_ranges", "is needed: nothing of a mesh asks for a token, so say who may come")
    found = list(range_problems(f"{where}.source_ranges", ranges))
    yield from found
    for index, one in enumerate(ranges if not found else ()):
        if ipaddress.ip_network(one, strict=False).prefixlen == _EVERYBODY:
            yield Problem(
                f"{where}.source_ranges[{index}]", f"{one} is everybody, and nothing of a mesh asks for a token"
            )
    if exposed.get("public_ip") and exposed.get("internal"):
        yield Problem(f"{where}.public_ip", "is not an address of the network: set internal to false")
    if exposed.get("public_ip"):
        given = exposed["public_ip"]
        yield from names.name_problems(f"{where}.public_ip.name", names.PUBLIC_ADDRESSES, given["name"])
        group = given["resource_group"]
        yield from names.name_problems(f"{where}.public_ip.resource_group", names.RESOURCE_GROUPS, group)
    if exposed.get("ip") and not exposed.get("internal"):
        yield Problem(f"{where}.ip", "is an address of the network: a public one is named by public_ip")
    if exposed.get("ip") and not _is_address(exposed["ip"]):
        yield Problem(f"{where}.ip", f"{exposed['ip']!r} is not an IPv4 address")


def host_problems(where: str, host: str) -> Iterator[Problem]:
    """What other clusters call an agent by: no name of a Service, which means another one there."""
    labels = host.split(".")
    if _is_address(host) or (_NAME.fullmatch(host) and labels[2] != _SERVICE_LABEL and not labels[-1].isdigit()):
        return
    sentence = "an IPv4 address, or a name of DNS with three parts or more, such as agent.example.com"
    yield Problem(where, f"{host!r} is not what other clusters could call: it takes {sentence}")


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
