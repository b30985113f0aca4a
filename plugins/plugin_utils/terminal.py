# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person reads while a run goes on: progress, and the summary of a comparison.

Standard output belongs to the callback that was chosen for it: one that writes JSON must be all that is there. So this
goes to standard error, as Ansible's own warnings do; a terminal and a job's output show both.
"""

from __future__ import annotations

from ansible.utils.display import Display


def tell(text: str) -> None:
    """A line for a person; also in the log file where one is configured."""
    Display().display(text, stderr=True)
