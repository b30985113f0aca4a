# SPDX-License-Identifier: GPL-3.0-or-later
"""Azure's libraries are imported by who talks to Azure, before workers are forked, and by nobody else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.playbook import CHECKOUT

IMPORT = """
import importlib, sys
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
_AnsibleCollectionFinder(paths=[sys.argv[1]])._install()
importlib.import_module("ansible_collections.mcpops.platform.plugins.action." + sys.argv[2])
print("azure.core" in sys.modules)
"""


@pytest.mark.parametrize(
    ("action", "wanted"),
    [("aks_cluster", True), ("azure_provider", True), ("site_validate", False), ("mcp_probe", False)],
)
def test_who_imports_azures_libraries(action: str, wanted: bool) -> None:
    argv = [sys.executable, "-c", IMPORT, str(CHECKOUT / "collections"), action]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(wanted)
