# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m bench.footprint KUBECONFIG FILE...`: k8s_objects once in a process of its own, for its memory.

Prints the seconds it took, by the clock and by the processor, the objects that changed, the requests that were made,
and the process's largest resident size in MB before it began and at its end, as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcpops.platform.plugins.modules import k8s_objects
from ansible_collections.mcpops.platform.plugins.plugin_utils.inprocess import InProcessTask
from bench.measure import counted_requests


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(kubeconfig: str, *files: str) -> None:
    args = {"kubeconfig": kubeconfig, "src": list(files)}
    validated = ArgumentSpecValidator(k8s_objects.ARGUMENT_SPEC, **k8s_objects.RULES).validate(args)
    task = InProcessTask(validated.validated_parameters, check_mode=False, diff_mode=True, host="bench")
    with tempfile.TemporaryDirectory(prefix="mcpops-bench-") as scratch, counted_requests() as asked:
        task.run_directory = Path(scratch)
        before, started, used = megabytes(), time.perf_counter(), time.process_time()
        result = k8s_objects.OPERATION(task).to_dict(diff_mode=True)
        found = {"seconds": time.perf_counter() - started, "processor": time.process_time() - used}
    found |= {"changed": sum(row["changed"] for row in result["objects"]), "requests": len(asked)}
    print(json.dumps({**found, "before": before, "after": megabytes()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
