# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent of the Microsoft Agent Framework (examples/agent), and what stands for its model."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from localcloud.files import Progress, key_of
from localcloud.images import python_base
from localcloud.images.builder import ImageConfig, Layer, Tree, layer
from localcloud.images.catalog import REPOSITORY, python_server
from localcloud.images.recipe import Recipe
from localcloud.settings import Settings

AGENT_SOURCE = REPOSITORY / "examples" / "agent"
STUB_SOURCE = Path(__file__).parent / "stub_model.py"
AGENT = "examples/agent:1.0.0"
STUB_MODEL = "stub-model:1.0.0"
AGENT_PORT, MODEL_PORT = 8000, 8080


def requirements() -> list[str]:
    lines = (AGENT_SOURCE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def agent(base: Path) -> Recipe:
    source = (AGENT_SOURCE / "agent.py").read_bytes()
    config = ImageConfig(
        entrypoint=["python", "/app/agent.py"],
        user="1000:1000",
        working_directory="/app",
        ports=[AGENT_PORT],
        environment={
            "PYTHONPATH": "/app/lib",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": "C.UTF-8",
            "HOME": "/tmp",
        },
    )
    return Recipe(AGENT, key_of(base.name, source, *requirements()), lambda: _agent_layers(base), config)


def _agent_layers(base: Path) -> list[Layer]:
    version = python_base.python_version()
    with tempfile.TemporaryDirectory() as temporary:
        app = Path(temporary)
        app.chmod(0o755)
        python_base.install_packages(requirements(), version, app / "lib")
        shutil.copyfile(AGENT_SOURCE / "agent.py", app / "agent.py")
        (app / "agent.py").chmod(0o644)
        # where files are mounted, which nobody could make on a root file system that is read-only
        (app / "config").mkdir(mode=0o755)
        python_base.compile_tree(base, version, app, "/app")
        return [layer(Tree(base)), layer(Tree(app, "app"))]


def recipes(settings: Settings, progress: Progress) -> list[Recipe]:
    base = python_base.ensure_python_base(settings, progress)
    return [agent(base), python_server(STUB_MODEL, base, [], STUB_SOURCE, ports=[MODEL_PORT])]
