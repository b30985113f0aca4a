# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_objects with 1, 100, 1,000 and 5,000 ConfigMaps against a bare concurrent HTTP client (the floor)."""

from __future__ import annotations

import itertools
import json
import math
import os
import ssl
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import urllib3
from support.playbook import CHECKOUT

from bench.measure import Row, seconds
from bench.site import Site

THREADS = 16
NAMESPACE = "bench"
FLOOR_NAMESPACE = "bench-floor"
CONFIG_MAPS = f"/api/v1/namespaces/{FLOOR_NAMESPACE}/configmaps"
COUNTS = (1, 100, 1000, 5000)
GATED = (1000,)
# A disk or a neighbour that is slow for a moment is slow for one pair only: each run of ours has a floor of its own.
RUNS = 5


def _objects(count: int, generation: int, namespace: str = NAMESPACE) -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"c{number:04}", "namespace": namespace},
            "data": {"generation": str(generation), "text": "x" * 200},
        }
        for number in range(count)
    ]


class Floor:
    """One apply request per object, nothing compared, nothing decided."""

    def __init__(self, kubeconfig: dict[str, Any], scratch: Path, path: str = CONFIG_MAPS) -> None:
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
            file = scratch / name
            file.touch(mode=0o600)
            file.write_bytes(content)
        context = ssl.create_default_context(cafile=str(scratch / "ca"))
        context.load_cert_chain(scratch / "cert", scratch / "key")
        self._collection = f"{cluster['server']}{path}"
        self._pool = urllib3.PoolManager(maxsize=THREADS, ssl_context=context)

    def apply(self, objects: list[dict[str, Any]]) -> None:
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(self._apply, objects))

    def _apply(self, item: dict[str, Any]) -> None:
        name = item["metadata"]["name"]
        answer = self._pool.request(
            "PATCH",
            f"{self._collection}/{name}?fieldManager=floor&force=true",
            body=json.dumps(item),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        assert answer.status in (200, 201), answer.data


def rows(site: Site, scratch: Path) -> list[Row]:
    for namespace in (NAMESPACE, FLOOR_NAMESPACE):
        site.kubectl("create", "namespace", namespace, check=False)
    bench = Bench(site, Floor(site.kubeconfig_content(), scratch), scratch)
    found = [row for count in COUNTS for row in bench.rows(count)]
    site.kubectl("delete", "namespace", NAMESPACE, FLOOR_NAMESPACE, "--wait=false", check=False)
    return found


class Bench:
    """Ours in a process of its own, so that neither a playbook's start nor an earlier bundle is counted."""

    def __init__(self, site: Site, floor: Floor, scratch: Path) -> None:
        self._site = site
        self._floor = floor
        self._file = scratch / "objects.json"
        self._generation = itertools.count()

    def rows(self, count: int) -> list[Row]:
        self._bare(count)
        self._ours(count, next(self._generation))
        bare, changed, unchanged = [], [], []
        for number in range(RUNS):
            generation = next(self._generation)
            # turn about, so that what grows from run to run weighs on both
            if number % 2:
                bare.append(self._bare(count))
            changed.append(self._ours(count, generation))
            if not number % 2:
                bare.append(self._bare(count))
            unchanged.append(self._ours(count, generation))
        assert {round(run["changed"]) for run in changed} == {count} and not any(run["changed"] for run in unchanged)
        for namespace in (NAMESPACE, FLOOR_NAMESPACE):
            self._site.kubectl("delete", "--raw", f"/api/v1/namespaces/{namespace}/configmaps")
        return [
            against(f"{count} ConfigMaps changed", _seconds(changed), bare, 1.3 if count in GATED else None),
            against(f"{count} ConfigMaps unchanged", _seconds(unchanged), bare, 0.5 if count in GATED else None),
            counted(f"requests of {count} ConfigMaps changed", changed, count + beside(count) + 1),
            counted(f"requests of {count} ConfigMaps unchanged", unchanged, beside(count)),
            Row(f"processor time of {count} changed; unchanged", f"{_processor(changed)}; {_processor(unchanged)}"),
            Row(f"memory that {count} changed take", f"{median(_grown(run) for run in changed):.0f} MB"),
        ]

    def _bare(self, count: int) -> float:
        objects = _objects(count, next(self._generation), FLOOR_NAMESPACE)
        return seconds(lambda: self._floor.apply(objects))

    def _ours(self, count: int, generation: int) -> dict[str, float]:
        self._file.write_text(json.dumps(_objects(count, generation)), encoding="utf-8")
        argv = [sys.executable, "-m", "bench.footprint", str(self._site.kubeconfig), str(self._file)]
        search = os.pathsep.join(str(CHECKOUT / part) for part in ("tests", "collections"))
        done = subprocess.run(argv, env={**os.environ, "PYTHONPATH": search}, capture_output=True, check=True)
        found: dict[str, float] = json.loads(done.stdout)
        return found


def against(what: str, ours: Sequence[float], bare: Sequence[float], most: float | None) -> Row:
    """The median of the ratios of pairs that ran one after the other, with the range that they were in."""
    ratios = [one / floor for one, floor in zip(ours, bare)]
    taken = median(ratios)
    of = f"{median(ours) * 1000:.0f} ms against {median(bare) * 1000:.0f} ms"
    found = f"{taken:.2f} x ({of}; {min(ratios):.2f} to {max(ratios):.2f} x)"
    return Row(what, found) if most is None else Row(what, found, f"<= {most} x", taken <= most)


def counted(what: str, runs: Sequence[dict[str, float]], most: int) -> Row:
    """Requests do not depend on the machine: the most of all runs counts."""
    asked = round(max(run["requests"] for run in runs))
    return Row(what, str(asked), f"<= {most}", asked <= most)


def beside(count: int) -> int:
    """The requests of a bundle that stands, as counted: two for the kinds, and a LIST of a thousand objects a page.

    One that changes reads the index of OpenAPI documents as well; the documents are in the user's cache.
    """
    return 2 + math.ceil(count / 1000)


def _processor(runs: Sequence[dict[str, float]]) -> str:
    return f"{min(run['processor'] for run in runs) * 1000:.0f} ms"


def _seconds(runs: Sequence[dict[str, float]]) -> list[float]:
    return [run["seconds"] for run in runs]


def _grown(run: dict[str, float]) -> float:
    return run["after"] - run["before"]
