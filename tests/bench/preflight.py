# SPDX-License-Identifier: GPL-3.0-or-later
"""aks_sku_preflight on the full-size list: time and memory above an empty play."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.playbook import CHECKOUT, LOCAL_HOST, run_tasks

from bench.measure import Row, median_seconds
from bench.site import Site

MEMORY = """
import json, os, resource, sys
from types import SimpleNamespace
from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure
from ansible_collections.mcpops.platform.plugins.modules import aks_sku_preflight as module
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
given = json.load(sys.stdin)
os.environ.update(given["environment"])
params = ArgumentSpecValidator(module.ARGUMENT_SPEC).validate(given["args"]).validated_parameters
task = SimpleNamespace(params=params, check_mode=False, diff_mode=False, run_directory=None,
                       warn=print, progress=lambda message: None, secret=lambda value: None)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
module.OPERATION(task)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def rows(site: Site, scratch: Path) -> list[Row]:
    play = site.play()
    args: dict[str, Any] = {"location": "eastus2", "candidates": ["Standard_D2s_v5"], "node_count": 2}
    task = {"mcpops.platform.aks_sku_preflight": args}
    empty = median_seconds(lambda: run_tasks([{"ansible.builtin.meta": "noop"}], diff=False).ok())
    full = median_seconds(lambda: run_tasks([task], play=play, hosts={"h": LOCAL_HOST}, diff=False).ok())
    given = {
        "environment": play["environment"],
        "args": {**play["module_defaults"]["group/mcpops.platform.azure"], **args},
    }
    done = subprocess.run(
        [sys.executable, "-c", MEMORY],
        input=json.dumps(given),
        env={"PYTHONPATH": str(CHECKOUT / "collections"), "PATH": "/usr/bin:/bin"},
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    grown = int(done.stdout.split()[-1]) / 1024
    return [
        Row("SKU preflight above an empty play", f"{full - empty:.2f} s"),
        Row("SKU preflight, memory it adds", f"{grown:.0f} MB", "<= 60 MB", grown <= 60),
    ]
