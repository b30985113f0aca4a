# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module of the collection says about check mode, diff, idempotence and where it runs."""

from __future__ import annotations


class ModuleDocFragment:
    # the base: a module that changes state
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Shows what would change without changing anything; no writing request leaves the controller.
    support: full
  diff_mode:
    description: Shows every leaf that would change or has changed; secret values are redacted.
    support: full
  idempotent:
    description: A second run with the same options and an undisturbed target reports no change.
    support: full
  platform:
    description: Target operating systems.
    platforms: posix
    support: full
  async:
    description: Supports being run with the C(async) keyword.
    support: full
"""

    # a module that only reads
    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Runs as usual, because it changes nothing.
    support: full
  diff_mode:
    description: Has nothing to show, because it changes nothing.
    support: N/A
  idempotent:
    description: Never changes anything.
    support: full
  platform:
    description: Target operating systems.
    platforms: posix
    support: full
  async:
    description: Supports being run with the C(async) keyword.
    support: full
"""

    # a module that is an action plugin only; list it before the other fragment, the first one wins
    CONTROLLER = r"""
options: {}
attributes:
  action:
    description: Is an action plugin only; it cannot run on a remote host.
    support: full
  action_group:
    description: Is in no action group, because it takes no credentials and shares no option with other modules.
    support: none
    membership: []
  async:
    description: Supports being run with the C(async) keyword.
    support: none
"""
