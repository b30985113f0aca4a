# SPDX-License-Identifier: GPL-3.0-or-later
"""Which AKS resource a Kubernetes of this machine belongs to, also while the local Azure does not run."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from .cluster_work import TYPE


def of_backends(database: Path) -> dict[str, str]:
    """Backend's name → GROUP/NAME of the AKS resource; empty where there is no database yet."""
    if not database.exists():
        return {}
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as connection:
        rows = connection.execute(
            "SELECT resource_group, name, private FROM resources WHERE type = ? COLLATE NOCASE", (TYPE,)
        ).fetchall()
    return {json.loads(private)["backend"]: f"{group}/{name}" for group, name, private in rows}
