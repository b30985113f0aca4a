# SPDX-License-Identifier: GPL-3.0-or-later
"""The local cloud: an Azure on loopback whose AKS clusters are real Kubernetes, and an OCI registry."""
