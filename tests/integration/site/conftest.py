# SPDX-License-Identifier: GPL-3.0-or-later
"""The site of inventories/local, as a user runs it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.playbook import CHECKOUT, Run, run_playbook
from support.snapshot import snapshot

from .drift_runs import INVENTORY, Drift


@dataclass(frozen=True)
class Site:
    state: Path
    kubectl_binary: str
    own_kubeconfig: Path | None = None

    def run(self, *arguments: str, playbook: str = "site.yml", env: dict[str, str] | None = None) -> Run:
        return run_playbook("-i", INVENTORY, CHECKOUT / playbook, *arguments, env=env)

    @property
    def kubeconfig(self) -> Path:
        return self.own_kubeconfig or self.state / "kubeconfigs" / "local-1"

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            [self.kubectl_binary, "--kubeconfig", str(self.kubeconfig), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def settle(self) -> None:
        """Wait until KMCP calls the servers ready: up to then it looks every 10 s, and repairs what a test breaks."""
        self.kubectl("wait", "mcpservers.kagent.dev", "--all", "-n", "mcp", "--for=condition=Ready", "--timeout=180s")

    def cluster_writes(self) -> list[str]:
        """Writes that clients of this cluster asked for, from its audit log; an MCP handshake is none."""
        address = self.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
        (record,) = (
            path
            for path in (self.state / "clusters").glob("*/cluster.json")
            if f"//{json.loads(path.read_text(encoding='utf-8'))['node_address']}:" in address
        )
        return [
            f"{event['verb']} {event['requestURI']} by {event['user']['username']}"
            for event in _lines(record.parent / "audit" / "audit.log")
            if event["verb"] in ("create", "update", "patch", "delete", "deletecollection")
            and event["user"]["username"] == "kubernetes-admin"
            and "dryRun=All" not in event["requestURI"]
            and not re.search(r"/(services|pods)/[^/]+/proxy/", event["requestURI"])
        ]

    def shows_and_repairs(self, clean: Any, words: Sequence[str]) -> None:
        """For what was changed by hand since the snapshot `clean`: check mode shows it with these words and touches
        nothing, a run brings everything back, and the next one changes nothing."""
        drifted, azure, cluster = snapshot(self.kubectl), self.azure_writes(), self.cluster_writes()
        assert drifted != clean
        shown = self.run("--check", "--diff").ok()
        assert shown.changed, shown.output
        for word in words:
            assert word in shown.output
        assert snapshot(self.kubectl) == drifted, "check mode changed something"
        assert (self.azure_writes(), self.cluster_writes()) == (azure, cluster)

        repaired = self.run("--diff").ok()
        assert repaired.changed, repaired.output
        assert snapshot(self.kubectl) == clean
        assert self.run().ok().changed == []

    def azure_writes(self) -> list[dict[str, Any]]:
        return _lines(self.state / "azure" / "azure-writes.jsonl")

    def azure_requests(self) -> list[dict[str, Any]]:
        return _lines(self.state / "azure" / "azure-requests.jsonl")


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


@pytest.fixture(scope="session")
def site(cloud: Any) -> Site:
    """The site, converged by the playbook under test."""
    found = Site(cloud.settings.state, cloud.environment["kubectl"])
    found.run().ok()
    return found


@pytest.fixture
def drift(tmp_path: Path) -> Drift:
    return Drift(tmp_path)


Normalised = Callable[[], dict[str, Any]]
