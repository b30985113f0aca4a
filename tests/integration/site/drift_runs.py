# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of drift.yml as a user starts them, and inventories for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
from support.playbook import CHECKOUT, Run, run_playbook

INVENTORY = CHECKOUT / "inventories" / "local"
SCHEMA = json.loads((CHECKOUT / "docs" / "drift-report.schema.json").read_text(encoding="utf-8"))


class Drift:
    """Runs of drift.yml by its full name, from a directory and with a configuration that are not the checkout's."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "ansible.cfg").touch()

    def run(self, *arguments: str, inventory: Path = INVENTORY, env: dict[str, str] | None = None) -> Run:
        place = f"drift_report_directory={self.directory / 'report'}"
        configuration = {"ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"), **(env or {})}
        return run_playbook(
            "mcpops.platform.drift", "-i", inventory, "-e", place, *arguments, env=configuration, cwd=self.directory
        )

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.directory / "report/drift-report.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator(SCHEMA).validate(found)
        return found

    def host(self, name: str) -> dict[str, Any]:
        (found,) = (host for host in self.report["hosts"] if host["name"] == name)
        return found


def inventory_of(place: Path, **clusters: dict[str, Any]) -> Path:
    """The local inventory's variables with other clusters."""
    place.mkdir()
    (place / "group_vars").symlink_to(INVENTORY / "group_vars")
    hosts = {
        "platforms": {"hosts": {"local": {}}},
        "clusters": {"hosts": clusters, "vars": {"mcpops_platform": "local"}},
    }
    (place / "hosts.json").write_text(json.dumps({"all": {"children": hosts}}), encoding="utf-8")
    return place
