# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages, fetched by apt's own client and unpacked beside us: nothing is installed, no service starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from localcloud.binaries import machine
from localcloud.command import CommandError, run
from localcloud.files import Progress, fresh_directory, key_of, write_atomically
from localcloud.settings import Settings

# What a node runs beside Kubernetes, the registry, and the libraries that nft and runc need.
NODE_PACKAGES = (
    "containerd",
    "runc",
    "containernetworking-plugins",
    "libseccomp2",
    "nftables",
    "libnftables1",
    "libnftnl11",
    "libmnl0",
    "libjansson4",
    "libxtables12",
    "iptables",
    "libip4tc2",
    "libip6tc2",
    "libnetfilter-conntrack3",
    "libnfnetlink0",
    "docker-registry",
)
TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}


def library_directory() -> str:
    return f"usr/lib/{TRIPLETS[machine()]}"


def release() -> str:
    """Which distribution the packages come from, as os-release spells it."""
    values = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return f"{values.get('ID', '')} {values.get('VERSION_ID', '')}".replace('"', "").strip()


def _private_options(settings: Settings) -> list[str]:
    """apt with its own lists and caches: needs no root and leaves the system's alone."""
    state = settings.cache / "apt"
    for directory in ("lists/partial", "cache/archives/partial"):
        (state / directory).mkdir(parents=True, exist_ok=True)
    return ["-o", f"Dir::State::lists={state / 'lists'}", "-o", f"Dir::Cache={state / 'cache'}"]


def download(settings: Settings, packages: Sequence[str], into: Path, progress: Progress) -> list[Path]:
    """The packages' files in `into`. The system's package lists are used first; when there are none, or they name
    versions the mirror no longer has, fresh ones are fetched into the cache directory."""
    # The sandbox user of apt could not write into a directory of ours.
    base = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root"]
    lists = Path("/var/lib/apt/lists")
    try:
        if not any(lists.glob("*_Packages*")):
            raise CommandError("no package lists")
        run([*base, "download", *packages], why="download Debian packages", cwd=into)
    except CommandError:
        progress("fetching package lists")
        private = [*base, *_private_options(settings)]
        run([*private, "update"], why="fetch Debian's package lists", remedy="Check the network and apt's sources.")
        run([*private, "download", *packages], why="download Debian packages", cwd=into)
    return sorted(into.glob("*.deb"))


def unpack(package: Path, root: Path) -> None:
    """Only the files, owned by the caller, through the links of a merged /usr; no maintainer script runs."""
    with tempfile.TemporaryFile() as archive:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", package], stdout=archive, check=True)
        archive.seek(0)
        argv = ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", str(root)]
        subprocess.run(argv, stdin=archive, check=True)


def merged_usr(root: Path) -> None:
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        os.symlink(f"usr/{name}", root / name)


def ensure_node_parts(settings: Settings, progress: Progress) -> Path:
    """containerd, runc, CNI plugins, nft, iptables and docker-registry, unpacked under the cache."""
    target = settings.cache / "node-parts" / key_of(machine(), release(), *NODE_PACKAGES)
    if (target / "usr/sbin/nft").exists():
        return target
    progress("fetching containerd, runc, CNI plugins, nftables, iptables and docker-registry from Debian")
    with fresh_directory(target) as root, tempfile.TemporaryDirectory() as downloads:
        merged_usr(root)
        packages = download(settings, NODE_PACKAGES, Path(downloads), progress)
        for package in packages:
            unpack(package, root)
        for unwanted in ("usr/share/doc", "usr/share/man", "etc", "usr/bin/containerd-stress", "var"):
            path = root / unwanted
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        write_atomically(root / "packages.txt", "".join(f"{p.name}\n" for p in packages), 0o644)
    return target
