# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The libraries of the Kubernetes area, guarded: documentation and sanity tools import modules without them."""

from __future__ import annotations

from typing import Any

from ..errors import MissingLibrary

__all__ = ["require", "urllib3", "yaml"]

MISSING: dict[str, str] = {}
"""The libraries that cannot be used, and why: all of them, so that one command installs them."""


def too_old(library: Any) -> str:
    """Why a urllib3 cannot be used that does not read an answer as it comes (`read1`, since 2.2): streams hang."""
    if hasattr(library.HTTPResponse, "read1"):
        return ""
    return f"urllib3 is {library.__version__}, and 2.2 is the oldest that can be used"


try:
    import urllib3
except ImportError as failure:
    urllib3 = None  # type: ignore[assignment]
    MISSING["urllib3"] = str(failure)
else:
    if too_old(urllib3):
        MISSING["urllib3"] = too_old(urllib3)

try:
    import yaml
except ImportError as failure:
    yaml = None  # type: ignore[assignment]
    MISSING["PyYAML"] = str(failure)


def require() -> None:
    """Called before the first use of a library."""
    if MISSING:
        raise MissingLibrary(list(MISSING), "; ".join(MISSING.values()))
