# SPDX-License-Identifier: GPL-3.0-or-later
"""The OCI registry that stands for ghcr.io and for the user's own registry."""
