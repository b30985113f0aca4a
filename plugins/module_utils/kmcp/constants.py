# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What KMCP calls its resource (api/v1alpha1 of kagent-dev/kmcp)."""

from __future__ import annotations

API_VERSION = "kagent.dev/v1alpha1"
KIND = "MCPServer"
CRD = "mcpservers.kagent.dev"
