# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.settings import Settings


@pytest.fixture
def cloud_settings(tmp_path: Path) -> Settings:
    """A local cloud of this test's own, with its directories made and nothing running."""
    settings = Settings(cache=tmp_path / "cache", state=tmp_path / "state")
    settings.make_directories()
    return settings
