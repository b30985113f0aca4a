# SPDX-License-Identifier: GPL-3.0-or-later
"""An image before it is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from localcloud.images.builder import ImageConfig, Layer


@dataclass(frozen=True)
class Recipe:
    """An image by its name in the registry; `key` changes when anything it is made of does."""

    name: str
    key: str
    layers: Callable[[], list[Layer]]
    config: ImageConfig
