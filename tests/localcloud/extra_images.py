# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that the registry does not hold from the start, in sets that belong together, and the charts of these.

They are built at their first use, and put into the registry of the local cloud that is up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.assemble import building
from localcloud.binaries import GoProgram, built
from localcloud.files import Progress
from localcloud.images import agents, gateway, mesh, metrics, postgres, python_base
from localcloud.images.catalog import ensure_image
from localcloud.images.recipe import Recipe
from localcloud.registry.charts import Chart, ensure_charts
from localcloud.registry.server import seed
from localcloud.settings import Settings, SettingsError


def _mesh_registry(settings: Settings, progress: Progress) -> list[Recipe]:
    return [mesh.registry(python_base.ensure_python_base(settings, progress))]


def _mesh(settings: Settings, progress: Progress) -> list[Recipe]:
    base = python_base.ensure_python_base(settings, progress)
    return [
        mesh.registry(base),
        *(mesh.runtime(image, base) for image in mesh.RUNTIMES),
        postgres.server(settings, base, progress),
    ]


IMAGE_SETS: Mapping[str, Callable[[Settings, Progress], list[Recipe]]] = {
    "agents": agents.recipes,
    "gateway": gateway.recipes,
    "mesh": _mesh,
    "mesh-registry": _mesh_registry,
    "metrics": metrics.recipes,
}


# Compiled before anything else, apart from what others wait for; each chart is of a module of its own.
PROGRAMS: Mapping[str, tuple[GoProgram, ...]] = {"gateway": gateway.PROGRAMS, "metrics": metrics.PROGRAMS}
CHARTS: Mapping[str, tuple[Chart, ...]] = {
    "gateway": (gateway.GATEWAY_CHART, gateway.CERT_MANAGER_CHART),
    "metrics": (metrics.CHART,),
}


@dataclass(frozen=True)
class ImageSet:
    images: Mapping[str, Path]
    """Image name → OCI layout directory."""
    charts: list[tuple[Chart, Path]]


def build_set(name: str, settings: Settings, progress: Progress) -> ImageSet:
    charts: list[tuple[Chart, Path]] = []
    if programs := PROGRAMS.get(name):
        with building(settings.apart, progress):
            built(settings.apart, programs, progress)
            charts = [one for chart in CHARTS[name] for one in ensure_charts(settings.apart, progress, [chart])]
    with building(settings, progress):
        images = {
            recipe.name: ensure_image(settings, recipe, progress) for recipe in IMAGE_SETS[name](settings, progress)
        }
    return ImageSet(images, charts)


def provide_set(name: str, settings: Settings, progress: Progress) -> list[str]:
    """Build what is missing and let the registry hold it; the names there of images and charts."""
    if not settings.environment_file.exists():
        raise SettingsError(f"No local cloud is up in {settings.state}. Run `localcloud up`.")
    found = build_set(name, settings, progress)
    seed(settings, found.images, found.charts, progress)
    return [*found.images, *(chart.reference for chart, _ in found.charts)]
