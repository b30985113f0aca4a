# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest
import yaml
from ansible.errors import AnsibleError
from support.playbook import CHECKOUT

from ansible_collections.mcpops.platform.plugins.plugin_utils import ansible_core


@pytest.mark.parametrize("version", ["2.9.27", "2.16.14", "2.18.19", "2.18.0rc1"])
def test_an_older_core_is_named(version: str) -> None:
    with pytest.raises(AnsibleError, match=f"needs ansible-core 2.19 or newer, and this is {re.escape(version)} "):
        ansible_core.require(version)


@pytest.mark.parametrize("version", ["2.19.0", "2.20.0.dev0", "2.21.3", "2.22.0rc1", "3.0.0"])
def test_a_supported_one_passes(version: str) -> None:
    ansible_core.require(version)


def test_it_is_the_version_that_the_collection_requires() -> None:
    runtime = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert runtime["requires_ansible"] == f">={'.'.join(map(str, ansible_core.OLDEST))}.0"
