# SPDX-License-Identifier: GPL-3.0-or-later
"""A hundred clusters at twenty forks: what our work costs above the same play with actions that do nothing.

All hundred hosts are one cluster of the local cloud, so the one API server that answers them runs on the same machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from support.playbook import LOCAL_HOST, run_tasks

from bench.adapters import FIXTURES
from bench.measure import Row, processor_seconds, seconds
from bench.peer.contestants import our_variables
from bench.site import Site

CLUSTERS = 100
FORKS = "20"
PLAY = Path(__file__).parent / "peer" / "ours.yml"


def rows(site: Site, scratch: Path) -> list[Row]:
    variables, environ = our_variables(site, scratch)
    (play,) = yaml.safe_load(PLAY.read_text(encoding="utf-8"))
    ours: list[dict[str, Any]] = play["tasks"]
    nothing = [{"name": task["name"], "test.adapters.nothing": {}} for task in ours]
    hosts = {f"cluster-{number:03}": LOCAL_HOST for number in range(CLUSTERS)}

    def cost(tasks: list[dict[str, Any]]) -> tuple[float, float]:
        def run() -> None:
            run_tasks(
                tasks,
                play={"module_defaults": play["module_defaults"]},
                variables=variables,
                hosts=hosts,
                collections=[FIXTURES],
                diff=False,
                env={**environ, "ANSIBLE_FORKS": FORKS},
            ).ok()

        wall: list[float] = []
        cpu = processor_seconds(lambda: wall.append(seconds(run)))
        return wall[0], cpu

    cost(nothing)
    (floor_wall, floor_cpu), (wall, cpu) = cost(nothing), cost(ours)
    what = f"{CLUSTERS} clusters, {len(ours)} tasks, {FORKS} forks, against actions that do nothing"
    return [
        Row(f"{what}: wall", f"{wall / floor_wall:.2f} x ({wall:.1f} s against {floor_wall:.1f} s)"),
        Row(f"{what}: processor", f"{cpu / floor_cpu:.2f} x ({cpu:.1f} s against {floor_cpu:.1f} s)"),
    ]
