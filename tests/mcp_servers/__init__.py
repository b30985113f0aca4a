# SPDX-License-Identifier: GPL-3.0-or-later
"""Real MCP servers of both eras on loopback: what their SDKs do is what our probe is held against."""
