# SPDX-License-Identifier: GPL-3.0-or-later
"""The size series of Azure's virtual machines, as rows: what their sizes are called and can do.

Families, vCPU steps and memory ratios are those of Azure; per-size figures that differ within a real series (disk
throughput and the like) are derived from the vCPU count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

STEPS_64 = (2, 4, 8, 16, 32, 48, 64)
STEPS_96 = (*STEPS_64, 96)
STEPS_128 = (*STEPS_96, 128)
STEPS_192 = (*STEPS_128, 192)
E_STEPS_64 = (2, 4, 8, 16, 20, 32, 48, 64)
E_STEPS_96 = (*E_STEPS_64, 96)
E_STEPS_128 = (*E_STEPS_96, 128)
# vCPUs of the physical size and those left switched on: licences are paid by the latter.
CONSTRAINED = ((4, 2), (8, 2), (8, 4), (16, 4), (16, 8), (32, 8), (32, 16), (64, 16), (64, 32))


@dataclass(frozen=True)
class Series:
    name: str  # with {n} for the number of vCPUs
    family: str
    cpus: tuple[int, ...]
    memory: float  # GiB a vCPU
    temporary: float = 0  # GiB of local disk a vCPU
    cache: float = 0  # GiB of host cache a vCPU
    nvme: float = 0  # GiB of local NVMe a vCPU
    arm: bool = False
    premium: bool = True
    generations: str = "V1,V2"
    threads: int = 2  # vCPUs a core
    zonal: bool = True
    gpus: float = 0  # a vCPU
    constrained: tuple[tuple[int, int], ...] = ()
    confidential: str = ""
    scarce: bool = False  # offered in a few regions only
    retires: str = ""
    accelerated: bool = True
    rdma: bool = False
    shapes: Mapping[str, tuple[int, float]] = field(default_factory=dict)  # name → vCPUs, GiB: irregular series


def _intel(letter: str, memory: float, steps: Mapping[int, tuple[int, ...]]) -> tuple[Series, ...]:
    """The D and E series on Intel processors up to version 5: with and without premium storage and local disk."""
    cut = CONSTRAINED if letter == "E" else ()
    plain, full = steps[3], steps[5]
    return (
        Series(f"{letter}{{n}}_v3", f"standard{letter}v3Family", plain, memory, temporary=25, premium=False),
        Series(f"{letter}{{n}}s_v3", f"standard{letter}Sv3Family", plain, memory, 8 * memory / 4, 25, constrained=cut),
        Series(f"{letter}{{n}}_v4", f"standard{letter}v4Family", plain, memory, premium=False),
        Series(f"{letter}{{n}}s_v4", f"standard{letter}Sv4Family", plain, memory, constrained=cut),
        Series(f"{letter}{{n}}d_v4", f"standard{letter}Dv4Family", plain, memory, 37.5, premium=False),
        Series(f"{letter}{{n}}ds_v4", f"standard{letter}DSv4Family", plain, memory, 37.5, 25, constrained=cut),
        Series(f"{letter}{{n}}_v5", f"standard{letter}v5Family", full, memory, premium=False),
        Series(f"{letter}{{n}}s_v5", f"standard{letter}Sv5Family", full, memory, constrained=cut),
        Series(f"{letter}{{n}}d_v5", f"standard{letter}Dv5Family", full, memory, 37.5, premium=False),
        Series(f"{letter}{{n}}ds_v5", f"standard{letter}DSv5Family", full, memory, 37.5, 25, constrained=cut),
    )


def _amd(letter: str, memory: float, steps: Mapping[int, tuple[int, ...]]) -> tuple[Series, ...]:
    cut = CONSTRAINED if letter == "E" else ()
    new = steps[6]
    return (
        Series(f"{letter}{{n}}a_v4", f"standard{letter}Av4Family", steps[5], memory, 25, premium=False),
        Series(f"{letter}{{n}}as_v4", f"standard{letter}ASv4Family", steps[5], memory, 8, 12.5, constrained=cut),
        Series(f"{letter}{{n}}as_v5", f"standard{letter}ASv5Family", steps[5], memory, constrained=cut),
        Series(f"{letter}{{n}}ads_v5", f"standard{letter}ADSv5Family", steps[5], memory, 37.5, 25, constrained=cut),
        Series(f"{letter}{{n}}as_v6", f"standard{letter}av6Family", new, memory, generations="V2"),
        Series(f"{letter}{{n}}ads_v6", f"standard{letter}adv6Family", new, memory, nvme=55, generations="V2"),
        Series(f"{letter}{{n}}as_v7", f"Standard{letter}asv7Family", new, memory, generations="V2", scarce=True),
        Series(
            f"{letter}{{n}}ads_v7", f"Standard{letter}adsv7Family", new, memory, nvme=55, generations="V2", scarce=True
        ),
    )


def _new_intel(letter: str, memory: float, steps: tuple[int, ...]) -> tuple[Series, ...]:
    return (
        Series(f"{letter}{{n}}s_v6", f"Standard{letter}sv6Family", steps, memory, generations="V2"),
        Series(f"{letter}{{n}}ds_v6", f"Standard{letter}dsv6Family", steps, memory, nvme=55, generations="V2"),
    )


def _arm(letter: str, suffix: str, memory: float) -> tuple[Series, ...]:
    """Ampere (version 5) and Cobalt (version 6): the `p` in the name, Arm64 in the capabilities."""
    upper = suffix.upper()
    rows = (
        Series(f"{letter}{{n}}p{suffix}s_v5", f"standard{letter}P{upper}Sv5Family", STEPS_64, memory),
        Series(f"{letter}{{n}}p{suffix}ds_v5", f"standard{letter}P{upper}DSv5Family", STEPS_64, memory, 37.5, 25),
        Series(f"{letter}{{n}}p{suffix}s_v6", f"Standard{letter}p{suffix}sv6Family", STEPS_96, memory),
        Series(f"{letter}{{n}}p{suffix}ds_v6", f"Standard{letter}p{suffix}dsv6Family", STEPS_96, memory, nvme=55),
    )
    return tuple(replace(row, arm=True, generations="V2", threads=1) for row in rows)


def _lean(steps: tuple[int, ...]) -> tuple[Series, ...]:
    """D sizes with 2 GiB a vCPU."""
    return (
        Series("D{n}ls_v5", "standardDLSv5Family", STEPS_96, 2),
        Series("D{n}lds_v5", "standardDLDSv5Family", STEPS_96, 2, 37.5, 25),
        Series("D{n}ls_v6", "StandardDlsv6Family", steps, 2, generations="V2"),
        Series("D{n}lds_v6", "StandardDldsv6Family", steps, 2, nvme=55, generations="V2"),
        Series("D{n}als_v6", "standardDalv6Family", STEPS_96, 2, generations="V2"),
        Series("D{n}alds_v6", "standardDaldv6Family", STEPS_96, 2, nvme=55, generations="V2"),
        Series("D{n}als_v7", "StandardDalsv7Family", STEPS_128, 2, generations="V2", scarce=True),
        Series("D{n}alds_v7", "StandardDaldsv7Family", STEPS_128, 2, nvme=55, generations="V2", scarce=True),
    )


def _confidential(kind: str, memory: float, steps: tuple[int, ...]) -> tuple[Series, ...]:
    rows = (
        Series(f"{kind}{{n}}as_v5", f"standard{kind}ASv5Family", steps, memory, confidential="SNP"),
        Series(f"{kind}{{n}}ads_v5", f"standard{kind}ADSv5Family", steps, memory, 37.5, 25, confidential="SNP"),
        Series(f"{kind}{{n}}es_v5", f"standard{kind}ESv5Family", steps, memory, confidential="TDX", scarce=True),
        Series(
            f"{kind}{{n}}eds_v5", f"standard{kind}EDSv5Family", steps, memory, 37.5, 25, confidential="TDX", scarce=True
        ),
    )
    return tuple(replace(row, generations="V2") for row in rows)


def _burstable_v2(mark: str, family: str, arm: bool) -> Series:
    shapes = {f"B2{mark}ts_v2": (2, 1.0), f"B2{mark}ls_v2": (2, 4.0), f"B2{mark}s_v2": (2, 8.0)}
    for cpus in (4, 8, 16) if arm else (4, 8, 16, 32):
        shapes[f"B{cpus}{mark}ls_v2"] = (cpus, 2.0 * cpus)
        shapes[f"B{cpus}{mark}s_v2"] = (cpus, 4.0 * cpus)
    return Series("B", family, (), 0, arm=arm, generations="V2" if arm else "V1,V2", shapes=shapes)


D_STEPS = {3: STEPS_64, 5: STEPS_96, 6: STEPS_96}
E_STEPS = {3: E_STEPS_64, 5: E_STEPS_96, 6: E_STEPS_96}

BURSTABLE = (
    Series(
        "B",
        "standardBSFamily",
        (),
        0,
        temporary=2,
        threads=1,
        accelerated=False,
        retires="11/15/2028",
        shapes={
            "B1ls": (1, 0.5),
            "B1s": (1, 1),
            "B1ms": (1, 2),
            "B2s": (2, 4),
            "B2ms": (2, 8),
            "B4ms": (4, 16),
            "B8ms": (8, 32),
            "B12ms": (12, 48),
            "B16ms": (16, 64),
            "B20ms": (20, 80),
        },
    ),
    _burstable_v2("", "standardBsv2Family", arm=False),
    _burstable_v2("a", "standardBasv2Family", arm=False),
    _burstable_v2("p", "standardBpsv2Family", arm=True),
)

_V2_SHAPES = {"1": (1, 3.5), "2": (2, 7), "3": (4, 14), "4": (8, 28), "5": (16, 56)}
_V2_SHAPES |= {"11": (2, 14), "12": (4, 28), "13": (8, 56), "14": (16, 112), "15": (20, 140)}


def _second_version(prefix: str, family: str, premium: bool) -> Series:
    shapes: dict[str, tuple[int, float]] = {f"{prefix}{n}_v2": shape for n, shape in _V2_SHAPES.items()}
    cache = 43.0 if premium else 0.0
    return Series(
        prefix, family, (), 0, 7, cache, premium=premium, threads=1, generations="V1", shapes=shapes,
        retires="05/01/2028",
    )  # fmt: skip


OLDER = (
    Series("A{n}_v2", "standardAv2Family", (1, 2, 4, 8), 2, 10, premium=False, threads=1, retires="11/15/2028"),
    Series("A{n}m_v2", "standardAv2Family", (2, 4, 8), 8, 10, premium=False, threads=1, retires="11/15/2028"),
    _second_version("D", "standardDv2Family", premium=False),
    _second_version("DS", "standardDSv2Family", premium=True),
    Series("F{n}", "standardFFamily", (1, 2, 4, 8, 16), 2, 16, premium=False, threads=1, retires="11/15/2028"),
    Series("F{n}s", "standardFSFamily", (1, 2, 4, 8, 16), 2, 4, 12, threads=1, retires="11/15/2028"),
)

COMPUTE = (
    Series("F{n}s_v2", "standardFSv2Family", (2, 4, 8, 16, 32, 48, 64, 72), 2, 8, 16),
    Series("F{n}as_v6", "StandardFasv6Family", (2, 4, 8, 16, 32, 48, 64), 4, generations="V2", threads=1),
    Series("F{n}als_v6", "StandardFalsv6Family", (2, 4, 8, 16, 32, 48, 64), 2, generations="V2", threads=1),
    Series("F{n}ams_v6", "StandardFamsv6Family", (2, 4, 8, 16, 32, 48, 64), 8, generations="V2", threads=1),
    Series("FX{n}mds", "standardFXMDVSFamily", (4, 12, 24, 36, 48), 21, 42, 25, scarce=True),
)

STORAGE = (
    Series("L{n}s_v2", "standardLSv2Family", (8, 16, 32, 48, 64, 80), 8, 10, nvme=240),
    Series("L{n}s_v3", "standardLSv3Family", (8, 16, 32, 48, 64, 80), 8, 10, nvme=240),
    Series("L{n}as_v3", "standardLASv3Family", (8, 16, 32, 48, 64, 80), 8, 10, nvme=240),
    Series("L{n}s_v4", "StandardLsv4Family", (2, 4, 8, 16, 32, 48, 64, 80, 96), 8, nvme=240, generations="V2"),
    Series("L{n}as_v4", "StandardLasv4Family", (2, 4, 8, 16, 32, 48, 64, 80, 96), 8, nvme=240, generations="V2"),
)

MEMORY = (
    Series("E{n}bs_v5", "standardEBSv5Family", (2, 4, 8, 16, 32, 48, 64, 96, 112), 8),
    Series("E{n}bds_v5", "standardEBDSv5Family", (2, 4, 8, 16, 32, 48, 64, 96, 112), 8, 37.5, 25),
    Series("M{n}s", "standardMSFamily", (32, 64, 128), 16, 32, 50, constrained=((64, 16), (64, 32)), scarce=True),
    Series("M{n}ms", "standardMSFamily", (8, 16, 32, 64, 128), 28, 32, 50, scarce=True),
    Series("M{n}ms_v2", "standardMSMediumMemoryv2Family", (32, 64, 128, 192), 28, generations="V2", scarce=True),
    Series("M{n}dms_v2", "standardMDSMediumMemoryv2Family", (32, 64, 128, 192), 28, 16, 25, scarce=True),
    Series("M{n}s_1_v3", "standardMSMediumMemoryv3Family", (12, 24, 48, 96), 20, generations="V2", scarce=True),
    Series("M{n}ds_1_v3", "standardMDSMediumMemoryv3Family", (12, 24, 48, 96), 20, 8, generations="V2", scarce=True),
)

CONFIDENTIAL = (
    Series("DC{n}s_v2", "standardDCSv2Family", (1, 2, 4, 8), 4, 50, 25, generations="V2", confidential="SGX"),
    Series("DC{n}s_v3", "standardDCSv3Family", (1, 2, 4, 8, 16, 24, 32, 48), 8, generations="V2", confidential="SGX"),
    Series("DC{n}ds_v3", "standardDDCSv3Family", (1, 2, 4, 8, 16, 24, 32, 48), 8, 75, 25, generations="V2"),
    *_confidential("DC", 4, STEPS_96),
    *_confidential("EC", 8, E_STEPS_96),
)

ACCELERATED = (
    Series("NC{n}s_v3", "standardNCSv3Family", (6, 12, 24), 18, 123, gpus=1 / 6, scarce=True, retires="09/30/2025"),
    Series("NC{n}as_T4_v3", "standardNCASv3_T4Family", (4, 8, 16, 64), 7, 45, 12, gpus=1 / 16),
    Series("NC{n}ads_A100_v4", "StandardNCADSA100v4Family", (24, 48, 96), 9, 2.7, nvme=40, gpus=1 / 24, scarce=True),
    Series("NC{n}ads_H100_v5", "StandardNCadsH100v5Family", (40, 80), 8, 3, nvme=89, gpus=1 / 40, scarce=True),
    Series("ND{n}asr_v4", "standardNDASv4_A100Family", (96,), 9.4, 62, gpus=1 / 12, scarce=True, rdma=True),
    Series("ND{n}isr_H100_v5", "standardNDSH100v5Family", (96,), 19.8, 10, gpus=1 / 12, scarce=True, rdma=True),
    Series("NV{n}s_v3", "standardNVSv3Family", (12, 24, 48), 9.3, 26, 25, gpus=1 / 12, scarce=True),
    Series("NV{n}ads_A10_v5", "StandardNVADSA10v5Family", (6, 12, 18, 36, 72), 9.2, 30, 12, gpus=1 / 36),
    Series("NV{n}ads_V710_v5", "StandardNVadsV710v5Family", (4, 8, 12, 24, 28), 6, 36, gpus=1 / 24, scarce=True),
    Series("HB{n}rs_v2", "standardHBrsv2Family", (120,), 3.8, 4, scarce=True, rdma=True, zonal=False),
    Series("HB{n}rs_v3", "standardHBv3Family", (120,), 3.8, 4, scarce=True, rdma=True, zonal=False),
    Series("HB{n}rs_v4", "standardHBv4Family", (176,), 4, 3, scarce=True, rdma=True, zonal=False),
    Series("HC{n}rs", "standardHCSFamily", (44,), 8, 16, scarce=True, rdma=True, zonal=False),
    Series("HX{n}rs", "standardHXFamily", (176,), 8, 3, scarce=True, rdma=True, zonal=False),
)

ALL: tuple[Series, ...] = (
    *BURSTABLE,
    *OLDER,
    *_intel("D", 4, D_STEPS),
    *_intel("E", 8, E_STEPS),
    *_amd("D", 4, {**D_STEPS, 6: STEPS_96}),
    *_amd("E", 8, E_STEPS),
    *_new_intel("D", 4, STEPS_192),
    *_new_intel("E", 8, E_STEPS_128),
    *_arm("D", "", 4),
    *_arm("D", "l", 2),
    *_arm("E", "", 8),
    *_lean(STEPS_128),
    *COMPUTE,
    *STORAGE,
    *MEMORY,
    *CONFIDENTIAL,
    *ACCELERATED,
)
