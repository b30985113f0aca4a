# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m bench.server_footprint KUBECONFIG FILE`: mcp_server once in a process of its own, without its waiting.

The file has the options of the task. Prints the seconds it took, the servers that changed and the requests that were
made, as JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcpops.platform.plugins.modules import mcp_server
from ansible_collections.mcpops.platform.plugins.plugin_utils.inprocess import InProcessTask
from bench.measure import counted_requests


def main(kubeconfig: str, file: str) -> None:
    args = {**json.loads(Path(file).read_text(encoding="utf-8")), "kubeconfig": kubeconfig, "wait": False}
    validated = ArgumentSpecValidator(mcp_server.ARGUMENT_SPEC, **mcp_server.RULES).validate(args)
    task = InProcessTask(validated.validated_parameters, check_mode=False, diff_mode=True, host="bench")
    with tempfile.TemporaryDirectory(prefix="mcpops-bench-") as scratch, counted_requests() as asked:
        task.run_directory = Path(scratch)
        started = time.perf_counter()
        result = mcp_server.OPERATION(task).to_dict(diff_mode=True)
        took = time.perf_counter() - started
    changed = sum(row["changed"] for row in result["servers"])
    print(json.dumps({"seconds": took, "changed": changed, "requests": len(asked)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
