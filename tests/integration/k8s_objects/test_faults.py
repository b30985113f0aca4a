# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong between us and the API server, caused by a proxy in front of the real one, and survived."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from support.fault_proxy import FaultProxy

from ansible_collections.mcpops.platform.plugins.module_utils.kube import client

Apply = Callable[..., dict[str, Any]]


def config_maps(count: int, text: str = "x") -> list[dict[str, Any]]:
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{number:03}"}, "data": {"text": text}}
        for number in range(count)
    ]


# what happens once (to the request that matches), and which requests it hits
FAULTS: dict[str, dict[str, Any]] = {
    "429 with Retry-After": {
        "method": "PATCH",
        "status": 429,
        "reason": "TooManyRequests",
        "headers": {"Retry-After": "1"},
        "times": 3,
    },
    "429 while reading": {"method": "GET", "status": 429, "reason": "TooManyRequests", "headers": {"Retry-After": "1"}},
    "not ready": {"method": "PATCH", "status": 503, "reason": "ServiceUnavailable"},
    "no leader": {"method": "PATCH", "status": 500, "message": "etcdserver: leader changed"},
    "reset before the request": {"method": "PATCH", "reset": "before", "times": 2},
    "reset after the request": {"method": "PATCH", "reset": "after", "times": 2},
    "reset in the middle of an answer": {"method": "PATCH", "reset": "middle"},
    "reset in the middle of a list": {"method": "GET", "target": r"configmaps\?limit", "reset": "middle"},
    "reset while deleting": {"method": "DELETE", "reset": "after"},
}


IN_THE_GATE = ("429 with Retry-After", "reset after the request", "reset in the middle of a list")


@pytest.mark.parametrize(
    "fault",
    [pytest.param(name, marks=() if name in IN_THE_GATE else pytest.mark.slow) for name in FAULTS],
    ids=lambda name: name.replace(" ", "-"),
)
def test_survived(apply: Apply, proxy: FaultProxy, cluster: Any, namespace: str, fault: str) -> None:
    through = {"kubeconfig": proxy.kubeconfig()}
    injected = proxy.inject(**FAULTS[fault])
    started = time.monotonic()
    done = apply(definitions=config_maps(5), **through)
    if FAULTS[fault]["method"] == "DELETE":
        assert apply(definitions=config_maps(5), state="absent", wait=True, **through)["changed"]
        assert len(cluster.get("configmaps", "-n", namespace)["items"]) == 1
    else:
        assert [row["changed"] for row in done["objects"]] == [True] * 5
        assert not apply(definitions=config_maps(5), **through)["changed"]
    assert injected.seen == injected.times
    if "headers" in FAULTS[fault]:
        # as long as it was told to
        assert time.monotonic() - started >= 1.0


def test_pages_that_expire(apply: Apply, proxy: FaultProxy, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokens are the API server's own; the proxy answers that one has expired, as after a compaction."""
    monkeypatch.setattr(client, "PAGE", 10)
    through = {"kubeconfig": proxy.kubeconfig()}
    apply(definitions=config_maps(35))
    expired = proxy.inject(method="GET", target="configmaps.*continue=", status=410, reason="Expired")
    assert not apply(definitions=config_maps(35), **through)["changed"]
    assert expired.seen == 1


@pytest.mark.slow
def test_nobody_listens_for_a_moment(apply: Apply, proxy: FaultProxy) -> None:
    through = {"kubeconfig": proxy.kubeconfig()}
    apply(definitions=config_maps(3), **through)
    with proxy.down(1.5):
        assert apply(definitions=config_maps(3, "y"), **through)["changed"]


@pytest.mark.slow
def test_an_answer_that_never_comes_right_fails_with_its_reason(
    apply: Apply, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "RESTART_SECONDS", 1.0)
    proxy.inject(method="PATCH", target="c001", status=429, reason="TooManyRequests", times=99)
    failed = apply(definitions=config_maps(3), kubeconfig=proxy.kubeconfig(), fails=True)
    assert "The API server is overloaded; run again later or with fewer forks" in failed["msg"]
    assert [row["changed"] for row in failed["objects"]] == [True, False, True]


def api_server(cluster: Any) -> int:
    """The process behind the shared cluster, told from others by its address; its node starts it anew."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    address = urlsplit(config["clusters"][0]["cluster"]["server"]).hostname
    wanted = [b"kube-apiserver", f"--advertise-address={address}".encode()]
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            argv = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if argv[0] == wanted[0] and wanted[1] in argv:
            return int(entry.name)
    raise AssertionError(f"no API server of {address} runs here")


@pytest.mark.slow
def test_the_api_server_is_killed_in_the_middle(apply: Apply, cluster: Any, namespace: str) -> None:
    many = config_maps(400)
    before = api_server(cluster)
    killer = threading.Timer(0.4, os.kill, (before, signal.SIGKILL))
    killer.start()
    done = apply(definitions=many)
    killer.join()
    assert api_server(cluster) != before
    assert [row["changed"] for row in done["objects"]] == [True] * 400
    assert len(cluster.get("configmaps", "-n", namespace)["items"]) == 401
    assert not apply(definitions=many)["changed"]
