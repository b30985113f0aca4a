# SPDX-License-Identifier: GPL-3.0-or-later
"""What is proposed where no candidate fits: only what would do, and what is most like the wanted size first."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm.aks_sku_preflight import MOST, alternatives
from ansible_collections.mcpops.platform.plugins.module_utils.arm.sku import (
    Quota,
    Requirements,
    Sku,
    judge,
    select_size,
)

PLENTY = {"cores": Quota(0, 10_000), "lowprioritycores": Quota(0, 10_000)}


def sku(name: str, vcpus: int, memory: int, **more: Any) -> Sku:
    capabilities = {"vCPUs": str(vcpus), "MemoryGB": str(memory), **{key: str(value) for key, value in more.items()}}
    return Sku(name=name, family="f", capabilities=capabilities)


def region(*sizes: Sku) -> dict[str, Sku]:
    return {one.name.lower(): one for one in sizes}


def wanted(**changes: Any) -> Requirements:
    return Requirements(location="l", **{"node_count": 1, "allow_burstable": True, **changes})


REGION = region(
    sku("Standard_D4s_v5", 4, 16),
    sku("Standard_D4s_v6", 4, 16),
    sku("Standard_D4s_v3", 4, 16),
    sku("Standard_D8s_v6", 8, 32),
    sku("Standard_E4s_v6", 4, 32),
    sku("Standard_NC4as_T4_v3", 4, 28, GPUs=1),
    sku("Standard_D4ps_v6", 4, 16, CpuArchitectureType="Arm64"),
)


@pytest.mark.parametrize(
    ("candidates", "changes", "found"),
    [
        pytest.param(
            ["Standard_D4s_v5"],
            {"architecture": "x64"},
            ("Standard_D4s_v6", "Standard_D4s_v3", "Standard_D8s_v6"),
            id="its series, its dimensions, the newest",
        ),
        pytest.param(["Standard_D4s_v5"], {"gpu": True}, ("Standard_NC4as_T4_v3",), id="only what has a GPU"),
        pytest.param(["Standard_D4s_v5"], {"architecture": "arm64"}, ("Standard_D4ps_v6",), id="only the architecture"),
        pytest.param(["Standard_D4s_v5"], {"min_memory_gb": 30}, ("Standard_D8s_v6", "Standard_E4s_v6"), id="memory"),
        pytest.param(["standard_nowhere"], {"architecture": "arm64"}, ("Standard_D4ps_v6",), id="of no known size"),
        pytest.param([], {"min_memory_gb": 500}, (), id="nothing would do"),
    ],
)
def test_the_likest_come_first(candidates: list[str], changes: dict[str, Any], found: tuple[str, ...]) -> None:
    proposed = alternatives(candidates, REGION, PLENTY, wanted(**changes))
    assert proposed[: len(found)] == found
    assert found or not proposed


def test_gpus_that_nobody_asked_for_come_last() -> None:
    assert "Standard_NC4as_T4_v3" not in alternatives(["Standard_NC4as_T4_v3x"], REGION, PLENTY, wanted())


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_proposed_would_be_chosen(seed: int) -> None:
    chance = random.Random(seed)
    sizes = region(
        *(
            sku(
                f"Standard_{chance.choice('DEBF')}{vcpus}s_v{chance.randint(1, 7)}",
                vcpus,
                vcpus * chance.choice((2, 4, 8)),
                GPUs=chance.choice((0, 0, 1)),
                LowPriorityCapable=chance.choice((True, False)),
                CpuArchitectureType=chance.choice(("x64", "Arm64")),
            )
            for vcpus in chance.choices((1, 2, 4, 8, 16, 64), k=25)
        )
    )
    asked = wanted(
        node_count=chance.randint(1, 6),
        min_memory_gb=chance.choice((0, 16)),
        gpu=chance.choice((True, False)),
        spot=chance.choice((True, False)),
        architecture=chance.choice(("", "arm64")),
    )
    quotas = {"cores": Quota(0, chance.choice((20, 200))), "lowprioritycores": Quota(0, chance.choice((20, 200)))}
    candidates = [one.name for one in list(sizes.values())[:2]]
    proposed = alternatives(candidates, sizes, quotas, asked)
    assert len(proposed) <= MOST and not set(proposed) & set(candidates)
    for name in proposed:
        chosen = select_size([name], sizes, quotas, asked).chosen
        assert chosen is not None and chosen.name == name
    fitting = [
        one for one in sizes.values() if one.name not in candidates and judge(one.name, one, quotas, asked).viable
    ]
    assert len(proposed) == min(MOST, len(fitting))
