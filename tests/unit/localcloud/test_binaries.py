# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from localcloud import binaries
from localcloud.settings import Settings, SettingsError

PAUSE = binaries.PROGRAMS[0]


def test_versions_are_those_of_go_mod() -> None:
    kubernetes = binaries.kubernetes_version().split(".")
    assert len(kubernetes) == 3 and all(part.isdigit() for part in kubernetes)
    assert f"k8s.io/kubernetes v{binaries.kubernetes_version()}" in (binaries.GO_SOURCES / "kube/go.mod").read_text()
    assert binaries.module_version("require (\n\texample.org/a v1.2.3 // indirect\n)\n", "example.org/a") == "v1.2.3"
    assert binaries.module_version("require example.org/a v1.2.3\n", "example.org/a") == "v1.2.3"


def test_older_versions_are_of_other_minors_and_come_first() -> None:
    offered = list(binaries.kubernetes_versions())
    assert offered[-1] == binaries.kubernetes_version()
    minors = [tuple(map(int, version.split(".")[:2])) for version in offered]
    assert minors == sorted(set(minors))


def test_an_older_version_has_nothing_to_do_with_the_build_of_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    older = binaries.OLDER_KUBES[0]
    assert binaries.build_key(older, "go1") != binaries.build_key(binaries.KUBE, "go1")
    assert binaries.kubernetes_version(older) in binaries.link_flags(older)
    read = Path.read_bytes
    opened: list[Path] = []

    def remembering(path: Path) -> bytes:
        opened.append(path)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", remembering)
    binaries.build_key(binaries.KUBE, "go1")
    assert {path.name for path in opened} == {"go.mod", "go.sum", "main.go"}


def test_a_module_that_is_not_required_is_an_error() -> None:
    with pytest.raises(SettingsError, match=r"example\.org/b"):
        binaries.module_version("require example.org/bb v1.0.0\n", "example.org/b")


def test_the_key_follows_what_goes_into_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "GO_SOURCES", tmp_path)
    directory = tmp_path / PAUSE.directory
    directory.mkdir()
    for name in ("go.mod", "go.sum", "main.go"):
        (directory / name).write_text(name)
    keys = {binaries.build_key(PAUSE, "go1.26.0")}
    keys.add(binaries.build_key(PAUSE, "go1.26.1"))
    for name in ("go.mod", "go.sum", "main.go"):
        (directory / name).write_text(name + " changed")
        keys.add(binaries.build_key(PAUSE, "go1.26.0"))
    monkeypatch.setattr(binaries, "machine", lambda: "riscv64")
    keys.add(binaries.build_key(PAUSE, "go1.26.0"))
    assert len(keys) == 6
    (directory / "README.md").write_text("says nothing about the build")
    assert binaries.build_key(PAUSE, "go1.26.0") in keys


def test_a_cached_binary_with_another_checksum_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "pause").write_bytes(b"program")
    (tmp_path / "pause.sha256").write_text(hashlib.sha256(b"program").hexdigest() + "  pause\n")
    assert binaries._cached(tmp_path, "pause") == tmp_path / "pause"
    (tmp_path / "pause").write_bytes(b"damaged")
    assert binaries._cached(tmp_path, "pause") is None


def provide(directory: Path) -> None:
    directory.mkdir()
    for program in binaries.PROGRAMS:
        (directory / program.name).write_bytes(program.name.encode())
        (directory / program.name).chmod(0o755)


def test_provided_binaries_are_taken_without_building(cloud_settings: Settings, tmp_path: Path) -> None:
    provide(tmp_path / "own")
    settings = dataclasses.replace(cloud_settings, binaries=tmp_path / "own")
    assert binaries.ensure_binaries(settings, print).kube == tmp_path / "own" / "kube"


def test_provided_binaries_must_be_complete(cloud_settings: Settings, tmp_path: Path) -> None:
    provide(tmp_path / "own")
    (tmp_path / "own" / "coredns").unlink()
    with pytest.raises(SettingsError, match="no executable coredns"):
        binaries.ensure_binaries(dataclasses.replace(cloud_settings, binaries=tmp_path / "own"), print)


def test_provided_binaries_must_have_the_checksums_beside_them(cloud_settings: Settings, tmp_path: Path) -> None:
    provide(tmp_path / "own")
    (tmp_path / "own" / "SHA256SUMS").write_text(hashlib.sha256(b"other").hexdigest() + "  kube\n")
    with pytest.raises(SettingsError, match="checksum"):
        binaries.ensure_binaries(dataclasses.replace(cloud_settings, binaries=tmp_path / "own"), print)
