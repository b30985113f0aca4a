# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On the controller this is imported before anything that a plugin imports; modules do not take it along."""

from __future__ import annotations

from pathlib import Path

from .plugin_utils.bytecode import keep_bytecode

keep_bytecode(__name__, Path(__file__).parent, __spec__.loader if __spec__ else None)
