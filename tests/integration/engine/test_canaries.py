# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret given to any option is found nowhere: not in output at -vvvv, results, command lines or files."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.playbook import CHECKOUT

pytestmark = pytest.mark.integration

FIXTURES = CHECKOUT / "tests/unit/plugins/plugin_utils/fixtures/collections"
OTHER_HOST = {"ansible_connection": "test.adapters.namespace", "ansible_python_interpreter": sys.executable}
CANARY = "canary-6f1d2b"
NOWHERE = {"host": "https://127.0.0.1:9", "validate_certs": False}
REQUIRED: dict[str, dict[str, Any]] = {
    "aks_sku_preflight": {"location": "eastus2", "candidates": ["Standard_D2s_v5"], "node_count": 1},
    "azure_provider": {"namespaces": ["Microsoft.Compute"]},
    "azure_resource": {"type": "Microsoft.Resources/resourceGroups", "name": "rg-x", "location": "eastus2"},
    "azure_resource_info": {"type": "Microsoft.Resources/resourceGroups", "name": "rg-x"},
    "aks_cluster": {"name": "x", "resource_group": "rg-x", "location": "eastus2"},
    "aks_cluster_info": {"name": "x", "resource_group": "rg-x"},
    "aks_kubeconfig": {"name": "x", "resource_group": "rg-x", "path": "kubeconfig"},
    "k8s_objects": {
        **NOWHERE,
        "definitions": [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "x", "namespace": "x"},
                "stringData": {"password": f"{CANARY}-data"},
            }
        ],
    },
    "k8s_objects_info": {**NOWHERE, "kind": "Secret", "api_version": "v1"},
    "helm_release": {
        **NOWHERE,
        "name": "x",
        "namespace": "x",
        "chart_ref": "oci://127.0.0.1:9/x",
        "chart_version": "1.0.0",
    },
    "kmcp_install": {**NOWHERE, "chart_repository": "oci://127.0.0.1:9/x"},
    "mcp_server": {**NOWHERE, "name": "x", "namespace": "x", "image": "x", "port": 3000},
    "mcp_probe": {**NOWHERE, "name": "x", "namespace": "x", "port": 3000, "wait_timeout": 1},
}


def _secret_options() -> list[tuple[str, str]]:
    found = []
    for module in REQUIRED:
        loaded = importlib.import_module(f"ansible_collections.mcpops.platform.plugins.modules.{module}")
        found += [(module, name) for name, option in loaded.ARGUMENT_SPEC.items() if option.get("no_log") is True]
    return found


@pytest.mark.parametrize("host", [{}, OTHER_HOST], ids=["in process", "module"])
@pytest.mark.parametrize("module", sorted({module for module, _ in _secret_options()}))
def test_canaries_are_found_nowhere(
    module: str, host: dict[str, Any], run_all: Any, cloud: Any, tmp_path: Path
) -> None:
    secrets = {name: f"{CANARY}-{name}" for owner, name in _secret_options() if owner == module}
    auth = {key: value for key, value in cloud.auth().items() if key not in secrets}
    args = {**REQUIRED[module], **secrets}
    with _watched_command_lines() as seen:
        run = run_all(
            [{f"mcpops.platform.{module}": args}],
            auth=auth,
            collections=[FIXTURES],
            host=host,
            env={"HOME": str(tmp_path)},
            verbosity=4,
        )
    assert run.returncode != 0, "the canaries are no real credentials"
    assert CANARY not in run.output
    assert CANARY not in str(run.results)
    assert not seen, seen
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


@contextmanager
def _watched_command_lines() -> Iterator[list[str]]:
    """Looks at every process's command line again and again while the block runs."""
    seen: list[str] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    content = path.read_bytes()
                except OSError:
                    continue
                if CANARY.encode() in content:
                    seen.append(content.decode(errors="replace"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
