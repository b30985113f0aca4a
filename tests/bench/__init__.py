# SPDX-License-Identifier: GPL-3.0-or-later
"""Benchmarks: ratios within one run, and counts. Absolute times are shown to be read, never to be compared."""
