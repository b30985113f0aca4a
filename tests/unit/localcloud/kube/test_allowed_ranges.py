# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packets to a load balancer are dropped, by the annotation of its Service."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.kube.addresses import Decision
from localcloud.kube.allowed_ranges import RANGES, rules


def service(name: str, ranges: str | None) -> dict[str, Any]:
    annotations = {} if ranges is None else {RANGES: ranges}
    ports = [{"port": 443, "protocol": "TCP"}]
    return {"metadata": {"name": name, "uid": name, "annotations": annotations}, "spec": {"ports": ports}}


CASES = {
    "everybody": (None, []),
    "nothing said": (" ", []),
    "one range": ("10.0.0.0/8", ["ip saddr != { 10.0.0.0/8 } drop"]),
    "one inside of another": ("10.1.0.0/16, 10.0.0.0/8", ["ip saddr != { 10.0.0.0/8 } drop"]),
    "nothing that is a range": ("anywhere", ["dport 443 drop"]),
}


@pytest.mark.parametrize(("ranges", "expected"), CASES.values(), ids=CASES)
def test_who_is_dropped(ranges: str | None, expected: list[str]) -> None:
    text = rules([service("a", ranges)], [Decision("n", "a", "a", address="10.213.1.65")])
    lines = [line for line in text.splitlines() if line.startswith("iifname")]
    assert len(lines) == len(expected)
    for line, end in zip(lines, expected, strict=True):
        assert line.startswith('iifname { "eth0", "to-*" } ip daddr 10.213.1.65 tcp dport 443')
        assert line.endswith(end)


def test_a_service_without_an_address_needs_no_rule() -> None:
    assert "iifname" not in rules([service("a", "10.0.0.0/8")], [Decision("n", "a", "a", refusal="none left")])
