# SPDX-License-Identifier: GPL-3.0-or-later
"""A limit of the whole machine that several clusters run into, raised while any local cloud is up.

Each cluster's containerd, kubelet and API server take some dozens of inotify instances of their user; the kernel allows
128 a user. Without one left containerd comes up without its CRI service and the node never registers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from localcloud.files import write_atomically

INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
NEEDED = 2048
# one record for all local clouds of the machine; like the limit itself it does not outlive a reboot
REMEMBERED = Path("/run/mcpops-localcloud-inotify-instances")


def raise_inotify_instances(remembered: Path = REMEMBERED, limit: Path = INOTIFY_INSTANCES) -> None:
    """Raise the limit if it is lower, and remember what it was: whoever comes later finds it raised."""
    before = int(limit.read_text())
    if before >= NEEDED:
        return
    write_atomically(remembered, f"{before}\n")
    limit.write_text(f"{NEEDED}\n")


def restore_inotify_instances(
    others_are_up: Callable[[], bool], remembered: Path = REMEMBERED, limit: Path = INOTIFY_INSTANCES
) -> None:
    """Let the last local cloud put back what was there before the first, unless somebody has set another value since.

    A local cloud is seen as up before it raises the limit: one that comes meanwhile finds it raised, or raises it.
    """
    if others_are_up() or not remembered.exists():
        return
    before = int(remembered.read_text())
    remembered.unlink()
    if int(limit.read_text()) == NEEDED:
        limit.write_text(f"{before}\n")
    if others_are_up():
        raise_inotify_instances(remembered, limit)
