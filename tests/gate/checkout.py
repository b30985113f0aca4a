# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this checkout lies, and what it shares with others."""

from __future__ import annotations

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
# As in bootstrap.sh. What is in it can be removed at any time.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mcpops-platform"
