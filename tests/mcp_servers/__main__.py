# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m mcp_servers`: installs the SDKs of both eras that the tests' servers are made with."""

from __future__ import annotations

import sys
import time

from gate.environments import EnvironmentMissing

from mcp_servers.environments import make_all


def main() -> int:
    started = time.monotonic()
    try:
        make_all(print)
    except EnvironmentMissing as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    print(f"everything is there after {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
