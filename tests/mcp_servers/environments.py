# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the SDKs of the servers are installed: one place for each, kept under a name that says what went into it.

All of it comes from package registries (PyPI, npm, the Go module proxy), and once it is there nothing is asked of them.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gate import npm
from gate.checkout import CACHE
from gate.environments import EnvironmentMissing, run, with_packages

from localcloud.assemble import building
from localcloud.binaries import ensure_program
from localcloud.files import fresh_directory, key_of, locked
from localcloud.settings import Settings

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
GO_SOURCES = PROGRAMS / "go"
PLACE = CACHE / "mcp-servers"
PYTHONS = ("mcp1early", "mcp1", "mcp2", "fastmcp3", "fastmcp4")
# Packages are downloaded and unpacked: with more at once on two cores each only takes longer.
AT_ONCE = 2


def python(name: str) -> Path:
    """The interpreter that has the packages of `requirements-NAME.txt`."""
    requirements = (HERE / f"requirements-{name}.txt").read_text(encoding="utf-8").splitlines()
    return with_packages(PLACE, name, requirements) / "bin" / "python"


def go_server() -> Path:
    """The server made with the Go SDK."""
    sources = sorted(GO_SOURCES.iterdir())
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    remedy = "It needs Go (as the local cloud does) and the Go module proxy; `go env GOPROXY` names the one in use."
    version = run(["go", "env", "GOVERSION"], "ask Go for its version", remedy, environment).strip()
    target = PLACE / f"go-{key_of(version, platform.machine(), *(path.read_bytes() for path in sources))}"
    with locked(PLACE / f"{target.name}.lock"):
        if not target.exists():
            with fresh_directory(target) as directory:
                build = ["go", "build", "-trimpath", "-ldflags", "-s -w -buildid=", "-o", f"{directory}/server", "."]
                run(build, "build the server of the Go SDK", remedy, environment, GO_SOURCES)
    return target / "server"


def node() -> tuple[Path, Path]:
    """A Node, and the packages of tests/node in `node_modules` beside our programs: imports look only around them."""
    try:
        modules = npm.installed()
        interpreter = npm.node(modules)
    except npm.NpmError as exc:
        raise EnvironmentMissing(str(exc)) from exc
    programs = sorted(PROGRAMS.glob("*.mjs"))
    target = PLACE / f"node-{key_of(*(program.read_bytes() for program in programs), str(modules))}"
    with locked(PLACE / f"{target.name}.lock"):
        if not target.exists():
            with fresh_directory(target) as directory:
                for program in programs:
                    shutil.copy(program, directory)
                (directory / "node_modules").symlink_to(modules)
    return interpreter, target


def adapter() -> Path:
    """The local cloud's stand-in for KMCP's adapter, which makes HTTP of standard input and output."""
    return ensure_program(Settings.load(), "stdio-adapter", lambda stated: print(stated, file=sys.stderr))


def make_all(progress: Callable[[str], None]) -> None:
    """Everything that the tests need."""

    def python_environment(name: str) -> None:
        progress(f"{name}: {python(name)}")

    def others() -> None:
        progress(f"node: {node()[1]}")
        progress(f"go: {go_server()}")
        with building(Settings.load(), progress):
            progress(f"adapter: {adapter()}")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        # the largest first
        made = [pool.submit(python_environment, name) for name in reversed(PYTHONS)]
        made.append(pool.submit(others))
        for each in made:
            each.result()
