# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate: which stages there are, how they run, and what they print."""
