# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The libraries of the Kubernetes area, guarded: documentation and sanity tools import modules without them."""

from __future__ import annotations

from typing import Any

from ..errors import MissingLibrary

__all__ = ["require", "urllib3", "yaml"]

IMPORT_FAILURE: tuple[str, str] | None = None


def too_old(library: Any) -> tuple[str, str] | None:
    """What is missing where urllib3 cannot read an answer as it comes (`read1`, since 2.2): streams would hang."""
    if hasattr(library.HTTPResponse, "read1"):
        return None
    return "urllib3>=2.2", f"it is {library.__version__}"


try:
    import urllib3

    IMPORT_FAILURE = too_old(urllib3)
except ImportError as failure:
    urllib3 = None  # type: ignore[assignment]
    IMPORT_FAILURE = ("urllib3", str(failure))

try:
    import yaml
except ImportError as failure:
    yaml = None  # type: ignore[assignment]
    IMPORT_FAILURE = ("PyYAML", str(failure))


def require() -> None:
    """Called before the first use of a library."""
    if IMPORT_FAILURE is not None:
        raise MissingLibrary(*IMPORT_FAILURE)
