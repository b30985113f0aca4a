# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster's cgroup, in every hierarchy of version 1 or in the one of version 2. Runs as root.

Version 1 is what this was tried on. Version 2 follows the kernel's documentation and has not been tried.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuset", "memory", "pids", "io", "hugetlb")


def is_version_2() -> bool:
    return (ROOT / "cgroup.controllers").exists()


def hierarchies(mounts: str | None = None) -> list[Path]:
    """The directories below which a cluster's cgroup is made."""
    if mounts is None:
        if is_version_2():
            return [ROOT]
        mounts = Path("/proc/mounts").read_text()
    fields = [line.split() for line in mounts.splitlines()]
    return [Path(line[1]) for line in fields if line[2] == "cgroup"]


def create(name: str) -> list[Path]:
    created = []
    if is_version_2():
        for controller in CONTROLLERS:
            with contextlib.suppress(OSError):  # one that this kernel does not have
                (ROOT / "cgroup.subtree_control").write_text(f"+{controller}")
    for hierarchy in hierarchies():
        directory = hierarchy / name
        directory.mkdir(exist_ok=True)
        if (directory / "cpuset.mems").exists() and not is_version_2():
            # A fresh cpuset is empty, and no process may enter an empty one.
            for file in ("cpuset.cpus", "cpuset.mems"):
                (directory / file).write_text((hierarchy / file).read_text())
            (directory / "cgroup.clone_children").write_text("1")
        created.append(directory)
    return created


def existing(prefix: str) -> list[Path]:
    return [path for hierarchy in hierarchies() for path in hierarchy.glob(f"{prefix}*") if path.is_dir()]


def remove(name: str, seconds: float = 10.0) -> list[Path]:
    """Depth first; the kernel needs a moment after the last process. What could not be removed is returned."""
    deadline = time.monotonic() + seconds
    while True:
        left = [hierarchy / name for hierarchy in hierarchies() if (hierarchy / name).is_dir()]
        for top in left:
            for directory, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(directory)
        left = [top for top in left if top.is_dir()]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)
