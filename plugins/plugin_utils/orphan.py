# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A worker whose ansible-playbook was killed must not work on: the next run takes its lease, and the two would meet."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

from ..module_utils import waiting

_LOOK_EVERY_SECONDS = 0.2
# the process that has a watcher: a loop or a retry runs the action again in the same worker
_watched = 0


def end_with_the_run() -> None:
    """From now on this worker, and every program it has started, ends when the process that forked it is gone.

    Nothing happens in a process that is no worker or leads no group of its own: the whole group is ended.
    """
    global _watched
    run = multiprocessing.parent_process()
    if run is None or os.getpgrp() != os.getpid() or _watched == os.getpid():
        return
    _watched = os.getpid()

    def watch() -> None:
        while os.getppid() == run.pid:
            waiting.sleep(_LOOK_EVERY_SECONDS)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="mcpops-orphan").start()
