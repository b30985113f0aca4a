# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of real charts on the shared cluster: converged in this process, their requests counted."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from support.action import run_action
from support.kube_http import Api
from support.upstream_charts import UpstreamChart

from localcloud.kube.layout import ClusterLayout

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OUR_TESTS = "mcpops-tests"
WRITES = ("create", "update", "patch", "delete", "deletecollection")
GONE_SECONDS = 120.0
# Fewer objects of a kind and namespace are cheaper one by one than by the list of all there are.
BY_NAME = 3


@dataclass(frozen=True)
class Requests:
    """What one run asked of the API server."""

    total: int
    writes: tuple[str, ...]
    dry_runs: tuple[str, ...]
    seconds: float


class Audit:
    """The cluster's audit log, read from where a run began."""

    def __init__(self, state: Path, kubeconfig: Path) -> None:
        address = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))["clusters"][0]["cluster"]["server"]
        layouts = [ClusterLayout.from_json(path.read_text()) for path in (state / "clusters").glob("*/cluster.json")]
        (layout,) = (layout for layout in layouts if layout.api_server == address)
        self._log = layout.audit_log

    def position(self) -> int:
        return self._log.stat().st_size

    def since(self, position: int, seconds: float) -> Requests:
        with self._log.open("rb") as log:
            # a smaller one was begun meanwhile
            log.seek(position if position <= self.position() else 0)
            events = [json.loads(line) for line in log if line.endswith(b"\n")]
        mine = [
            event
            for event in events
            if event["user"]["username"] == "kubernetes-admin" and event.get("userAgent") != OUR_TESTS
        ]
        stated = [(event["verb"], f"{event['verb']} {event['requestURI']}") for event in mine]
        dry_runs = tuple(line for _verb, line in stated if "dryRun=All" in line)
        writes = tuple(line for verb, line in stated if verb in WRITES and "dryRun=All" not in line)
        return Requests(len(mine), writes, dry_runs, seconds)


@dataclass
class Release:
    """An installed chart, and how to converge it again."""

    chart: UpstreamChart
    directory: Path
    cloud: Any
    cluster: Any
    audit: Audit
    namespace: str
    first: dict[str, Any] = field(default_factory=dict)

    def converge(self, *, check: bool = False, state: str = "present") -> tuple[dict[str, Any], Requests]:
        """helm_release once: its result, and what it asked."""
        args = {
            "kubeconfig": str(self.cluster.kubeconfig),
            "name": self.chart.name,
            "namespace": self.namespace,
            "state": state,
            # the images cannot be pulled: what is compared are the objects
            "wait": False,
        }
        if state == "present":
            args |= {"chart_ref": str(self.directory), "values": dict(self.chart.values), "create_namespace": True}
        position, started = self.audit.position(), time.monotonic()
        result = run_action(
            "helm_release", args, defaults={}, environment=self.cloud.process_environment(), check=check, diff=True
        )
        return result, self.audit.since(position, time.monotonic() - started)

    def objects(self) -> list[dict[str, Any]]:
        """What the release's manifest has, as helm says it."""
        documents = yaml.load_all(self._helm("get", "manifest", self.chart.name), yaml.CSafeLoader)
        found = [document for document in documents if document]
        return [item for document in found for item in document.get("items", [document])]

    def upgrade_by_helm(self) -> Requests:
        """What helm asks when it is made to install what stands already."""
        values = json.dumps(dict(self.chart.values))
        position, started = self.audit.position(), time.monotonic()
        self._helm("upgrade", "--install", self.chart.name, str(self.directory), "--values", "-", stdin=values)
        return self.audit.since(position, time.monotonic() - started)

    def _helm(self, *arguments: str, stdin: str | None = None) -> str:
        where = ["--namespace", self.namespace, "--kubeconfig", str(self.cluster.kubeconfig)]
        done = subprocess.run(
            [self.cloud.environment["helm"], *arguments, *where],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def installed(release: Release, api: Api, needs: list[Release]) -> Iterator[Release]:
    """The release while the test runs, and afterwards nothing of it: its namespace and its definitions go, too."""
    before = api.names(DEFINITIONS)
    try:
        for needed in needs:
            needed.converge()
        release.first, _requests = release.converge()
        yield release
    finally:
        for item in (release, *reversed(needs)):
            item.converge(state="absent")
        api.delete(f"{DEFINITIONS}/{name}" for name in api.names(DEFINITIONS) - before)
        api.delete(f"/api/v1/namespaces/{item.namespace}" for item in (release, *needs))
        deadline = time.monotonic() + GONE_SECONDS
        while api.names(DEFINITIONS) - before and time.monotonic() < deadline:
            time.sleep(0.2)


def reads(objects: list[dict[str, Any]], namespace: str) -> int:
    """The requests that reading these objects may take: a list for each kind in each namespace, or a few by name."""
    places = Counter(
        (item["apiVersion"], item["kind"], item["metadata"].get("namespace") or namespace) for item in objects
    )
    return sum(min(number, BY_NAME) for number in places.values())
