# SPDX-License-Identifier: GPL-3.0-or-later
"""An index of Python packages and an npm registry of our own, for programs that npx and uvx fetch when they start."""
