# SPDX-License-Identifier: GPL-3.0-or-later
"""The same convergence written with kubernetes.core and as a shell runbook, measured beside ours in one run."""
