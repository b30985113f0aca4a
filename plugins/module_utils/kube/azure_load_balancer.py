# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a Service tells Azure's cloud provider which load balancer it wants.

Annotations: https://learn.microsoft.com/azure/aks/load-balancer-standard and .../internal-lb.
"""

from __future__ import annotations

_AZURE = "service.beta.kubernetes.io/azure-"
INTERNAL = f"{_AZURE}load-balancer-internal"
INTERNAL_ADDRESS = f"{_AZURE}load-balancer-ipv4"
PIP_NAME = f"{_AZURE}pip-name"
PIP_GROUP = f"{_AZURE}load-balancer-resource-group"
DNS_LABEL = f"{_AZURE}dns-label-name"
RANGES = f"{_AZURE}allowed-ip-ranges"
