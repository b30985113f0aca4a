# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images the local cloud's registry holds, and what each is made of."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from localcloud.binaries import GO_SOURCES, Binaries, kmcp_version, machine, module_version
from localcloud.files import Progress, fresh_directory, key_of, sha256_of
from localcloud.images import python_base, stdio
from localcloud.images.builder import ImageConfig, Layer, Tree, assemble, layer, save
from localcloud.images.recipe import Recipe
from localcloud.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[3]
ECHO_SERVER = REPOSITORY / "examples" / "echo-mcp" / "server.py"
CALENDAR_SERVER = REPOSITORY / "examples" / "calendar-mcp" / "server.py"
MISBEHAVING_SERVER = Path(__file__).parent / "misbehaving_server.py"
MCP_REQUIREMENT = "mcp>=1.28,<2"
NEW_MCP_REQUIREMENT = "mcp>=2.3,<3"

PAUSE = "pause:1.0"
COREDNS = "coredns:" + module_version((GO_SOURCES / "coredns" / "go.mod").read_text(), "github.com/coredns/coredns")
# Where the chart's defaults look for it, so that they work unmodified through containerd's mirror of ghcr.io.
KMCP_CONTROLLER = f"kagent-dev/kmcp/controller:{kmcp_version()}"
VOLUME_HELPER = "volume-helper:1.0"
# What an image of a server of Python is built on where no build may run pip: Python and the MCP SDK.
PYTHON_MCP = "python-mcp:1"
ECHO_MCP = "echo-mcp:1.0.0"
CALENDAR_MCP = "calendar-mcp:1.0.0"
MISBEHAVING_MCP = "mcp-misbehaving:1.0.0"


def program_layer(binary: Path, name: str) -> list[Layer]:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(binary, root / name)
        (root / name).chmod(0o755)
        return [layer(Tree(root))]


def program(image: str, binary: Path, name: str, user: str, ports: tuple[int, ...] = ()) -> Recipe:
    config = ImageConfig(entrypoint=[f"/{name}"], user=user, ports=ports)
    return Recipe(image, sha256_of(binary), lambda: program_layer(binary, name), config)


# What the provisioner of volumes runs in a pod, with the directory in VOL_DIR.
VOLUME_SCRIPTS = {
    "setup": '#!/bin/sh\nmkdir -m 0777 -p "$VOL_DIR"\n',
    "teardown": '#!/bin/sh\nrm -rf "$VOL_DIR"\n',
}


def _volume_helper_layers(base: Path) -> list[Layer]:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        (root / "bin").mkdir()
        shutil.copyfile(base / "usr" / "bin" / "busybox", root / "bin" / "busybox")
        (root / "bin" / "busybox").chmod(0o755)
        for command in ("sh", "mkdir", "rm"):
            (root / "bin" / command).symlink_to("busybox")
        for name, script in VOLUME_SCRIPTS.items():
            (root / name).write_text(script)
            (root / name).chmod(0o755)
        return [layer(Tree(root))]


def _volume_helper(image: str, base: Path) -> Recipe:
    # root: only it may remove what a pod's user has written
    config = ImageConfig(entrypoint=["/bin/sh"], user="0:0")
    return Recipe(image, key_of(base.name, repr(VOLUME_SCRIPTS)), lambda: _volume_helper_layers(base), config)


def _server_layers(base: Path, server: Path | None, requirements: list[str]) -> list[Layer]:
    version = python_base.python_version()
    with tempfile.TemporaryDirectory() as temporary:
        app = Path(temporary)
        app.chmod(0o755)
        if requirements:
            python_base.install_packages(requirements, version, app / "lib")
        if server:
            shutil.copyfile(server, app / "server.py")
            (app / "server.py").chmod(0o644)
        python_base.compile_tree(base, version, app, "/app")
        return [layer(Tree(base)), layer(Tree(app, "app"))]


def python_server(
    image: str, base: Path, requirements: list[str], server: Path | None = None, ports: Sequence[int] = ()
) -> Recipe:
    config = ImageConfig(
        entrypoint=["python", *(["/app/server.py"] if server else [])],
        user="1000:1000",
        working_directory="/app",
        ports=ports,
        environment={
            "PYTHONPATH": "/app/lib",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": "C.UTF-8",
            "HOME": "/tmp",
        },
    )
    key = key_of(base.name, *([server.read_bytes()] if server else []), *requirements)
    return Recipe(image, key, lambda: _server_layers(base, server, requirements), config)


def recipes(settings: Settings, binaries: Binaries, progress: Progress) -> list[Recipe]:
    base = python_base.ensure_python_base(settings, progress)
    return [
        program(PAUSE, binaries.pause, "pause", "65535:65535"),
        program(COREDNS, binaries.coredns, "coredns", "65532:65532"),
        program(KMCP_CONTROLLER, binaries.kmcp_manager, "manager", "65532:65532", (8081, 8443)),
        _volume_helper(VOLUME_HELPER, base),
        python_server(PYTHON_MCP, base, [MCP_REQUIREMENT]),
        python_server(ECHO_MCP, base, [MCP_REQUIREMENT], ECHO_SERVER, [3000]),
        python_server(CALENDAR_MCP, base, [NEW_MCP_REQUIREMENT], CALENDAR_SERVER, [3000]),
        python_server(MISBEHAVING_MCP, base, [], MISBEHAVING_SERVER, [3000]),
        stdio.adapter(binaries),
        stdio.runner(stdio.NPX, base),
        stdio.runner(stdio.UVX, base),
    ]


def ensure_images(settings: Settings, binaries: Binaries, progress: Progress) -> dict[str, Path]:
    """Image name → OCI layout directory. The caller holds the build lock."""
    return {recipe.name: ensure_image(settings, recipe, progress) for recipe in recipes(settings, binaries, progress)}


def ensure_image(settings: Settings, recipe: Recipe, progress: Progress) -> Path:
    """The OCI layout directory of one image. The caller holds the build lock."""
    builder = (Path(__file__).parent / "builder.py").read_bytes()
    key = key_of(builder, machine(), recipe.name, recipe.key, repr(recipe.config))
    target = settings.cache / "images" / f"{recipe.name.replace('/', '_').replace(':', '_')}-{key}"
    if not (target / "index.json").exists():
        progress(f"building image {recipe.name}")
        umask = os.umask(0o022)
        try:
            image = assemble(recipe.layers(), recipe.config, machine())
        finally:
            os.umask(umask)
        with fresh_directory(target) as directory:
            save(image, directory)
    return target
