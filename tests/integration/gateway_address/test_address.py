# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway at a public IP that its site makes: the load balancer has it, names lead to it, and it goes last."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import LOCATION
from support import gateway
from support.playbook import LOCAL_HOST, Run, run_playbook
from support.portal import Portal

from localcloud.authority import Authority
from localcloud.images import gateway as images

pytestmark = [pytest.mark.integration, pytest.mark.slow]

HOST, NAMESPACE, OF_ADDRESS = "addressed", "gateway", "rg-addressed-ip"
NETWORK, RECORDS = "providers/Microsoft.Network", {"dnsZones": "2018-05-01", "privateDnsZones": "2024-06-01"}
ADDRESS = f"resourceGroups/{OF_ADDRESS}/{NETWORK}/publicIPAddresses/pip-way-in"
NAME = "*.way-in.test"


@dataclass(frozen=True)
class AddressedSite:
    directory: Path
    cluster: Any
    portal: Portal
    zones: str  # resource group

    def play(self, playbook: str, *arguments: str, **variables: Any) -> Run:
        inventory = self.directory / "hosts.json"
        more = ("-e", json.dumps(variables)) if variables else ()
        return run_playbook(f"mcpops.platform.{playbook}", "-i", inventory, *more, *arguments)

    def asked(self, path: str, version: str) -> Any:
        answer = self.portal.request("GET", path, version=version)
        return answer.json() if answer.status_code == 200 else None

    @property
    def address(self) -> Any:
        return self.asked(ADDRESS, "2026-03-01")

    def record(self, kind: str) -> Any:
        return self.asked(f"resourceGroups/{self.zones}/{NETWORK}/{kind}/way-in.test/A/*", RECORDS[kind])

    def changed(self, run: Run) -> list[str]:
        return [task.rpartition(" : ")[2] for task in run.ok().changed]


@pytest.fixture(scope="module")
def site(
    cloud: Any, make_cluster: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AddressedSite]:
    gateway.provide(cloud)
    cluster = make_cluster(HOST, owner={"host": HOST, "environment": "test"})
    portal, zones = Portal(cloud.environment, cloud.secret), f"rg-zones-{uuid.uuid4().hex[:8]}"
    portal.put(f"resourceGroups/{zones}", {"location": LOCATION}, "2025-04-01")
    for kind, version in RECORDS.items():
        portal.put(f"resourceGroups/{zones}/{NETWORK}/{kind}/way-in.test", {"location": "global"}, version)
    directory = tmp_path_factory.mktemp("addressed")
    Authority.create("way in").issue("way-in", names=[NAME], server=True).write(
        directory / "tls.crt", directory / "tls.key"
    )
    cluster.kubectl("create", "namespace", NAMESPACE)
    files = ("--cert", str(directory / "tls.crt"), "--key", str(directory / "tls.key"))
    cluster.kubectl("create", "secret", "tls", "way-in", "-n", NAMESPACE, *files)
    _certificates, controller = gateway.releases(cloud)
    variables = {
        **LOCAL_HOST,
        "mcpops_resource_group": cluster.resource_group,
        "mcpops_location": LOCATION,
        "mcpops_environment": "test",
        "mcpops_azure_auth": cloud.auth(),
        "mcpops_kubeconfig": str(cluster.kubeconfig),
        "mcpops_process_environment": cloud.process_environment(),
        "mcpops_registry_ca_file": cloud.environment["registry_ca_file"],
        "gateway_controller_chart": controller["chart_ref"],
        "gateway_controller_version": controller["chart_version"],
        "gateway_envoy": {"image": f"docker.io/{images.ENVOY}"},
        "gateway_trial": False,
        "gateway_listeners": [{"hostname": NAME, "tls": {"secret": "way-in"}}],
        "gateway_public_ip": {
            "name": "pip-way-in",
            "resource_group": OF_ADDRESS,
            "zones": ["1", "2", "3"],
            "dns_label": "way-in-of-tests",
        },
        "gateway_dns_zones": [
            {"name": "way-in.test", "resource_group": zones},
            {"name": "way-in.test", "resource_group": zones, "private": True},
        ],
    }
    hosts = {"clusters": {"hosts": {HOST: variables}}}
    (directory / "hosts.json").write_text(json.dumps({"all": {"children": hosts}}), encoding="utf-8")
    yield AddressedSite(directory, cluster, portal, zones)
    portal.request("DELETE", f"resourceGroups/{zones}", version="2025-04-01")


# one after the other, as in the life of a site


def test_a_plan_from_nothing_makes_nothing(site: AddressedSite) -> None:
    planned = site.changed(site.play("site", "--tags", "gateway", "--check"))
    for task in ("Create the public IP", "Let the cluster use what is in the group", "Lead the names to the gateway"):
        assert task in planned
    assert site.address is None
    assert site.record("dnsZones") is None


def test_the_gateway_has_the_address_and_names_lead_to_it(site: AddressedSite) -> None:
    site.play("site", "--tags", "gateway").ok()
    held = site.address
    address = held["properties"]["ipAddress"]
    assert held["sku"]["name"] == "Standard" and held["zones"] == ["1", "2", "3"]
    assert held["properties"]["dnsSettings"]["fqdn"] == f"way-in-of-tests.{LOCATION}.cloudapp.azure.com"
    shown = site.cluster.get("gateway", "mcp", "-n", NAMESPACE)["status"]["addresses"]
    assert [one["value"] for one in shown] == [address]
    assert site.record("dnsZones")["properties"]["ARecords"] == [{"ipv4Address": address}]
    assert site.record("privateDnsZones")["properties"]["aRecords"] == [{"ipv4Address": address}]
    assert answered(address), f"nobody answers at {address}"


def answered(address: str, seconds: float = 20) -> bool:
    """By Envoy, for a name that no route has."""
    import socket

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((address, 443), 2):
                return True
        except OSError:
            time.sleep(0.2)
    return False


@pytest.mark.parametrize("check", [(), ("--check",)], ids=["run", "check"])
def test_a_second_run_changes_nothing(site: AddressedSite, check: tuple[str, ...]) -> None:
    assert site.changed(site.play("site", "--tags", "gateway", *check)) == []


def test_an_address_in_use_is_not_deleted(site: AddressedSite) -> None:
    refused = site.portal.request("DELETE", ADDRESS, version="2026-03-01")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "PublicIPAddressCannotBeDeleted")


def test_a_record_that_was_changed_by_hand_is_repaired(site: AddressedSite) -> None:
    path = f"resourceGroups/{site.zones}/{NETWORK}/dnsZones/way-in.test/A/*"
    properties = {"TTL": 300, "ARecords": [{"ipv4Address": "192.0.2.1"}]}
    site.portal.put(path, {"properties": properties}, RECORDS["dnsZones"])
    assert site.changed(site.play("site", "--tags", "gateway")) == ["Lead the names to the gateway"]
    address = site.address["properties"]["ipAddress"]
    assert site.record("dnsZones")["properties"]["ARecords"] == [{"ipv4Address": address}]


def test_a_teardown_removes_names_first_and_the_address_last(site: AddressedSite) -> None:
    confirmed = ("-e", f"teardown_confirm={HOST}")
    changed = site.changed(site.play("teardown", *confirmed))
    first, last = changed.index("Lead no name to the gateway"), changed.index("Delete the public IP")
    assert first < changed.index("Delete the cluster") < last
    assert changed[-2:] == ["Delete the public IP", "Delete its resource group"]
    assert site.address is None
    assert site.record("dnsZones") is None
    assert site.record("privateDnsZones") is None
    assert site.asked(f"resourceGroups/{OF_ADDRESS}", "2025-04-01") is None
