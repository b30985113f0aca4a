# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from localcloud.registry.client import split_reference
from localcloud.registry.server import configuration
from localcloud.settings import Settings


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("echo-mcp:1.0.0", ("echo-mcp", "1.0.0")),
        ("kagent-dev/kmcp/controller:0.3.0", ("kagent-dev/kmcp/controller", "0.3.0")),
    ],
)
def test_a_reference_is_repository_and_tag(reference: str, parts: tuple[str, str]) -> None:
    assert split_reference(reference) == parts


@pytest.mark.parametrize("reference", ["echo-mcp", "host:5000/echo-mcp", ":1.0", ""])
def test_a_reference_without_a_tag_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match="repository:tag"):
        split_reference(reference)


def test_the_registry_listens_on_the_shared_address_with_tls(cloud_settings: Settings) -> None:
    text = configuration(cloud_settings, "x")
    assert f'"addr": "{cloud_settings.registry}"' in text
    assert str(cloud_settings.registry_key_file) in text
