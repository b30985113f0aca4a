# SPDX-License-Identifier: GPL-3.0-or-later
"""metrics-server, which AKS brings and autoscalers ask, with its chart."""

from __future__ import annotations

from localcloud.binaries import GoProgram, built
from localcloud.files import Progress
from localcloud.images import catalog
from localcloud.images.recipe import Recipe
from localcloud.registry.charts import Chart
from localcloud.settings import Settings

_MODULE = "sigs.k8s.io/metrics-server"
SERVER = GoProgram("metrics-server", "metrics", f"{_MODULE}/cmd/metrics-server", _MODULE, "2 minutes", charts="charts")
PROGRAMS = (SERVER,)
IMAGE = f"metrics-server/metrics-server:{SERVER.version}"
CHART = Chart("metrics-server", "metrics-server", SERVER, "3.13.1", "metrics-server", SERVER.version[1:])


def recipes(settings: Settings, progress: Progress) -> list[Recipe]:
    (server,) = built(settings.apart, PROGRAMS, progress)
    return [catalog.program(IMAGE, server, "metrics-server", "65532:65532")]
