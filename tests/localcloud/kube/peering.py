# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections between clusters of this machine. Runs as root, inside the node helper.

Two clusters that may reach each other share a pair of interfaces, one end in each of their networks: the host forwards
nothing. Through it go connections to addresses of load balancers, as over the internet, in the directions that are
open; nodes, pods and API servers stay each other's strangers. Standard library only.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from localcloud.kube.layout import ClusterLayout

Direction = tuple[str, str]
"""Names of two clusters' directories: the first one's pods reach the second one's addresses."""


class PeeringError(Exception):
    """Two clusters could not be connected."""


def open_directions(file: Path) -> set[Direction]:
    try:
        pairs = json.loads(file.read_text())
    except FileNotFoundError:
        return set()
    return {(str(first), str(second)) for first, second in pairs if first != second}


def end(other: ClusterLayout) -> str:
    """The name that the interface to a cluster has in another one's network."""
    return f"to-{other.index}"


def rules(own: ClusterLayout, others: Iterable[ClusterLayout], directions: set[Direction]) -> str:
    """The packet filter of one cluster for its interfaces to others. Closing a direction ends what stands in it: each
    packet is looked at. Addresses of load balancers are translated afterwards (kube-proxy, priority -100)."""
    arriving, leaving = [], []
    for other in others:
        name, pair = end(other), (own.path.name, other.path.name)
        if pair[::-1] in directions:
            networks = f"{{ {own.public_network}, {own.shared_network} }}"
            arriving.append(f'iifname "{name}" ct direction original ip daddr {networks} accept')
        if pair in directions:
            arriving.append(f'iifname "{name}" ct direction reply accept')
        # no cluster knows another one's pods
        leaving.append(f'oifname "{name}" ip saddr != {own.node_address} snat ip to {own.node_address}')
    arriving.append('iifname "to-*" drop')
    return "\n".join(
        [
            "table inet peers",
            "delete table inet peers",
            "table inet peers {",
            "chain arriving { type filter hook prerouting priority -150;",
            *arriving,
            "}",
            "chain leaving { type nat hook postrouting priority 100;",
            *leaving,
            "}",
            "}",
            "",
        ]
    )


def connect(running: Mapping[str, tuple[ClusterLayout, int]], directions: set[Direction], nft: Path) -> None:
    """Make it so between the clusters that run, given with their first processes by directory."""
    wanted = {frozenset(pair) for pair in directions if {*pair} <= {*running}}
    for name, (own, pid) in running.items():
        others = [other for key, (other, _) in running.items() if frozenset((name, key)) in wanted]
        # before the interface: nothing gets through that has not been looked at
        _inside(pid, [str(nft), "-f", "-"], rules(own, others, directions))
    for pair in sorted(map(sorted, wanted)):
        first, second = (running[name] for name in pair)
        _link(first, second)
        for (own, pid), (there, _) in ((first, second), (second, first)):
            _route(own, pid, there)
    for name, (_, pid) in running.items():
        kept = {end(other) for key, (other, _) in running.items() if frozenset((name, key)) in wanted}
        for left in _ends(pid) - kept:
            _inside(pid, ["ip", "link", "del", left])


def _link(first: tuple[ClusterLayout, int], second: tuple[ClusterLayout, int]) -> None:
    (one, one_pid), (other, other_pid) = first, second
    if end(other) in _ends(one_pid):
        return
    pair = ["ip", "link", "add", end(other), "netns", str(one_pid), "type", "veth"]
    _run([*pair, "peer", "name", end(one), "netns", str(other_pid)])
    for own, pid, there in ((one, one_pid, other), (other, other_pid, one)):
        _wait_for_address(own, pid)
        _inside(pid, ["ip", "link", "set", end(there), "up"])
        # by the other node's address, which it answers for on every interface
        way, own_address = ["dev", end(there)], ["src", own.node_address]
        _inside(pid, ["ip", "route", "replace", f"{there.node_address}/32", *way, "scope", "link", *own_address])


def _route(own: ClusterLayout, pid: int, there: ClusterLayout) -> None:
    """To the addresses that the other one gives to load balancers, and those of everybody that it has now."""
    through = ["via", there.node_address, "dev", end(there), "onlink", "src", own.node_address]
    for address in (there.public_network, *sorted(there.addresses_in_use())):
        _inside(pid, ["ip", "route", "replace", address, *through])


def _wait_for_address(own: ClusterLayout, pid: int, seconds: float = 30) -> None:
    """A cluster that has just been started gives itself its address."""
    deadline = time.monotonic() + seconds
    while f" {own.node_address}/" not in _inside(pid, ["ip", "-o", "-4", "addr", "show"]):
        if time.monotonic() > deadline:
            raise PeeringError(f"{own.path.name} has no address {own.node_address} after {seconds:.0f} s.")
        time.sleep(0.05)


def _ends(pid: int) -> set[str]:
    shown = _inside(pid, ["ip", "-o", "link", "show", "type", "veth"])
    names = {line.split(": ")[1].partition("@")[0] for line in shown.splitlines()}
    return {name for name in names if name.startswith("to-")}


def _inside(pid: int, argv: Sequence[str], stdin: str = "") -> str:
    """In the network of a cluster, with the files of this one."""
    return _run(["nsenter", "--net", "--target", str(pid), "--", *argv], stdin)


def _run(argv: Sequence[str], stdin: str = "") -> str:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeeringError(f"`{' '.join(argv)}` ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
