# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and end the processes of one cluster in namespaces of their own. Runs as root, inside the node helper."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from localcloud.files import write_atomically
from localcloud.kube import cgroups
from localcloud.kube.layout import API_PORT, POD_NETWORK, POLICY_QUEUE, SERVICE_NETWORK, ClusterLayout
from localcloud.processes import start_time, wait_until_gone

INIT = Path(__file__).parent / "node-init.sh"
PACKAGES = Path(__file__).resolve().parents[2]
# Joins the cgroups named before "--", then becomes the supervisor whose only child is PID 1 of the cluster.
ENTER = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 1; shift; done; shift; exec unshare "$@"'
UNSHARE = ("--fork", "--kill-child", "--pid", "--mount-proc", "--mount", "--net", "--ipc", "--uts", "--cgroup")
PROPAGATION = ("--propagation", "slave")

# Their exit is collected by `reap`; nobody else waits for them.
_supervisors: list[subprocess.Popen[bytes]] = []


class NodeError(Exception):
    """The processes of a cluster could not be started or ended."""


def _ip(*arguments: str, check: bool = True) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise NodeError(f"`ip {' '.join(arguments)}` ended with {done.returncode}: {done.stderr.strip()}")


def interface_exists(name: str) -> bool:
    return Path("/sys/class/net", name).exists()


def add_host_address(interface: str, address: str) -> None:
    """An address of this host that exists whatever networks come and go: on a bridge without ports. The dummy device
    made for this is a module that small kernels lack, and every cluster needs bridges anyway."""
    if not interface_exists(interface):
        _ip("link", "add", interface, "type", "bridge")
        _ip("link", "set", interface, "up")
    done = subprocess.run(["ip", "-o", "-4", "addr", "show"], capture_output=True, text=True, check=True).stdout
    owners = [line.split()[1] for line in done.splitlines() if f" {address}/" in line]
    if owners and interface not in owners:
        _ip("link", "del", interface, check=False)
        raise NodeError(
            f"{address} is already an address of {owners[0]}. Another local cloud may be up; give this one other "
            "addresses with LOCALCLOUD_NETWORK (a private /16, for example 10.214.0.0/16)."
        )
    if not owners:
        _ip("addr", "add", f"{address}/32", "dev", interface)


def remove_interface(name: str) -> None:
    if interface_exists(name):
        _ip("link", "del", name, check=False)


def _environment(layout: ClusterLayout, binaries: str, parts: str) -> dict[str, str]:
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_DIRECTORY": layout.directory,
        "LC_BINARIES": binaries,
        "LC_PARTS": parts,
        "LC_NODE_NAME": layout.node_name,
        "LC_NODE_ADDRESS": layout.node_address,
        "LC_HOST_ADDRESS": layout.host_address,
        "LC_CLOUD_ADDRESS": layout.cloud_address,
        "LC_CLOUD_PORTS": ", ".join(str(port) for port in layout.cloud_ports),
        "LC_API_PORT": str(API_PORT),
        "LC_POD_NETWORK": POD_NETWORK,
        "LC_SERVICE_NETWORK": SERVICE_NETWORK,
        "LC_OIDC_ISSUER": layout.oidc_issuer,
        "LC_LOAD_BALANCERS": f"{layout.public_network} {layout.internal_network} {layout.shared_network}",
        # for the parts of ours that run beside the cluster's own
        "LC_PYTHON": sys.executable,
        "LC_PACKAGES": str(PACKAGES),
        "LC_POLICY_QUEUE": str(POLICY_QUEUE) if layout.network_policy else "",
    }


def _child_of(parent: int) -> int | None:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            text = stat.read_text()
            if int(text.rpartition(")")[2].split()[1]) == parent:
                return int(stat.parent.name)
    return None


def init_pid(layout: ClusterLayout) -> int | None:
    """The cluster's PID 1 as seen from here, while it runs."""
    try:
        record = json.loads(layout.process_file.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return record["pid"] if start_time(record["pid"]) == record["start_time"] else None


def _prepare_directories(layout: ClusterLayout, owner: tuple[int, int]) -> None:
    for name in ("etcd", "containerd", "kubelet", "varlog", "volumes"):
        (layout.path / name).mkdir(exist_ok=True)
        (layout.path / name).chmod(0o700 if name == "etcd" else 0o755)
    # The API server opens these as root; their owner is to read them.
    for directory in (layout.audit_log.parent, layout.path / "log"):
        directory.mkdir(exist_ok=True, mode=0o700)
        os.chown(directory, *owner)
    with layout.audit_log.open("a"):
        os.chown(layout.audit_log, *owner)
        layout.audit_log.chmod(0o600)


def start(layout: ClusterLayout, binaries: str, parts: str, owner: tuple[int, int]) -> int:
    """PID 1 of the cluster, started when it does not run."""
    running = init_pid(layout)
    if running is not None:
        return running
    stop(layout)  # what a crash may have left: an interface, cgroups
    _prepare_directories(layout, owner)
    started_at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    directories = cgroups.create(layout.cgroup)
    argv = ["bash", "-c", ENTER, "localcloud-node", *map(str, directories), "--", *UNSHARE, *PROPAGATION]
    argv += ["bash", str(INIT)]
    with (layout.path / "log" / "init.log").open("ab") as log:
        supervisor = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(layout, binaries, parts),
            cwd="/",
            start_new_session=True,
        )
    _supervisors.append(supervisor)
    try:
        pid = _wait_for_init(layout, supervisor)
        if cgroups.is_version_2():
            # A cgroup that delegates controllers may hold no process itself, and the supervisor is outside the view.
            (cgroups.ROOT / "cgroup.procs").write_text(str(supervisor.pid))
        record = {"pid": pid, "start_time": start_time(pid), "started_at": started_at}
        write_atomically(layout.process_file, json.dumps(record) + "\n", 0o644)
        _ip("link", "add", layout.interface, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        _ip("addr", "add", f"{layout.host_address}/30", "dev", layout.interface)
        _ip("link", "set", layout.interface, "up")
        _ip("route", "replace", layout.public_network, *_to_node(layout))
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            supervisor.kill()  # --kill-child takes PID 1 along
        supervisor.wait()
        stop(layout)
        raise
    return pid


def _to_node(layout: ClusterLayout) -> tuple[str, ...]:
    return ("via", layout.node_address, "dev", layout.interface, "src", layout.host_address)


def route_addresses(layout: ClusterLayout, wanted: frozenset[str], before: frozenset[str]) -> None:
    """Bring this host to public IP addresses that Services of the cluster have now, and had before."""
    for address in sorted(wanted - before):
        _ip("route", "replace", address, *_to_node(layout))
    for address in sorted(before - wanted):
        # another cluster may have it by now
        _ip("route", "del", address, *_to_node(layout), check=False)


def reap() -> None:
    _supervisors[:] = [supervisor for supervisor in _supervisors if supervisor.poll() is None]


def _wait_for_init(layout: ClusterLayout, supervisor: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + 10
    while True:
        pid = _child_of(supervisor.pid)
        # Until unshare has done its work the child, if any, is still in this network namespace.
        if pid is not None:
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net"):
                    return pid
        if supervisor.poll() is not None or time.monotonic() > deadline:
            raise NodeError(f"The namespaces of {layout.name} could not be made. See {layout.path}/log/init.log.")
        time.sleep(0.01)


def stop(layout: ClusterLayout) -> None:
    """PID 1 is killed and the kernel ends everything in its namespace: pods, mounts, routes and rules. etcd's writes
    are in the page cache by then, so its data survive this (a power cut they would not)."""
    pid = init_pid(layout)
    if pid is not None:
        started = start_time(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if started is not None and not wait_until_gone(pid, started, 15):
            raise NodeError(f"Process {pid}, the first of cluster {layout.name}, does not end when killed.")
    layout.process_file.unlink(missing_ok=True)
    remove_interface(layout.interface)
    left = cgroups.remove(layout.cgroup)
    if left:
        raise NodeError(f"Cgroups of cluster {layout.name} are still in use: {', '.join(map(str, left))}.")
