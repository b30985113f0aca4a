# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from localcloud.registry.client import RegistryError
from localcloud.registry.storage import image_digest, image_manifest, place_layers


def put(layout: Path, content: bytes) -> dict[str, str]:
    name = hashlib.sha256(content).hexdigest()
    (layout / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
    (layout / "blobs" / "sha256" / name).write_bytes(content)
    return {"digest": f"sha256:{name}"}


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    layout = tmp_path / "layout"
    manifest = {"config": put(layout, b"configuration"), "layers": [put(layout, b"layer")]}
    index = {"manifests": [put(layout, json.dumps(manifest).encode())]}
    (layout / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return layout


def test_the_registry_finds_layers_in_its_own_places(layout: Path, tmp_path: Path) -> None:
    place_layers(tmp_path / "storage", layout, "some/image")
    place_layers(tmp_path / "storage", layout, "another")
    name = hashlib.sha256(b"layer").hexdigest()
    root = tmp_path / "storage" / "docker" / "registry" / "v2"
    assert (root / "blobs" / "sha256" / name[:2] / name / "data").read_bytes() == b"layer"
    for repository in ("some/image", "another"):
        link = root / "repositories" / repository / "_layers" / "sha256" / name / "link"
        assert link.read_text(encoding="utf-8") == f"sha256:{name}"


def test_a_damaged_layer_is_not_taken(layout: Path, tmp_path: Path) -> None:
    (layout / "blobs" / "sha256" / hashlib.sha256(b"layer").hexdigest()).write_bytes(b"less")
    with pytest.raises(RegistryError, match="localcloud build"):
        place_layers(tmp_path / "storage", layout, "some/image")


def test_the_manifest_is_what_the_digest_says(layout: Path) -> None:
    assert image_digest(layout) == "sha256:" + hashlib.sha256(image_manifest(layout)).hexdigest()
