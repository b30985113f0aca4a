# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import gzip
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import release_record

WRITTEN_BY_HELM = json.loads((Path(__file__).parent / "records" / "deployed.json").read_text())


def secret(revision: int, status: str, **content: Any) -> dict[str, Any]:
    """A record as helm writes it, with only what is read of it."""
    body = {
        "name": "web",
        "namespace": "shop",
        "version": revision,
        "info": {"status": status, "last_deployed": "2026-11-20T12:27:36.051571951Z"},
        "chart": {"metadata": {"name": "web", "version": "v1.2.3", "appVersion": "9"}},
        **content,
    }
    packed = base64.b64encode(gzip.compress(json.dumps(body).encode()))
    return {
        "metadata": {
            "name": f"sh.helm.release.v1.web.v{revision}",
            "namespace": "shop",
            "labels": {"version": str(revision), "status": status},
        },
        "data": {"release": base64.b64encode(packed).decode()},
    }


def test_a_record_written_by_helm_is_read() -> None:
    release = release_record.decode_record(WRITTEN_BY_HELM)
    assert (release.name, release.namespace, release.revision, release.status) == ("rec", "d2rec", 1, "deployed")
    assert (release.chart_name, release.chart_version, release.app_version) == ("greeting", "1.0.0", "1.0.0")
    assert release.values == {"text": "hi", "password": "canary-pw-1"}
    assert "kind: Deployment" in release.manifest
    assert release.started is not None
    assert release.started.date() == datetime(2026, 11, 20, tzinfo=timezone.utc).date()


def test_a_record_that_is_not_compressed_is_read() -> None:
    plain = secret(1, "deployed")
    packed = gzip.decompress(base64.b64decode(base64.b64decode(plain["data"]["release"])))
    plain["data"]["release"] = base64.b64encode(base64.b64encode(packed)).decode()
    assert release_record.decode_record(plain).chart_version == "1.2.3"


@pytest.mark.parametrize(
    ("revisions", "newest", "deployed"),
    [
        pytest.param([], None, None, id="never installed"),
        pytest.param([(2, "deployed")], 2, 2, id="in order"),
        pytest.param([(9, "deployed"), (10, "failed")], 10, 9, id="numbers are not text"),
        pytest.param([(3, "pending-upgrade"), (2, "deployed")], 3, 2, id="killed upgrade"),
        pytest.param([(1, "pending-install")], 1, None, id="killed install"),
        pytest.param([(1, "failed"), (2, "failed")], 2, None, id="never succeeded"),
        pytest.param([(2, "uninstalling")], 2, None, id="killed uninstall"),
    ],
)
def test_history_names_the_newest_and_the_last_deployed(
    revisions: list[tuple[int, str]], newest: int | None, deployed: int | None
) -> None:
    found = release_record.history_from(secret(*revision) for revision in revisions)
    assert (found.newest.revision if found.newest else None) == newest
    assert (found.deployed.revision if found.deployed else None) == deployed


@pytest.mark.parametrize("status", release_record.UNFINISHED)
def test_what_a_killed_helm_leaves_is_unfinished(status: str) -> None:
    assert release_record.decode_record(secret(1, status)).unfinished
    assert not release_record.decode_record(secret(1, "failed")).unfinished


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(None, id="nothing"),
        pytest.param({"release": "%%%"}, id="no base64"),
        pytest.param({"release": base64.b64encode(base64.b64encode(b"{}")).decode()}, id="no release"),
        pytest.param({"release": base64.b64encode(base64.b64encode(b"\x1f\x8bcut")).decode()}, id="cut off"),
    ],
)
def test_a_secret_that_holds_no_release_is_named(data: Any) -> None:
    broken = {"metadata": {"name": "sh.helm.release.v1.web.v1", "namespace": "shop"}, "data": data}
    with pytest.raises(ServiceError, match=r"shop/sh\.helm\.release\.v1\.web\.v1: it holds no release"):
        release_record.decode_record(broken)


@pytest.mark.parametrize(
    "content", [gzip.compress(b"x" * 9999, mtime=0)[:10] + b"\xff" * 40, b'["x"]', b'{"chart": "x"}', b"\x1f\x8b\x08"]
)
def test_a_record_that_is_broken_inside_is_told(content: bytes) -> None:
    data = base64.b64encode(base64.b64encode(content)).decode()
    secret = {"metadata": {"name": "sh.helm.release.v1.web.v1", "namespace": "n"}, "data": {"release": data}}
    with pytest.raises(ServiceError, match="Reading the Helm record n/sh"):
        release_record.decode_record(secret)
