# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the local Azure listens: on loopback, and where clusters reach it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from localcloud.azure.config import AzureConfig
from localcloud.azure.entra import Entra
from localcloud.azure.server import from_settings, listening
from localcloud.certs import ensure_client_secret
from localcloud.settings import Settings


def config(state: Path, **more: Any) -> AzureConfig:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return AzureConfig(state, "t", "s", "c", "x", port=port, **more)


def test_it_listens_at_both_addresses_also_before_the_second_one_is_there(tmp_path: Path) -> None:
    alone = listening(config(tmp_path))
    both = listening(config(tmp_path, cluster_address="10.99.0.1"))
    found = [[listener.getsockname()[0] for listener in listeners] for listeners in (alone, both)]
    for listener in (*alone, *both):
        listener.close()
    assert found == [["127.0.0.1"], ["127.0.0.1", "10.99.0.1"]]


def test_it_listens_where_vaults_and_accounts_are_reached(tmp_path: Path) -> None:
    """At addresses that may be yet to come, one port each."""
    hosts = ("10.99.0.1:5013", "10.99.0.1:5014")
    listeners = listening(config(tmp_path, data_hosts=hosts))
    found = [listener.getsockname() for listener in listeners]
    for listener in listeners:
        listener.close()
    assert found[1:] == [("10.99.0.1", 5013), ("10.99.0.1", 5014)]


def test_the_settings_say_where_clusters_reach_it(cloud_settings: Settings) -> None:
    ensure_client_secret(cloud_settings)
    made = from_settings(cloud_settings)
    assert made.cluster_address == cloud_settings.host_address
    assert made.data_hosts == cloud_settings.data_hosts
    assert not {*made.data_hosts} & {*cloud_settings.login_servers, cloud_settings.registry}
    assert made.groups == (cloud_settings.admin_group_id,)


def test_a_token_is_given_for_whichever_address_it_was_asked_for(tmp_path: Path) -> None:
    here = config(tmp_path, cluster_address="10.99.0.1")
    entra = Entra(here)
    for address in ("127.0.0.1", "localhost", "10.99.0.1"):
        issued = entra.issue(f"https://{address}:{here.port}/.default")
        assert issued is not None
        entra.authenticate(f"Bearer {issued[0]}")
    assert entra.issue(f"https://10.99.0.2:{here.port}/.default") is None
