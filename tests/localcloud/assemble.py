# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything a local cloud is made of, built or fetched once, and linked to where it is used."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcloud.binaries import KUBE_NAMES, Binaries, ensure_binaries, ensure_kubernetes, kubernetes_version
from localcloud.debian import ensure_node_parts, library_directory
from localcloud.files import Progress, locked, write_atomically
from localcloud.images.catalog import ensure_images
from localcloud.packages.process import ensure_packages
from localcloud.registry.charts import Chart, ensure_charts
from localcloud.settings import Settings


@dataclass(frozen=True)
class Parts:
    binaries: Binaries
    node_parts: Path
    images: dict[str, Path]
    charts: list[tuple[Chart, Path]]
    packages: Path


@contextmanager
def building(settings: Settings, progress: Progress) -> Iterator[None]:
    """One build at a time per cache; who comes second waits and finds everything there."""
    settings.cache.mkdir(parents=True, exist_ok=True)
    with locked(settings.cache / "build.lock", lambda: progress("another build is under way; waiting for it")):
        yield


def build(settings: Settings, progress: Progress) -> Parts:
    """Everything a local cloud runs."""
    with building(settings, progress):
        remove_unfinished(settings)
        node_parts = ensure_node_parts(settings, progress)
        binaries = ensure_binaries(settings, progress)
        images = ensure_images(settings, binaries, progress)
        charts = ensure_charts(settings, progress)
        packages = ensure_packages(settings, progress)
    return Parts(binaries, node_parts, images, charts, packages)


def remove_unfinished(settings: Settings) -> None:
    """What a build that was killed left behind. Nobody else builds now: the caller holds the lock."""
    for path in [*settings.cache.glob("*/.*"), settings.cache / "go-caches"]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def link(source: Path, target: Path) -> None:
    """Make or replace a symbolic link in one step."""
    temporary = target.with_name(f".{target.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(source)
    os.replace(temporary, target)


def build_kubernetes(settings: Settings, versions: Iterable[str], progress: Progress) -> list[Path]:
    """The kube binaries of these versions."""
    with building(settings, progress):
        return [ensure_kubernetes(settings, version, progress) for version in versions]


def node_binaries(settings: Settings, version: str, progress: Progress) -> Path:
    """A directory with what a node of this version runs. The version that `up` builds has it from there; another one is
    built when it is asked for the first time."""
    if version == kubernetes_version():
        return settings.node_binaries
    directory = settings.node_binaries.with_name(f"{settings.node_binaries.name}-{version}")
    (kube,) = build_kubernetes(settings, [version], progress)
    directory.mkdir(exist_ok=True)
    for program in settings.node_binaries.iterdir():
        link(kube if program.name in KUBE_NAMES else program, directory / program.name)
    return directory


def link_parts(settings: Settings, parts: Parts) -> None:
    """The links through which clusters and users find the programs."""
    settings.node_binaries.mkdir(parents=True, exist_ok=True)
    for name in KUBE_NAMES:
        link(parts.binaries.kube, settings.node_binaries / name)
    link(parts.node_parts, settings.node_parts)
    libraries = parts.node_parts / library_directory()
    link(parts.binaries.network_policies, settings.node_binaries / "network-policies")
    link(parts.binaries.local_path_provisioner, settings.node_binaries / "local-path-provisioner")
    # unpacked, they find their libraries here
    for name, command in (("nft", "nft"), ("iptables", "xtables-nft-multi iptables")):
        write_atomically(
            settings.node_binaries / name,
            f'#!/bin/sh\nexport LD_LIBRARY_PATH="{libraries}" XTABLES_LIBDIR="{libraries}/xtables"\n'
            f'exec "{parts.node_parts}/usr/sbin/"{command} "$@"\n',
            0o755,
        )
    link(parts.binaries.kube, settings.tools / "kubectl")
    link(settings.helm, settings.tools / "helm")
