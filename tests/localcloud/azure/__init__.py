# SPDX-License-Identifier: GPL-3.0-or-later
"""An Azure on loopback: Entra tokens, the Resource Manager envelope and the resource types the collection uses."""
