# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: check the machine, bring the local cloud up, converge inventories/local, say how long it took."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from gate.checkout import CHECKOUT
from gate.stages import environment, tool

STEPS = (
    tool("localcloud", "doctor"),
    tool("localcloud", "up"),
    tool("ansible-playbook", "site.yml", "-i", "inventories/local"),
)


def main() -> int:
    started = time.monotonic()
    surroundings = environment(os.environ)
    for argv in STEPS:
        returncode = subprocess.run(argv, cwd=CHECKOUT, env=surroundings, check=False).returncode
        if returncode:
            command = " ".join((os.path.relpath(argv[0], CHECKOUT), *argv[1:]))
            print(f"\ndemo: {command} failed with {returncode}; its reason is above.", flush=True)
            print("demo: make demo continues where it stopped, make demo-down removes everything.", flush=True)
            return returncode
    print(f"\ndemo: {time.monotonic() - started:.0f} s in all", flush=True)
    print('demo: for the commands above: export PATH="$PWD/.venv/bin:$PATH"', flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
