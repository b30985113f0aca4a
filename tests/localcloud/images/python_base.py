# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Python root file system from named Debian packages, and Python programs compiled for it."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from localcloud.binaries import machine
from localcloud.command import run
from localcloud.debian import download, library_directory, merged_usr, release, unpack
from localcloud.files import Progress, fresh_directory, key_of
from localcloud.settings import Settings, SettingsError

# Which Python a Debian release has; the packages' names carry it.
PYTHON_OF_RELEASE = {"debian 12": "3.11", "debian 13": "3.13"}
PACKAGES = (
    "base-files",
    "netbase",
    "tzdata",
    "media-types",
    "libc6",
    "libgcc-s1",
    "libstdc++6",
    "zlib1g",
    "libbz2-1.0",
    "liblzma5",
    "libffi8",
    "libexpat1",
    "libsqlite3-0",
    "libcrypt1",
    "libuuid1",
    "busybox-static",
    "ca-certificates",
)
COMMANDS = (
    "sh",
    "ls",
    "cat",
    "cp",
    "mkdir",
    "rm",
    "id",
    "env",
    "sleep",
    "wget",
    "nc",
    "ps",
    "kill",
    "grep",
    "sed",
    "test",
    "true",
    "false",
    "date",
    "hostname",
    "nslookup",
    "tail",
    "head",
)
UNNEEDED = (
    "usr/share/ca-certificates",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/bug",
    "usr/share/locale",
    "usr/share/menu",
    "usr/share/applications",
    "usr/share/pixmaps",
    "usr/share/bash-completion",
    "var/log",
    "var/backups",
    "var/lib",
    "media",
    "mnt",
    "srv",
    "opt",
    "boot",
)
UNNEEDED_MODULES = (
    "idlelib",
    "tkinter",
    "turtledemo",
    "lib2to3",
    "ensurepip",
    "pydoc_data",
    "distutils/command",
)
LOADERS = {"amd64": "ld-linux-x86-64.so.2", "arm64": "ld-linux-aarch64.so.1"}


def python_version() -> str:
    name = release().lower()
    if name not in PYTHON_OF_RELEASE:
        raise SettingsError(f"The Python image is made of Debian 12 or 13 packages; apt on this machine is for {name}.")
    return PYTHON_OF_RELEASE[name]


def packages(version: str) -> tuple[str, ...]:
    # Debian 13 renamed the library when time_t grew.
    ssl = "libssl3t64" if version == "3.13" else "libssl3"
    return (*PACKAGES, ssl, f"libpython{version}-minimal", f"libpython{version}-stdlib", f"python{version}-minimal")


def interpreter(root: Path, version: str) -> list[str]:
    """Argument vector that runs the unpacked Python where it lies, with its own C library and no chroot."""
    loader = root / "usr" / ("lib64" if machine() == "amd64" else "lib") / LOADERS[machine()]
    return [str(loader), "--library-path", str(root / library_directory()), str(root / f"usr/bin/python{version}")]


def compile_tree(root: Path, version: str, directory: Path, place: str) -> None:
    """Byte code that is valid whatever the files' times are: layers clamp them, and roots may be read-only."""
    argv = [*interpreter(root, version), "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    # PYTHONHASHSEED: the order of sets in byte code would differ from run to run.
    environment = {**os.environ, "PYTHONHOME": str(root / "usr"), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    # -x: templates of packages that are no Python of this version
    argv += ["-x", "lib2to3|/tests?/", "-s", str(directory), "-p", place, str(directory)]
    run(argv, why=f"compile {place} for the Python image", env=environment)


def _write_etc(root: Path) -> None:
    etc = root / "etc"
    (etc / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/app:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n"
    )
    (etc / "group").write_text("root:x:0:\napp:x:1000:\nnogroup:x:65534:\n")
    (etc / "nsswitch.conf").write_text("hosts: files dns\npasswd: files\ngroup: files\n")
    # What update-ca-certificates would have made.
    certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    (etc / "ssl/certs").mkdir(parents=True, exist_ok=True)
    (etc / "ssl/certs/ca-certificates.crt").write_bytes(b"".join(path.read_bytes() for path in certificates))


def _trim(root: Path, version: str) -> None:
    for name in [*UNNEEDED, *(f"usr/lib/python{version}/{module}" for module in UNNEEDED_MODULES)]:
        shutil.rmtree(root / name, ignore_errors=True)
    shutil.rmtree(root / library_directory() / "gconv", ignore_errors=True)
    zones = root / "usr/share/zoneinfo"
    for path in zones.iterdir():
        if path.name not in ("UTC", "Etc", "posixrules"):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def ensure_python_base(settings: Settings, progress: Progress) -> Path:
    version = python_version()
    source = Path(__file__).read_bytes()  # the recipe is part of what the tree is made of
    target = settings.cache / "python-base" / key_of(machine(), release(), source)
    if target.exists():
        return target
    progress(f"unpacking Python {version} from Debian packages")
    with fresh_directory(target) as root, tempfile.TemporaryDirectory() as downloads:
        merged_usr(root)
        for name in ("tmp", "root", "home", "app", "proc", "sys", "dev", "run", "var/tmp", "usr/local/bin"):
            (root / name).mkdir(parents=True, exist_ok=True)
        for package in download(settings, packages(version), Path(downloads), progress):
            unpack(package, root)
        for name in ("tmp", "var/tmp"):
            (root / name).chmod(0o1777)
        _write_etc(root)
        _trim(root, version)
        for name in ("python3", "python"):
            link = root / "usr/bin" / name
            link.unlink(missing_ok=True)
            link.symlink_to(f"python{version}")
        for name in COMMANDS:
            link = root / "usr/bin" / name
            if not link.exists():
                link.symlink_to("busybox")
        library = root / f"usr/lib/python{version}"
        compile_tree(root, version, library, f"/usr/lib/python{version}")
    return target


def install_packages(requirements: Sequence[str], version: str, into: Path) -> None:
    """Wheels from PyPI for the image's Python, whichever Python runs this."""
    architecture = {"amd64": "x86_64", "arm64": "aarch64"}[machine()]
    argv: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--no-warn-conflicts",
        "--target",
        into,
    ]
    argv += ["--only-binary=:all:", "--python-version", version]
    for platform in (f"manylinux_2_28_{architecture}", f"manylinux2014_{architecture}"):
        argv += ["--platform", platform]
    run([*argv, *requirements], why=f"install {', '.join(requirements)} for the Python image", remedy="It needs PyPI.")
    # Scripts name this machine's interpreter, and RECORD lists them.
    for path in into.iterdir():
        if path.name == "bin" or re.fullmatch(r"win32.*|pywin.*", path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for pattern in ("*.pyi", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
        for path in into.rglob(pattern):
            path.unlink()
