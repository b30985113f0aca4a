# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.kube.limits import NEEDED, raise_inotify_instances, restore_inotify_instances


@pytest.mark.parametrize(
    ("before", "set_since", "while_up", "afterwards"),
    [
        pytest.param(128, None, NEEDED, 128, id="too low: raised and put back"),
        pytest.param(NEEDED * 2, None, NEEDED * 2, NEEDED * 2, id="high enough: left alone"),
        pytest.param(128, 4096, NEEDED, 4096, id="set by somebody else since: left alone"),
    ],
)
def test_the_limit_is_raised_and_put_back(
    before: int, set_since: int | None, while_up: int, afterwards: int, tmp_path: Path
) -> None:
    limit, remembered = tmp_path / "limit", tmp_path / "remembered"
    limit.write_text(f"{before}\n")
    raise_inotify_instances(remembered, limit)
    raise_inotify_instances(remembered, limit)
    assert int(limit.read_text()) == while_up
    if set_since:
        limit.write_text(f"{set_since}\n")
    restore_inotify_instances(remembered, limit)
    assert int(limit.read_text()) == afterwards and not remembered.exists()
