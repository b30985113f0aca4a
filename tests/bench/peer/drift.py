# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody changes by hand, row by row, and what each contestant shows and repairs of it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.peer.contestants import Contestant, Outcome

CONTROLLER = ("Deployment", "kmcp-system", "kmcp-controller-manager")
METRICS = ("Service", "kmcp-system", "kmcp-controller-manager-metrics-service")
MANAGER_ROLE = ("ClusterRole", "", "kmcp-manager-role")
SERVER = ("MCPServer", "mcp", "echo")
ARGS = "/spec/template/spec/containers/0/args/-"


@dataclass(frozen=True)
class Drift:
    """One change: the object, how it is changed (a JSON patch, a merge patch or None for deletion), and which words
    of the diff name it."""

    what: str
    target: tuple[str, str, str]
    patch: list[dict[str, Any]] | dict[str, Any] | None
    reason: str


DRIFTS = (
    Drift("MCP Service deleted", ("Service", "mcp", "echo"), None, r"Service"),
    Drift(
        "controller's arguments edited",
        CONTROLLER,
        [{"op": "add", "path": ARGS, "value": "--zap-log-level=debug"}],
        r"--zap-log-level=debug",
    ),
    Drift(
        "chart's Service port edited",
        METRICS,
        [{"op": "replace", "path": "/spec/ports/0/port", "value": 8444}],
        r"8444",
    ),
    Drift("chart's ClusterRole deleted", MANAGER_ROLE, None, r"kmcp-manager-role"),
    Drift(
        "namespace relabelled",
        ("Namespace", "", "mcp"),
        {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}},
        r"baseline",
    ),
    Drift(
        "MCPServer's image edited",
        SERVER,
        {"spec": {"deployment": {"image": "registry.example.org/other:1.0.0"}}},
        r"registry\.example\.org/other",
    ),
    Drift(
        "MCPServer got an extra variable",
        SERVER,
        {"spec": {"deployment": {"env": {"DEBUG": "1"}}}},
        r"DEBUG",
    ),
    Drift(
        "chart's ClusterRole widened",
        MANAGER_ROLE,
        [{"op": "add", "path": "/rules/-", "value": {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}}],
        r"\*",
    ),
    Drift("controller scaled to nothing", CONTROLLER, {"spec": {"replicas": 0}}, r"replicas"),
    Drift("controller's Deployment deleted", CONTROLLER, None, r"kmcp-controller-manager"),
    Drift(
        "chart's Role emptied",
        ("Role", "kmcp-system", "kmcp-leader-election-role"),
        {"rules": []},
        r"leader-election-role",
    ),
    Drift(
        "MCP server's Deployment got an image by hand",
        ("Deployment", "mcp", "echo"),
        [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "registry.example.org/x:1"}],
        r"registry\.example\.org/x:1|Deployment",
    ),
    Drift("MCP server's Deployment deleted", ("Deployment", "mcp", "echo"), None, r"Deployment"),
)
# Written by servers and controllers, or by whoever wrote last.
SERVERS_OWN = ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "annotations")


@dataclass(frozen=True)
class Seen:
    shown: str
    repaired: str


def _arguments(target: tuple[str, str, str]) -> list[str]:
    kind, namespace, name = target
    return [kind.lower(), name, *(["-n", namespace] if namespace else [])]


def state(ref: Contestant, target: tuple[str, str, str]) -> dict[str, Any] | None:
    """What was declared of an object; None when it is gone."""
    text = ref.kubectl("get", *_arguments(target), "-o", "json", "--ignore-not-found")
    if not text.strip():
        return None
    found: dict[str, Any] = json.loads(text)
    found.pop("status", None)
    for name in SERVERS_OWN:
        found["metadata"].pop(name, None)
    labels = found["metadata"].get("labels", {})
    labels.pop("kagent.dev/reconcile", None)
    return found


def change(ref: Contestant, drift: Drift) -> None:
    if drift.patch is None:
        ref.kubectl("delete", *_arguments(drift.target), "--wait=true")
        return
    kind = "json" if isinstance(drift.patch, list) else "merge"
    ref.kubectl("patch", *_arguments(drift.target), f"--type={kind}", "-p", json.dumps(drift.patch))


def mend(ref: Contestant, drift: Drift, before: dict[str, Any]) -> None:
    """Put the object back by hand, for who did not."""
    wanted = copy.deepcopy(before)
    for name in ("clusterIP", "clusterIPs"):
        wanted.get("spec", {}).pop(name, None)
    if state(ref, drift.target) is None:
        ref.kubectl("create", "-f", "-", stdin=wanted)
    else:
        ref.kubectl("replace", "-f", "-", stdin=wanted)
    ref.kubectl("-n", "kmcp-system", "rollout", "status", "deployment/kmcp-controller-manager", "--timeout=60s")
    ref.kubectl("-n", "mcp", "rollout", "status", "deployment/echo", "--timeout=60s")


def _same(before: dict[str, Any], after: dict[str, Any] | None) -> bool:
    if after is None:
        return False
    left, right = copy.deepcopy(before), copy.deepcopy(after)
    for one in (left, right):
        for name in ("clusterIP", "clusterIPs"):
            one.get("spec", {}).pop(name, None)
        # the roll-out's own mark
        template = one.get("spec", {}).get("template", {}).get("metadata", {})
        template.pop("annotations", None)
        # whose it is, which whoever repairs may add
        one["metadata"].pop("labels", None) if one["kind"] != "Namespace" else None
        one["metadata"].pop("ownerReferences", None)
    return left == right


def shown(drift: Drift, found: Outcome | None) -> str:
    if found is None:
        return "cannot"
    if found.returncode:
        return "fails"
    if re.search(drift.reason, _differences(found.output)):
        return "yes"
    return '"changed" without it' if found.changed else "no"


def _differences(output: str) -> str:
    """What was printed of tasks that would change: their diffs and results."""
    return "\n".join(line for line in output.splitlines() if line.startswith(("+", "-", "  ", "changed:", '"')))


def observe(ref: Contestant, drift: Drift) -> Seen:
    before = state(ref, drift.target)
    assert before is not None, drift.what
    change(ref, drift)
    changed = state(ref, drift.target)
    assert not _same(before, changed), f"{drift.what}: nothing changed on {ref.name}"
    reported = shown(drift, ref.check())
    done = ref.run()
    healed = _same(before, state(ref, drift.target))
    verdict = "yes" if healed else "no"
    if done.returncode:
        verdict += f", fails after {done.wall:.0f} s"
    elif not healed:
        verdict += ", green"
    if not healed:
        mend(ref, drift, before)
    if done.returncode:
        # whatever the failed run left half done
        ref.run()
    return Seen(reported, verdict)


def rows(contestants: Sequence[Contestant], drifts: Sequence[Drift] = DRIFTS) -> list[tuple[str, list[Seen]]]:
    found = []
    for drift in drifts:
        seen = [observe(ref, drift) for ref in contestants]
        cells = "  ".join(
            f"{ref.name}: shown {one.shown}, repaired {one.repaired}" for ref, one in zip(contestants, seen)
        )
        print(f"{drift.what}: {cells}", flush=True)
        found.append((drift.what, seen))
    return found
