# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this checkout lies."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
