# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from localcloud.images.builder import Image, ImageConfig, Tree, assemble, gzip_stored, layer, save, sha256

CONFIG = ImageConfig(entrypoint=["/program"], user="1000:1000", environment={"B": "2", "A": "1"}, ports=[3000])


def make_tree(root: Path, names: list[str]) -> Path:
    root.mkdir()
    (root / "sub").mkdir()
    for name in names:
        (root / name).write_text(name)
        (root / name).chmod(0o755 if name == "program" else 0o644)
    os.symlink("program", root / "link")
    return root


def image_of(root: Path) -> Image:
    return assemble([layer(Tree(root))], CONFIG, "amd64")


def test_digests_do_not_depend_on_order_times_or_place(tmp_path: Path) -> None:
    names = ["program", "sub/a", "b"]
    one, two = make_tree(tmp_path / "one", names), make_tree(tmp_path / "two", names[::-1])
    os.utime(two / "program", (1, 1))
    assert image_of(one).digest == image_of(two).digest


def test_the_digest_is_the_one_it_always_was(tmp_path: Path) -> None:
    """Another one here means that every machine's cached images are built again: on purpose, or a mistake."""
    digest = image_of(make_tree(tmp_path / "tree", ["program"])).digest
    assert digest == "sha256:6889b526fde3a86eae3d9bbafa198237f9a7ed2520a520cbd1a603fcb2eda6ed"


@pytest.mark.parametrize("change", ["content", "mode", "name"])
def test_the_digest_follows_what_is_in_the_image(tmp_path: Path, change: str) -> None:
    root = make_tree(tmp_path / "tree", ["program"])
    before = image_of(root).digest
    if change == "content":
        (root / "program").write_text("other")
    elif change == "mode":
        (root / "program").chmod(0o700)
    else:
        (root / "program").rename(root / "programme")
    assert image_of(root).digest != before


def test_a_layer_belongs_to_root_and_lies_where_it_was_told(tmp_path: Path) -> None:
    made = layer(Tree(make_tree(tmp_path / "tree", ["program"]), "app/lib"))
    raw = gzip.decompress(made.content)
    assert sha256(raw) == made.diff_id
    assert sha256(made.content) == made.digest
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        entries = {entry.name: entry for entry in archive}
    assert list(entries) == ["app", "app/lib", "app/lib/link", "app/lib/program", "app/lib/sub"]
    assert {(entry.uid, entry.gid) for entry in entries.values()} == {(0, 0)}
    assert entries["app/lib/program"].mode == 0o755
    assert entries["app/lib/link"].linkname == "program"


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 200_000])
def test_stored_gzip_is_gzip(size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    assert gzip.decompress(gzip_stored(data)) == data


def test_a_saved_image_names_its_blobs_by_digest(tmp_path: Path) -> None:
    image = image_of(make_tree(tmp_path / "tree", ["program"]))
    save(image, tmp_path / "layout")
    for blob in (tmp_path / "layout/blobs/sha256").iterdir():
        assert sha256(blob.read_bytes()) == f"sha256:{blob.name}"
    index = json.loads((tmp_path / "layout/index.json").read_text())
    assert index["manifests"][0]["digest"] == image.digest
    manifest = json.loads(image.manifest)
    config = json.loads(image.blobs[manifest["config"]["digest"]])
    assert config["config"]["User"] == "1000:1000"
    assert config["config"]["Env"][:2] == ["A=1", "B=2"]
    assert config["rootfs"]["diff_ids"] and len(config["history"]) == len(manifest["layers"]) == 1
