# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_objects with 1, 100, 1,000 and 5,000 ConfigMaps against a bare concurrent HTTP client (the floor)."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import urllib3
from support.playbook import CHECKOUT, run_tasks

from bench.measure import Row, median_seconds, seconds
from bench.site import Site

THREADS = 16
NAMESPACE = "bench"


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
    floor = Floor(site.kubeconfig_content(), scratch)
    found = []
    for count in (1, 100, 1000):
        found += _count(site, floor, count)
    found += _large(site, floor, scratch)
    site.kubectl("delete", "namespace", NAMESPACE, "--wait=false", check=False)
    return found


LARGE = 5000


def _large(site: Site, floor: Floor, scratch: Path) -> list[Row]:
    """More than anybody writes into a playbook: from a file, in a process of its own, with its memory."""
    generation = iter(range(1000, 2000))

    def once(count: int, number: int) -> dict[str, float]:
        path = scratch / "objects.json"
        path.write_text(json.dumps(_objects(count, number)), encoding="utf-8")
        argv = [sys.executable, "-m", "bench.footprint", str(site.kubeconfig), str(path)]
        search = os.pathsep.join(str(CHECKOUT / part) for part in ("tests", "collections"))
        done = subprocess.run(argv, env={**os.environ, "PYTHONPATH": search}, capture_output=True, check=True)
        found: dict[str, float] = json.loads(done.stdout)
        return found

    floor.apply(_objects(LARGE, next(generation)))
    bare = seconds(lambda: floor.apply(_objects(LARGE, next(generation))))
    site.kubectl("delete", "--raw", f"/api/v1/namespaces/{NAMESPACE}/configmaps")
    once(LARGE, next(generation))
    last = next(generation)
    changed, unchanged = once(LARGE, last), once(LARGE, last)
    few = once(LARGE // 5, last)
    grown = unchanged["after"] - few["after"]
    return [
        Row(f"{LARGE} ConfigMaps changed, against the floor of {bare:.2f} s", f"{changed['seconds'] / bare:.2f} x"),
        Row(f"{LARGE} ConfigMaps unchanged, against the floor", f"{unchanged['seconds'] / bare:.2f} x"),
        Row(f"memory of {LARGE} unchanged above {LARGE // 5}", f"{grown:.0f} MB"),
        Row(f"memory of {LARGE} changed above none", f"{changed['after'] - changed['before']:.0f} MB"),
    ]


def _count(site: Site, floor: Floor, count: int) -> list[Row]:
    generation = iter(range(1, 1000))

    def play(objects: list[dict[str, Any]]) -> None:
        run_tasks([{"mcpops.platform.k8s_objects": {"definitions": objects}}], play=site.play(), diff=False).ok()

    # what a playbook costs with one object that stands is not the objects' cost
    standing = _objects(1, 0)
    play(standing)
    start_up = median_seconds(lambda: play(standing), runs=3)
    bare = median_seconds(lambda: floor.apply(_objects(count, next(generation))), runs=3)
    site.kubectl("delete", "configmap", "--all", "-n", NAMESPACE)
    changed = min(max(seconds(lambda: play(_objects(count, next(generation)))) - start_up, 0.0) for _ in range(3))
    last = _objects(count, next(generation))
    play(last)
    unchanged = max(median_seconds(lambda: play(last), runs=3) - start_up, 0.0)
    gated = count == 1000
    return [
        Row(
            f"{count} ConfigMaps changed, against the floor of {bare:.2f} s",
            f"{changed / bare:.2f} x",
            "<= 1.3 x" if gated else "",
            changed / bare <= 1.3 if gated else None,
        ),
        Row(
            f"{count} ConfigMaps unchanged, against the floor",
            f"{unchanged / bare:.2f} x",
            "<= 0.5 x" if gated else "",
            unchanged / bare <= 0.5 if gated else None,
        ),
    ]
