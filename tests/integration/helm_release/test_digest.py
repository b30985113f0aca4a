# SPDX-License-Identifier: GPL-3.0-or-later
"""A chart is installed only with the digest that was declared; values that are declared secret are shown nowhere."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localcloud.registry.private import PASSWORD, USER, private_registry

from .test_sources import login_file

pytestmark = pytest.mark.integration

Run = Callable[..., dict[str, Any]]
Package = Callable[..., Path]
HIDDEN = "not-to-be-seen-31"


def pushed(cloud: Any, archive: Path, registry: str, config: Path) -> str:
    """The digest of the manifest, as helm tells it who pushes."""
    argv = [cloud.environment["helm"], "push", archive, f"oci://{registry}/charts"]
    argv += ["--ca-file", cloud.environment["registry_ca_file"]]
    env = {"HELM_REGISTRY_CONFIG": str(config), "HOME": str(archive.parent), "PATH": "/usr/bin:/bin"}
    env["NO_PROXY"] = cloud.process_environment()["NO_PROXY"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env=env)
    (found,) = re.findall(r"Digest: sha256:([0-9a-f]{64})", done.stdout + done.stderr)
    return str(found)


def sha256(archive: Path) -> str:
    return hashlib.sha256(archive.read_bytes()).hexdigest()


def test_what_has_another_digest_is_not_installed(
    cloud: Any, release: dict[str, Any], direct: Run, package: Package, tmp_path: Path, cluster: Any, namespace: str
) -> None:
    first, other = package("greeting", "1.0.0"), package("greeting", "1.0.1", {"values.yaml": ("text", "text")})
    with private_registry(cloud.settings, tmp_path) as registry:
        config = login_file(tmp_path, registry)
        manifest = pushed(cloud, first, registry, config)
        login = {"registry_username": USER, "registry_password": PASSWORD}
        place = {"chart_ref": f"oci://{registry}/charts/greeting", "chart_version": "1.0.0", "wait": False}
        wanted = {**release, **place, **login, "ca_file": cloud.environment["registry_ca_file"]}

        refused = direct({**wanted, "chart_digest": f"sha256:{sha256(other)}"}, fails=True)
        assert refused["error"]["code"] == "DigestMismatch" and not refused["changed"]
        assert sha256(first) in refused["msg"] and manifest in refused["msg"]
        assert cluster.get("secrets", "-n", namespace)["items"] == []

        installed = direct({**wanted, "chart_digest": f"sha256:{manifest}"})
        assert installed["changed"] and installed["release"]["revision"] == 1
        for digest in (manifest, f"sha256:{manifest}", None):
            assert not direct({**wanted, **({"chart_digest": digest} if digest else {})})["changed"]

        # the same version, published again
        again = _other_content(first, tmp_path, cloud)
        pushed(cloud, again, registry, config)
        assert not direct({**wanted, "chart_digest": manifest})["changed"]
        shown = direct({**wanted, "chart_digest": sha256(again)}, check=True)
        assert [change["path"] for change in shown["diff"][0]["changes"]] == ["digest"]
        upgraded = direct({**wanted, "chart_digest": sha256(again)})
        assert upgraded["release"]["revision"] == 2
        assert not direct({**wanted, "chart_digest": sha256(again)})["changed"]


def test_an_archive_on_disk_must_have_it_too_and_a_directory_has_none(
    release: dict[str, Any], direct: Run, package: Package
) -> None:
    archive = package("greeting", "1.2.0")
    wanted = {**release, "chart_ref": str(archive), "wait": False}
    assert direct({**wanted, "chart_digest": "0" * 64}, fails=True)["error"]["code"] == "DigestMismatch"
    assert direct({**release, "chart_digest": "0" * 64}, fails=True)["error"]["code"] == "NoDigest"
    assert direct({**wanted, "chart_digest": sha256(archive)})["changed"]


def test_secret_values_reach_the_chart_and_nobody_else(
    release: dict[str, Any], direct: Run, cluster: Any, namespace: str
) -> None:
    wanted = {**release, "wait": False, "values": {**release["values"], "text": "shown"}}
    for check, value in ((True, HIDDEN), (False, HIDDEN), (True, "7"), (False, "7"), (False, HIDDEN[::-1])):
        found = direct({**wanted, "secret_values": {"text": value}}, check=check)
        assert found["changed"]
        changes = {change["path"]: change for diff in found["diff"] for change in diff["changes"]}
        assert changes["values.text"]["secret"] and "shown" not in json.dumps(found["diff"])
        assert HIDDEN not in json.dumps(found) and HIDDEN[::-1] not in json.dumps(found)
    assert not direct({**wanted, "secret_values": {"text": HIDDEN[::-1]}})["changed"]
    data = json.dumps(cluster.get("configmaps", "-n", namespace))
    assert HIDDEN[::-1] in data


def _other_content(archive: Path, directory: Path, cloud: Any) -> Path:
    """A chart of the same name and version with something else in it."""
    source = directory / "sources" / "greeting-1.0.0" / "greeting"
    (source / "README.md").write_text("published again\n", encoding="utf-8")
    argv = [cloud.environment["helm"], "package", source, "--version", "1.0.0", "--destination", directory / "again"]
    subprocess.run(argv, check=True, capture_output=True)
    return directory / "again" / archive.name
