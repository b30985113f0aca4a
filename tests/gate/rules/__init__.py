# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for the repository itself. Each rule looks at a tree and returns its violations as sentences."""
