# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_objects with 1, 100, 1,000 and 5,000 ConfigMaps against a bare concurrent HTTP client (the floor)."""

from __future__ import annotations

import itertools
import json
import os
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import urllib3
from support.playbook import CHECKOUT

from bench.measure import Row, median_seconds
from bench.site import Site

THREADS = 16
NAMESPACE = "bench"
COUNTS = (1, 100, 1000, 5000)
GATED = (1000,)
RUNS = 3


def _objects(count: int, generation: int) -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"c{number:04}", "namespace": NAMESPACE},
            "data": {"generation": str(generation), "text": "x" * 200},
        }
        for number in range(count)
    ]


class Floor:
    """One apply request per object, nothing compared, nothing decided."""

    def __init__(self, kubeconfig: dict[str, Any], scratch: Path) -> None:
        import base64

        cluster, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
        decoded = {
            name: base64.b64decode(value)
            for name, value in (
                ("ca", cluster["certificate-authority-data"]),
                ("cert", user["client-certificate-data"]),
                ("key", user["client-key-data"]),
            )
        }
        for name, content in decoded.items():
            path = scratch / name
            path.touch(mode=0o600)
            path.write_bytes(content)
        context = ssl.create_default_context(cafile=str(scratch / "ca"))
        context.load_cert_chain(scratch / "cert", scratch / "key")
        self._server = cluster["server"]
        self._pool = urllib3.PoolManager(maxsize=THREADS, ssl_context=context)

    def apply(self, objects: list[dict[str, Any]]) -> None:
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(self._apply, objects))

    def _apply(self, item: dict[str, Any]) -> None:
        name = item["metadata"]["name"]
        answer = self._pool.request(
            "PATCH",
            f"{self._server}/api/v1/namespaces/{NAMESPACE}/configmaps/{name}?fieldManager=floor&force=true",
            body=json.dumps(item),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        assert answer.status in (200, 201), answer.data


def rows(site: Site, scratch: Path) -> list[Row]:
    site.kubectl("create", "namespace", NAMESPACE, check=False)
    bench = Bench(site, Floor(site.kubeconfig_content(), scratch), scratch)
    found = [row for count in COUNTS for row in bench.rows(count)]
    site.kubectl("delete", "namespace", NAMESPACE, "--wait=false", check=False)
    return found


class Bench:
    """Ours in a process of its own, so that neither a playbook's start nor an earlier bundle is counted."""

    def __init__(self, site: Site, floor: Floor, scratch: Path) -> None:
        self._site = site
        self._floor = floor
        self._file = scratch / "objects.json"
        self._generation = itertools.count()

    def rows(self, count: int) -> list[Row]:
        bare = median_seconds(lambda: self._floor.apply(_objects(count, next(self._generation))), runs=RUNS)
        self._site.kubectl("delete", "--raw", f"/api/v1/namespaces/{NAMESPACE}/configmaps")
        self._ours(count, next(self._generation))
        changed, unchanged = [], []
        for _ in range(RUNS):
            generation = next(self._generation)
            changed.append(self._ours(count, generation))
            unchanged.append(self._ours(count, generation))
        assert {round(run["changed"]) for run in changed} == {count} and not any(run["changed"] for run in unchanged)
        return [
            self._against(f"{count} ConfigMaps changed", changed, bare, 1.3 if count in GATED else None),
            self._against(f"{count} ConfigMaps unchanged", unchanged, bare, 0.5 if count in GATED else None),
            Row(f"memory that {count} changed take", f"{median(_grown(run) for run in changed):.0f} MB"),
        ]

    def _ours(self, count: int, generation: int) -> dict[str, float]:
        self._file.write_text(json.dumps(_objects(count, generation)), encoding="utf-8")
        argv = [sys.executable, "-m", "bench.footprint", str(self._site.kubeconfig), str(self._file)]
        search = os.pathsep.join(str(CHECKOUT / part) for part in ("tests", "collections"))
        done = subprocess.run(argv, env={**os.environ, "PYTHONPATH": search}, capture_output=True, check=True)
        found: dict[str, float] = json.loads(done.stdout)
        return found

    @staticmethod
    def _against(what: str, runs: list[dict[str, float]], bare: float, most: float | None) -> Row:
        taken = median(run["seconds"] for run in runs)
        found = f"{taken / bare:.2f} x ({taken * 1000:.0f} ms against {bare * 1000:.0f} ms)"
        return Row(what, found) if most is None else Row(what, found, f"<= {most} x", taken / bare <= most)


def _grown(run: dict[str, float]) -> float:
    return run["after"] - run["before"]
