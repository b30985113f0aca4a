# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as the callback collects them: a host in every state, and values that try to break out of the page."""

from __future__ import annotations

import shlex
from functools import partial
from typing import Any

from ansible_collections.mcpops.platform.plugins.callback.site_collected import kept_diff
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan
from ansible_collections.mcpops.platform.plugins.module_utils.site import drift_report
from ansible_collections.mcpops.platform.plugins.module_utils.site.drift_report import Commands

EVIL = "</table><script>alert(1)</script><img src=https://example.org/x.png onerror=alert(1)>"
SECRET = "********"
CLUSTER = {
    "exists": True,
    "name": "c",
    "id": "/subscriptions/s/resourceGroups/rg-c/providers/x",
    "power_state": "Running",
}


def row(host: str, module: str, stage: str, **more: Any) -> dict[str, Any]:
    return {"host": host, "module": f"mcpops.platform.{module}", "stage": stage, "task": f"Run {module}", **more}


def cluster(host: str, **more: Any) -> dict[str, Any]:
    return row(host, "aks_cluster", "cluster", cluster={**CLUSTER, "name": host, **more.pop("cluster", {})}, **more)


def diff(subject: str, *changes: Change, is_new: bool = False) -> list[dict[str, Any]]:
    return [kept_diff(Plan(subject, changes, is_new=is_new).diff())]


def created(subject: str, content: dict[str, Any]) -> list[dict[str, Any]]:
    return diff(subject, Change("", ABSENT, content), is_new=True)


UNREACHABLE = {"code": "Unreachable", "kind": "service_error"}
DRIFTED_OBJECTS = [
    row(
        "drifted",
        "k8s_objects",
        "setup",
        changed=True,
        diff=diff("Namespace mcp", Change("labels.level", "privileged", "restricted"))
        + diff(f"ConfigMap {EVIL}", Change("data.text", EVIL, ABSENT, changed_by=EVIL))
        + diff("Secret mcp/key", Change("data.token", "canary-1", "canary-2", secret=True)),
    ),
    row(
        "drifted",
        "kmcp_install",
        "kmcp",
        changed=True,
        diff=created("ClusterRole manager", {"rules": [{"verbs": ["get"]}] * 30}),
    ),
    row("drifted", "aks_kubeconfig", "cluster", changed=True, msg="kubeconfig written", diff=[]),
]
ROWS = [
    row("shared", "azure_resource", "platform", item="rg-c"),
    cluster("in-sync", notes=["pool extra is not declared"]),
    cluster("drifted"),
    *DRIFTED_OBJECTS,
    cluster(
        "gone",
        cluster={"exists": False, "power_state": None},
        changed=True,
        diff=created("AKS cluster gone", {"location": "x"}),
    ),
    row(
        "gone",
        "k8s_objects",
        "setup",
        changed=True,
        diff=created("Namespace mcp", {"kind": "Namespace"}),
        notes=["later"],
    ),
    cluster("stopped", cluster={"power_state": "Stopped"}),
    row("stopped", "k8s_objects", "setup", failed=True, msg="cluster unreachable", error=UNREACHABLE),
    cluster("unreachable"),
    row("unreachable", "k8s_objects", "setup", failed=True, msg="cluster unreachable: https://x", error=UNREACHABLE),
    cluster("failed", changed=True, diff=diff("AKS cluster failed", Change("tags.a", 1, 2))),
    row("failed", "k8s_objects", "setup", failed=True, msg=f"refused: {EVIL}", error={"code": "Forbidden"}),
]
NAMES = ["shared", "in-sync", "drifted", "gone", "stopped", "unreachable", "failed", "never-reached"]
ENDED = ["shared", "in-sync", "drifted", "gone"]
ABOUT = {
    "generated_at": "2026-01-31T10:00:00+00:00",
    "playbook": "mcpops.platform.site",
    "inventory": ["inventories/my site"],
    "directory": "/home/me/my platform",
    "repair": False,
}


def command(playbook: str, limit: str, *more: str) -> str:
    return shlex.join(["ansible-playbook", playbook, "-i", "inventories/my site", "--limit", limit, *more])


COMMANDS = Commands(
    partial(command, "mcpops.platform.site"),
    partial(command, "mcpops.platform.drift"),
    lambda limit: command("mcpops.platform.drift", limit, "-e", "drift_repair=true"),
)


def hosts() -> list[drift_report.HostDrift]:
    return drift_report.hosts_of(ROWS, NAMES, {"shared": "platform"}, ENDED)


def report() -> dict[str, Any]:
    return drift_report.build_report(hosts(), ABOUT, COMMANDS)
