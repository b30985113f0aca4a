# SPDX-License-Identifier: GPL-3.0-or-later
"""A fresh local Azure for each test that asks for one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.local_azure import SECRET, Azure, free_port, served

from localcloud.authority import Authority
from localcloud.azure.config import AzureConfig
from localcloud.azure.entra import KEY_FILE, load_or_make_key


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pki")
    authority = Authority.create("test CA")
    authority.pair.write(directory / "ca.crt", directory / "ca.key")
    authority.issue("azure", names=["localhost", "127.0.0.1"], server=True).write(
        directory / "azure.crt", directory / "azure.key"
    )
    load_or_make_key(directory / KEY_FILE)
    return directory


@pytest.fixture
def azure(pki: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    """A fresh local Azure without resources; the environment holds nothing of this machine's Azure."""
    for name in ("AZURE_CONFIG_DIR", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pki / "ca.crt"))
    config = AzureConfig(
        state=tmp_path / "azure",
        tenant_id="6f1c2b0e-7a55-4f0e-9a43-2f6f3f0d1b11",
        subscription_id="1d0c7a52-3b7e-4a53-8f0e-7f2d9f9f5c22",
        client_id="0b9a3c44-5f6e-4d2c-8a77-6e5d4c3b2a33",
        client_secret=SECRET,
        port=free_port(),
        certificate=pki / "azure.crt",
        key=pki / "azure.key",
        operation_seconds=0.05,
        poll_milliseconds=20,
        registration_seconds=0.05,
    )
    config.state.mkdir(mode=0o700)
    # One RSA key for all of them: making it takes longer than most of the tests.
    shutil.copy(pki / KEY_FILE, config.state)
    with served(config):
        yield Azure(config, tmp_path / "run")
