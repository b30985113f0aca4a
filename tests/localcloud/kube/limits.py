# SPDX-License-Identifier: GPL-3.0-or-later
"""A limit of the whole machine that several clusters run into, raised while the local cloud is up.

Each cluster's containerd, kubelet and API server take some dozens of inotify instances of their user; the kernel allows
128 a user. Without one left containerd comes up without its CRI service and the node never registers.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from localcloud.files import write_atomically

INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
NEEDED = 2048


def raise_inotify_instances(remembered: Path, limit: Path = INOTIFY_INSTANCES) -> None:
    """Raise the limit if it is lower, and remember what it was in the file `remembered`."""
    before = int(limit.read_text())
    if before >= NEEDED:
        return
    write_atomically(remembered, f"{before}\n")
    limit.write_text(f"{NEEDED}\n")


def restore_inotify_instances(remembered: Path, limit: Path = INOTIFY_INSTANCES) -> None:
    """Put back what was there, unless somebody has set another value since."""
    if not remembered.exists():
        return
    with contextlib.suppress(ValueError):
        if int(limit.read_text()) == NEEDED:
            limit.write_text(f"{int(remembered.read_text())}\n")
    remembered.unlink()
