# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess

import pytest

from localcloud import certs, cli, lifecycle, shell
from localcloud.azure.cluster_work import TYPE
from localcloud.azure.faults import DATABASE
from localcloud.azure.store import Resource, Store
from localcloud.files import write_atomically
from localcloud.kube.backend import LocalClusters
from localcloud.settings import Settings


@pytest.fixture
def environment(cloud_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in cloud_settings.environment().items():
        monkeypatch.setenv(name, value)
    certs.ensure_client_secret(cloud_settings)
    return cloud_settings


def test_env_before_up_says_what_to_do(environment: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["env"]) == 1
    assert "localcloud up" in capsys.readouterr().err


def test_env_shows_no_secret_and_the_shell_gets_it(environment: Settings) -> None:
    text = shell.exports(environment)
    assert environment.client_secret not in text
    script = f'{text}\necho "$AZURE_CLIENT_SECRET|$AZURE_TENANT|$AZURE_CLOUD_ENVIRONMENT"'
    stated = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    assert stated == f"{environment.client_secret}|{environment.tenant_id}|{environment.azure_endpoint}"


def test_status_of_what_is_down(environment: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 3
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[:2] for row in rows] == [
        [n, "stopped"] for n in ("node-helper", "registry", "packages", "azure")
    ]


def test_status_says_which_aks_resource_a_cluster_belongs_to(
    environment: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    clusters = LocalClusters(environment)
    for name in ("aks12345678", "by-hand"):
        clusters._ensure_layout(name, clusters.default_version())
    store = Store(environment.state / "azure" / DATABASE)
    resource = {"id": "/x", "type": TYPE, "subscription": "s", "group": "rg-agents", "name": "agents", "body": {}}
    store.put(Resource(**resource, private={"backend": "aks12345678"}))
    cli.main(["status"])
    rows = {row.split("  ")[0]: row for row in capsys.readouterr().out.splitlines()}
    assert rows["cluster aks12345678"].endswith("AKS rg-agents/agents")
    assert rows["cluster by-hand"].endswith("no AKS resource")
    store.close()


def test_down_of_what_is_down_asks_nobody_to_be_root(environment: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(settings: Settings) -> None:
        raise AssertionError("the node helper was started")

    monkeypatch.setattr(lifecycle.helper_client, "ensure_running", refuse)
    assert cli.main(["down"]) == 0
    assert environment.state.exists()
    assert cli.main(["reset"]) == 0
    assert not environment.state.exists()
    assert cli.main(["reset"]) == 0


def test_reset_removes_nothing_that_is_not_ours(environment: Settings) -> None:
    environment.marker_file.unlink()
    write_atomically(environment.state / "thesis.tex", "")
    assert cli.main(["reset"]) == 0
    assert (environment.state / "thesis.tex").exists()


def test_a_bad_setting_is_one_line(
    environment: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCALCLOUD_NETWORK", "everywhere")
    assert cli.main(["status"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_environment_names_no_secret(environment: Settings) -> None:
    values = lifecycle.environment(environment)
    assert environment.client_secret not in values.values()
    assert values["client_secret_file"] == str(environment.client_secret_file)
