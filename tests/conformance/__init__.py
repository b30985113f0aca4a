# SPDX-License-Identifier: GPL-3.0-or-later
"""The official MCP conformance suite as the judge of the collection's MCP client."""
