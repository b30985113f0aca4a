# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees while something takes long."""

from __future__ import annotations

import sys
import time

_STARTED = time.monotonic()


def say(message: str) -> None:
    """One line on standard error, so that standard output stays what other programs read."""
    print(f"localcloud {time.monotonic() - _STARTED:6.1f}s  {message}", file=sys.stderr, flush=True)
