# SPDX-License-Identifier: GPL-3.0-or-later
"""`eval "$(localcloud env)"` before azure-cli: at its start it reads which clouds there are from a variable's URL."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.azure_cli import CLOUD, AzureCli

from localcloud import shell
from localcloud.certs import ensure_client_secret
from localcloud.settings import Settings

from .conftest import CLIENT, SECRET, SUBSCRIPTION, TENANT, Azure


def metadata_url(tmp_path: Path) -> str:
    settings = Settings(cache=tmp_path / "cache", state=tmp_path / "state")
    settings.state.mkdir()
    ensure_client_secret(settings)
    (found,) = re.findall(r"export ARM_CLOUD_METADATA_URL='?([^'\n]+)", shell.exports(settings))
    return str(found)


def test_the_variable_names_a_list_of_clouds(azure: Azure, tmp_path: Path) -> None:
    url = urlsplit(metadata_url(tmp_path))
    answer = azure.http.get(f"{azure.config.endpoint}{url.path}?{url.query}").json()
    assert [cloud["name"] for cloud in answer] == ["LocalCloud"]
    assert answer[0]["authentication"]["loginEndpoint"].startswith(azure.config.endpoint)


@pytest.mark.slow
def test_azure_cli_signs_in_with_it(azure: Azure, tmp_path: Path) -> None:
    url = urlsplit(metadata_url(tmp_path))
    az = AzureCli(tmp_path / "az", azure.config.endpoint, azure.ca)
    assert az.environment["ARM_CLOUD_METADATA_URL"] == f"{azure.config.endpoint}{url.path}?{url.query}"
    ends = az("cloud", "show", "--name", CLOUD)["endpoints"]
    assert ends["resourceManager"] == azure.config.endpoint
    assert ends["activeDirectory"].rstrip("/") == azure.config.endpoint
    assert ends["activeDirectoryResourceId"].rstrip("/") == azure.config.endpoint
    (found,) = az.login(TENANT, CLIENT, SECRET)
    assert (found["id"], found["cloudName"]) == (SUBSCRIPTION, CLOUD)
    nobody = AzureCli(tmp_path / "nobody", azure.config.endpoint, azure.ca)
    login = ("login", "--service-principal", "-u", CLIENT, "-p", "x", "--tenant", TENANT)
    assert "AADSTS7000215" in nobody.refused(*login)
