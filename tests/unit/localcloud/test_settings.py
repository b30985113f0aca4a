# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.settings import Settings, SettingsError


def test_directories_come_from_own_variables_before_the_desktop_ones() -> None:
    environ = {"LOCALCLOUD_STATE": "/a", "XDG_STATE_HOME": "/b", "XDG_CACHE_HOME": "/c"}
    settings = Settings.load(environ)
    assert settings.state == Path("/a")
    assert settings.cache == Path("/c/mcpops-localcloud")


def test_defaults_lie_below_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    settings = Settings.load({})
    assert settings.state == Path("/home/someone/.local/state/mcpops-localcloud")
    assert settings.cache == Path("/home/someone/.cache/mcpops-localcloud")
    assert settings.azure_endpoint == "https://127.0.0.1:8443"
    assert settings.registry == "10.213.0.1:5000"
    assert settings.packages == "http://10.213.0.1:3141"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LOCALCLOUD_AZURE_PORT", "0"),
        ("LOCALCLOUD_AZURE_PORT", "https"),
        ("LOCALCLOUD_REGISTRY_PORT", "65536"),
        ("LOCALCLOUD_PACKAGES_PORT", "-1"),
        ("LOCALCLOUD_NETWORK", "10.213.0.1/16"),
        ("LOCALCLOUD_NETWORK", "10.213.0.0/24"),
        ("LOCALCLOUD_NETWORK", "8.8.0.0/16"),
        ("LOCALCLOUD_STATE", "/" + "long" * 30),
    ],
)
def test_what_cannot_work_names_the_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.load({variable: value})


def test_another_process_loads_the_same_settings() -> None:
    settings = Settings.load(
        {
            "LOCALCLOUD_STATE": "/s",
            "LOCALCLOUD_CACHE": "/c",
            "LOCALCLOUD_NETWORK": "10.99.0.0/16",
            "LOCALCLOUD_AZURE_PORT": "1234",
            "LOCALCLOUD_BINARIES": "/b",
            "LOCALCLOUD_KUBECONFIG": "/k",
        }
    )
    assert Settings.load(settings.environment()) == settings


def test_addresses_of_clusters_do_not_meet() -> None:
    settings = Settings.load({"LOCALCLOUD_NETWORK": "10.99.0.0/16"})
    assert settings.host_address == "10.99.0.1"
    assert (settings.address(1, 1), settings.address(1, 2)) == ("10.99.1.1", "10.99.1.2")
    assert settings.address(250, 2) == "10.99.250.2"


def test_only_the_owner_may_enter_the_state(cloud_settings: Settings) -> None:
    assert cloud_settings.state.stat().st_mode & 0o777 == 0o700


def test_a_directory_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    mode = tmp_path.stat().st_mode
    with pytest.raises(SettingsError, match="LOCALCLOUD_STATE"):
        Settings(cache=tmp_path / "cache-elsewhere", state=tmp_path).make_directories()
    assert tmp_path.stat().st_mode == mode


def test_directories_that_a_killed_server_left_are_no_reason_to_refuse(tmp_path: Path) -> None:
    (tmp_path / "azure" / "empty").mkdir(parents=True)
    settings = Settings(cache=tmp_path / "cache-elsewhere", state=tmp_path)
    settings.make_directories()
    assert settings.marker_file.exists()


def test_a_missing_secret_says_what_to_run(cloud_settings: Settings) -> None:
    with pytest.raises(SettingsError, match="localcloud up"):
        _ = cloud_settings.client_secret
