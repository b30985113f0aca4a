# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Times that users give: what cannot be waited for. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem


def wait_timeout_problem(seconds: Any, *, option: str = "wait_timeout", zero: bool = False) -> Problem | None:
    """What is wrong with a longest wait; `zero` says that it may be 0, which is one look and no wait."""
    if seconds is None or seconds > 0 or (zero and seconds == 0):
        return None
    return Problem(option, f"must be {'0 or more' if zero else 'more than 0'} seconds, is {seconds}")


def wait_timeout_problems(seconds: Any, *, zero: bool = False) -> list[Problem]:
    """The same as a list, for those who collect problems."""
    problem = wait_timeout_problem(seconds, zero=zero)
    return [problem] if problem else []
