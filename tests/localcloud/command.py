# SPDX-License-Identifier: GPL-3.0-or-later
"""Run another program and, when it fails, say which one, how, and what it said last."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class CommandError(Exception):
    """A program that had to succeed did not."""


def run(
    argv: Sequence[str | Path],
    *,
    why: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    remedy: str = "",
    timeout: float = 3600,
) -> str:
    """Standard output of `argv`; `why` completes the sentence "Could not ..."."""
    command = [str(word) for word in argv]
    try:
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, check=False)
    except FileNotFoundError as exc:
        raise CommandError(
            f"Could not {why}: {command[0]} is not there. `localcloud doctor` says how to get it."
        ) from exc
    except subprocess.TimeoutExpired as exc:
        raise CommandError(
            f"Could not {why}: {command[0]} did not end within {timeout:.0f} s. {remedy}".strip()
        ) from exc
    if done.returncode:
        last_words = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise CommandError(
            f"Could not {why}: {command[0]} ended with {done.returncode}. {remedy}".strip() + f"\n{last_words}"
        )
    return done.stdout
