# SPDX-License-Identifier: GPL-3.0-or-later
"""Local clouds of their own for the parts of the integration level, so that they can run side by side.

Two parts on one cloud would meet: a fault that one injects into Azure fails the other's tasks, counts of requests count
both, and one removes the KMCP that the other's servers need. A cloud of its own is another state directory, another
network and other ports.

`python -m gate.clouds with NAME COMMAND...` runs a command on the cloud NAME, up before and removed afterwards;
`python -m gate.clouds down` removes what is left of all of them and stops the usual one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import FrameType

from gate.stages import LANES, tool
from localcloud.settings import Settings

OWN = tuple(lane.name for lane in LANES)


def variables(name: str, base: Mapping[str, str]) -> dict[str, str]:
    """What makes every client and the local cloud itself use the cloud `name`."""
    usual = Settings.load(base)
    number = OWN.index(name) + 1
    first, second, *_ = usual.network.split(".")
    return {
        "LOCALCLOUD_STATE": f"{usual.state}-{name}",
        "LOCALCLOUD_NETWORK": f"{first}.{int(second) + number}.0.0/16",
        "LOCALCLOUD_AZURE_PORT": str(usual.azure_port + number),
        "LOCALCLOUD_REGISTRY_PORT": str(usual.registry_port + number),
        "LOCALCLOUD_PACKAGES_PORT": str(usual.packages_port + number),
    }


def run(name: str, command: Sequence[str]) -> int:
    environment = {**os.environ, **variables(name, os.environ)}
    signal.signal(signal.SIGTERM, _leave)
    try:
        up = subprocess.run(tool("localcloud", "up"), env=environment, check=False).returncode
        return up or subprocess.run(command, env=environment, check=False).returncode
    finally:
        _reset(name)


def down() -> int:
    left = [name for name in OWN if Settings.load({**os.environ, **variables(name, os.environ)}).state.exists()]
    results = [_reset(name) for name in left]
    results.append(subprocess.run(tool("localcloud", "down"), check=False).returncode)
    return max(results)


def _reset(name: str) -> int:
    environment = {**os.environ, **variables(name, os.environ)}
    return subprocess.run(tool("localcloud", "reset"), env=environment, check=False).returncode


def _leave(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)


def main(arguments: Sequence[str]) -> int:
    if arguments == ["down"]:
        return down()
    if len(arguments) > 2 and arguments[0] == "with" and arguments[1] in OWN:
        return run(arguments[1], arguments[2:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
