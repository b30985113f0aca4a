# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where no declared size fits: the sizes of the region that would, those that are most like the wanted one first."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from .sku import Quota, Requirements, Sku, judge

MOST = 3
# the generation of a size is the number behind the last underscore: Standard_D4s_v5
_GENERATION = re.compile(r"_v(\d+)$", re.IGNORECASE)
# the letters that say what a size is for: D of Standard_D4s_v5, NC of Standard_NC4as_T4_v3
_SERIES = re.compile(r"_([A-Z]+)\d", re.IGNORECASE)
# without a candidate that the region knows, as small as a system pool may be
_LEAST_VCPUS, _LEAST_MEMORY_GB = 2, 8.0


def alternatives(
    candidates: Sequence[str], skus: Mapping[str, Sku], quotas: Mapping[str, Quota], wanted: Requirements
) -> tuple[str, ...]:
    """Names of sizes that are no candidates and fit, at most three of them; `skus` and `quotas` as select_size."""
    tried = {name.lower() for name in candidates}
    fitting = [sku for name, sku in skus.items() if name not in tried and judge(sku.name, sku, quotas, wanted).viable]
    likened = next((skus[name.lower()] for name in candidates if name.lower() in skus), None)
    series = _series(likened.name if likened is not None else next(iter(candidates), ""))
    vcpus = max(likened.usable_vcpus if likened is not None else 0, _LEAST_VCPUS)
    memory = likened.memory_gb if likened is not None and likened.memory_gb else _LEAST_MEMORY_GB
    memory = max(memory, wanted.min_memory_gb)

    def rank(sku: Sku) -> tuple[bool, bool, float, int, str]:
        # a node pool of GPUs that nobody asked for costs ten times as much
        distance = abs(math.log2(sku.usable_vcpus / vcpus)) + abs(math.log2(max(sku.memory_gb, 0.1) / memory))
        costly = bool(sku.gpus) and not wanted.gpu
        return costly, _series(sku.name) != series, round(distance, 3), -_generation(sku.name), sku.name

    return tuple(sku.name for sku in sorted(fitting, key=rank)[:MOST])


def _series(name: str) -> str:
    found = _SERIES.search(name)
    return found[1].upper() if found else ""


def _generation(name: str) -> int:
    found = _GENERATION.search(name)
    return int(found[1]) if found else 1
