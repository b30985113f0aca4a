# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Kubernetes behind an AKS cluster of the local Azure."""
