# SPDX-License-Identifier: GPL-3.0-or-later
"""Directory trees in, OCI image out, with the same digests on every machine.

The obvious tools were weighed: umoci, crane, skopeo and buildah are all one more program to fetch or build, and what
is needed is three JSON documents and a tar file per layer. Entries are sorted, times are one constant, owners are
root, and layers are gzip members of *stored* blocks: a compressor's output depends on the zlib it was built with, and
bare tar layers, though legal, are refused by some clients.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import struct
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.files import write_atomically

EPOCH = 1704067200
CREATED = "2024-01-01T00:00:00Z"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Tree:
    """A directory on this machine and where its content goes in the image."""

    source: Path
    prefix: str = ""


@dataclass(frozen=True)
class Layer:
    diff_id: str  # digest of the tar
    digest: str  # digest of what is stored
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class ImageConfig:
    """What a container of the image runs. A numeric user, or runAsNonRoot has nothing to verify."""

    entrypoint: Sequence[str]
    user: str
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = "/"
    ports: Sequence[int] = ()


@dataclass(frozen=True)
class Image:
    manifest: bytes = field(repr=False)
    blobs: Mapping[str, bytes] = field(repr=False)  # digest → content, without the manifest

    @property
    def digest(self) -> str:
        return sha256(self.manifest)


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def gzip_stored(raw: bytes) -> bytes:
    """A valid gzip member without compression."""
    blocks = [b"\x1f\x8b\x08\0\0\0\0\0\0\xff"]
    for start in range(0, max(len(raw), 1), 65535):
        block = raw[start : start + 65535]
        last = start + 65535 >= len(raw)
        blocks += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*blocks, struct.pack("<II", zlib.crc32(raw), len(raw) & 0xFFFFFFFF)])


def _entry(path: Path, name: str) -> tarfile.TarInfo | None:
    status = path.lstat()
    entry = tarfile.TarInfo(name)
    entry.mode, entry.mtime = stat.S_IMODE(status.st_mode), EPOCH
    if stat.S_ISLNK(status.st_mode):
        entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(path)
        entry.mode = 0o777
    elif stat.S_ISDIR(status.st_mode):
        entry.type = tarfile.DIRTYPE
    elif stat.S_ISREG(status.st_mode):
        entry.size = status.st_size
    else:
        return None  # sockets, pipes and devices belong to the machine, not to an image
    return entry


def layer(tree: Tree) -> Layer:
    """Everything below the tree, sorted, owned by root."""
    buffer = io.BytesIO()
    prefix = [part for part in tree.prefix.split("/") if part]
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for depth in range(1, len(prefix) + 1):
            parent = tarfile.TarInfo("/".join(prefix[:depth]))
            parent.type, parent.mode, parent.mtime = tarfile.DIRTYPE, 0o755, EPOCH
            archive.addfile(parent)
        for path in sorted(tree.source.rglob("*"), key=lambda p: p.relative_to(tree.source).as_posix()):
            entry = _entry(path, "/".join([*prefix, path.relative_to(tree.source).as_posix()]))
            if entry is None:
                continue
            if entry.isreg():
                with path.open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)
    raw = buffer.getvalue()
    stored = gzip_stored(raw)
    return Layer(diff_id=sha256(raw), digest=sha256(stored), content=stored)


def assemble(layers: Sequence[Layer], config: ImageConfig, architecture: str) -> Image:
    environment = {"PATH": DEFAULT_PATH, **config.environment}
    settings: dict[str, Any] = {
        "Entrypoint": list(config.entrypoint),
        "User": config.user,
        "WorkingDir": config.working_directory,
        "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
    }
    if config.ports:
        settings["ExposedPorts"] = {f"{port}/tcp": {} for port in config.ports}
    configuration = canonical(
        {
            "architecture": architecture,
            "os": "linux",
            "created": CREATED,
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [one.diff_id for one in layers]},
            "history": [{"created": CREATED, "created_by": "localcloud"} for _ in layers],
        }
    )
    manifest = canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": sha256(configuration), "size": len(configuration)},
            "layers": [{"mediaType": LAYER_TYPE, "digest": one.digest, "size": len(one.content)} for one in layers],
        }
    )
    blobs = {one.digest: one.content for one in layers} | {sha256(configuration): configuration}
    return Image(manifest, blobs)


def save(image: Image, directory: Path) -> None:
    """An OCI image layout: blobs named by digest, and an index that names the manifest."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for digest, content in {**image.blobs, image.digest: image.manifest}.items():
        write_atomically(blobs / digest.removeprefix("sha256:"), content, 0o644)
    descriptor = {"mediaType": MANIFEST_TYPE, "digest": image.digest, "size": len(image.manifest)}
    write_atomically(directory / "index.json", canonical({"schemaVersion": 2, "manifests": [descriptor]}), 0o644)
    write_atomically(directory / "oci-layout", '{"imageLayoutVersion":"1.0.0"}', 0o644)
