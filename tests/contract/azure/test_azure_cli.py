# SPDX-License-Identifier: GPL-3.0-or-later
"""`eval "$(localcloud env)"` before azure-cli: at its start it reads which clouds there are from a variable's URL."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from localcloud import shell
from localcloud.certs import ensure_client_secret
from localcloud.settings import Settings

# what azure-cli-core reads of each cloud (its module cloud, 2.70 to 2.91)
CLOUD = """
import json
from azure.cli.core import cloud
(found,) = [one for one in cloud.KNOWN_CLOUDS if one.name == "LocalCloud"]
ends = found.endpoints
print(json.dumps([ends.resource_manager, ends.active_directory, ends.active_directory_resource_id]))
"""


def metadata_url(tmp_path: Path) -> str:
    settings = Settings(cache=tmp_path / "cache", state=tmp_path / "state")
    settings.state.mkdir()
    ensure_client_secret(settings)
    (found,) = re.findall(r"export ARM_CLOUD_METADATA_URL='?([^'\n]+)", shell.exports(settings))
    return str(found)


def test_the_variable_names_a_list_of_clouds(azure: Any, tmp_path: Path) -> None:
    url = urlsplit(metadata_url(tmp_path))
    answer = azure.http.get(f"{azure.config.endpoint}{url.path}?{url.query}").json()
    assert [cloud["name"] for cloud in answer] == ["LocalCloud"]
    assert answer[0]["authentication"]["loginEndpoint"].startswith(azure.config.endpoint)


@pytest.mark.slow
def test_azure_cli_starts_with_it(azure: Any, tmp_path: Path) -> None:
    place = tmp_path / "packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--target", str(place)]
    subprocess.run([*pip, "azure-cli-core"], check=True)
    url = urlsplit(metadata_url(tmp_path))
    environment = {
        **os.environ,
        "PYTHONPATH": str(place),
        "AZURE_CONFIG_DIR": str(tmp_path / "azure-cli"),
        "ARM_CLOUD_METADATA_URL": f"{azure.config.endpoint}{url.path}?{url.query}",
        "SSL_CERT_FILE": str(azure.ca),
        "REQUESTS_CA_BUNDLE": str(azure.ca),
    }
    done = subprocess.run([sys.executable, "-c", CLOUD], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    manager, authority, audience = json.loads(done.stdout)
    assert manager == azure.config.endpoint
    assert authority.rstrip("/") == azure.config.endpoint
    assert audience.rstrip("/") == azure.config.endpoint
