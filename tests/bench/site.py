# SPDX-License-Identifier: GPL-3.0-or-later
"""The site of inventories/local, up and converged, and what its second run asks of Azure."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from support.playbook import CHECKOUT, Run, run_playbook

from bench.measure import Row, seconds
from localcloud.settings import Settings

CLUSTER = "local-1"


@dataclass(frozen=True)
class Site:
    settings: Settings

    @classmethod
    def converged(cls) -> Site:
        site = cls(Settings.load())
        if not site.settings.environment_file.exists():
            raise SystemExit("The local cloud is not up: run .venv/bin/localcloud up first.")
        site.run().ok()
        return site

    def run(self, *arguments: str) -> Run:
        return run_playbook("-i", CHECKOUT / "inventories" / "local", CHECKOUT / "site.yml", *arguments)

    @property
    def kubeconfig(self) -> Path:
        return self.settings.state / "kubeconfigs" / CLUSTER

    def kubeconfig_content(self) -> dict[str, Any]:
        content: dict[str, Any] = yaml.safe_load(self.kubeconfig.read_text(encoding="utf-8"))
        return content

    def environment(self) -> dict[str, str]:
        known: dict[str, str] = json.loads(self.settings.environment_file.read_text(encoding="utf-8"))
        return known

    def play(self) -> dict[str, Any]:
        """What site.yml gives its tasks."""
        known = self.environment()
        auth = {
            "auth_source": "env",
            "cloud_environment": known["azure_endpoint"],
            "subscription_id": known["subscription_id"],
            "tenant": known["tenant_id"],
            "client_id": known["client_id"],
            "secret": self.settings.client_secret,
        }
        return {
            "environment": {"REQUESTS_CA_BUNDLE": known["ca_file"], "NO_PROXY": f"127.0.0.1,{self.settings.network}"},
            "module_defaults": {
                "group/mcpops.platform.azure": auth,
                "group/mcpops.platform.kubernetes": {"kubeconfig": str(self.kubeconfig)},
            },
        }

    def kubectl(self, *arguments: str, check: bool = True) -> None:
        binary = self.environment()["kubectl"]
        subprocess.run([binary, "--kubeconfig", str(self.kubeconfig), *arguments], check=check, capture_output=True)


def azure_requests(settings: Settings) -> list[dict[str, Any]]:
    log = settings.state / "azure" / "azure-requests.jsonl"
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def rows(site: Site) -> list[Row]:
    """The second run: nothing changes, and every unchanged resource is asked for once."""
    before = len(azure_requests(site.settings))
    runs: list[Run] = []
    wall = seconds(lambda: runs.append(site.run().ok()))
    asked = azure_requests(site.settings)[before:]
    tokens = [request for request in asked if "/oauth2/" in request["path"]]
    resources = Counter(request["path"].split("?")[0].lower() for request in asked if "/providers/" in request["path"])
    most = max(resources.values(), default=0)
    (run,) = runs
    shown = [one for one in run.results if one["status"] != "skipped" and "include_tasks" not in one["action"]]
    return [
        Row("no-op site.yml, changed tasks", str(len(run.changed)), "0", not run.changed),
        Row("no-op site.yml, task results a cluster", str(len(shown)), "<= 15", len(shown) <= 15),
        Row("no-op site.yml, token requests", str(len(tokens)), "<= 1", len(tokens) <= 1),
        Row("no-op site.yml, requests for one resource at most", str(most), "1", most <= 1),
        Row("no-op site.yml, requests to Azure in all", str(len(asked))),
        Row("no-op site.yml, wall", f"{wall:.1f} s"),
    ]
