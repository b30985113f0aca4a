# SPDX-License-Identifier: GPL-3.0-or-later
"""The container images of the local cloud, built from packages and sources on this machine."""
