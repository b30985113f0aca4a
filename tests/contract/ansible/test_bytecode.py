# SPDX-License-Identifier: GPL-3.0-or-later
"""What an action of this collection imports is compiled once, and not in each process that Ansible starts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.playbook import CHECKOUT

IMPORT = """
import importlib, sys
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
_AnsibleCollectionFinder(paths=[sys.argv[1]])._install()
importlib.import_module("ansible_collections.mcpops.platform.plugins.action." + sys.argv[2])
ours = "ansible_collections.mcpops.platform.plugins.module"
for name, module in sys.modules.items():
    if name.startswith(ours) and module.__file__.endswith(".py"):
        print(name, module.__cached__ or "compiled from source")
"""


@pytest.mark.parametrize("action", ["k8s_objects", "aks_cluster", "site_validate"])
def test_what_an_action_imports_has_bytecode(action: str) -> None:
    argv = [sys.executable, "-c", IMPORT, str(CHECKOUT / "collections"), action]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kept = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert len(kept) > 20 and not [name for name, file in kept.items() if not os.path.exists(file)]
