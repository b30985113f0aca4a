# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of a real registry (mcp-mesh-registry 3.7.1) to GET /agents, as it gave them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def answer(name: str) -> dict[str, Any]:
    text = (Path(__file__).parent / "fixtures" / f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
