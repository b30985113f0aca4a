# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of kmcp_cli: the kmcp program on a machine, one version checked against its SHA-256, or none."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import Check, InvalidInput, Problem, Refused, Rule, ServiceError, check, refuse
from ..helm.chart import exact_version, version_problem
from ..plan import ABSENT, Change, Plan, Refusal
from ..task import Result, Task, run_within
from ..waiting import wait_timeout_problems
from . import download
from .download import Source

Params = Mapping[str, Any]

SUBJECT = "kmcp_cli"
NAME = "kmcp"
DEFAULT_URL = "https://github.com/kagent-dev/kmcp/releases/download/v{version}/kmcp-{os}-{arch}"
# what kmcp releases are built for (release workflow of kagent-dev/kmcp), by what the kernel calls it
SYSTEMS: Mapping[str, str] = {"linux": "linux", "darwin": "darwin"}
ARCHITECTURES: Mapping[str, str] = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
MODE = 0o755
UNKNOWN = "unknown"
VERSION_SECONDS = 20
# `kmcp version 0.3.0`, from cobra; a build from source says dev
_SAID = re.compile(r"\bkmcp version v?(\S+)")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PLACEHOLDERS = ("version", "os", "arch")


@dataclass(frozen=True)
class Installed:
    """What is at the path: its version as it says itself (UNKNOWN where it says none), its hash, its mode."""

    version: str = ""
    sha256: str = ""
    mode: int = 0
    is_kmcp: bool = False

    @property
    def exists(self) -> bool:
        return bool(self.sha256)


@dataclass(frozen=True)
class CliSpec:
    """What the options of kmcp_cli say."""

    path: Path
    version: str
    url: str
    checksum: str
    checksum_url: str


def converge(task: Task) -> Result:
    """The operation of kmcp_cli."""
    wrong = problems(task.params)
    if task.params.get("state") == "absent":
        refuse(SUBJECT, wrong)
        return _absent(task, Path(task.params["path"]).expanduser())
    machine = os.uname()
    spec = cli_spec(task.params, machine.sysname, machine.machine)
    found = _inspect(task, spec.path)
    plan = plan_cli(spec, found)
    values = {"path": str(spec.path), "version": spec.version}
    if not plan.changes:
        return Result.of(plan.with_notes(*_path_notes(spec.path)), values)
    _check_foreign(spec.path, found)
    if any(change.path in ("version", "sha256") for change in plan.changes):
        source = download.source_of(task.params)
        wanted = spec.checksum or download.release_checksum(source, spec.checksum_url)
        values["sha256"] = wanted
        if task.check_mode:
            download.must_exist(source, spec.url)
        else:
            _install(task, spec, source, wanted)
    if task.check_mode:
        download.must_be_writable(spec.path)
    else:
        with download.writing_to(spec.path):
            spec.path.chmod(MODE)
        task.wrote(f"Installing {spec.path}")
    return Result.of(plan.with_notes(*_path_notes(spec.path)), values)


def cli_spec(params: Mapping[str, Any], system: str, architecture: str) -> CliSpec:
    """From the options and what the kernel says of the machine; raises InvalidInput with every problem."""
    wrong = problems({**params, "state": "present"})
    os_name, arch = SYSTEMS.get(system.lower()), ARCHITECTURES.get(architecture.lower())
    if os_name is None or arch is None:
        built = ", ".join(f"{one}-{other}" for one in SYSTEMS.values() for other in ("amd64", "arm64"))
        wrong.append(Problem("", f"kmcp is not built for {system.lower()} on {architecture}, only for {built}"))
    if params.get("ca_file") and not Path(params["ca_file"]).expanduser().is_file():
        wrong.append(Problem("ca_file", f"{params['ca_file']} is not a file on the machine the module runs on"))
    version = exact_version(params["version"])
    if wrong or version is None:
        raise InvalidInput(SUBJECT, wrong)
    url, checksum_url, _wrong = _addresses(params, {"version": version, "os": os_name or "", "arch": arch or ""})
    return CliSpec(Path(params["path"]).expanduser(), version, url, _checksum(params).lower(), checksum_url)


def problems(params: Params) -> list[Problem]:
    """What is wrong with the options of kmcp_cli, on whatever machine."""
    return check((_path,) if params.get("state") == "absent" else _RULES, params)


def _checksum(params: Params) -> str:
    return str(params.get("checksum") or "").removeprefix("sha256:")


def _addresses(params: Params, given: Mapping[str, str]) -> tuple[str, str, list[Problem]]:
    """The addresses of the program and of its checksum, and what is wrong with them."""
    url, wrong = _filled("url", params["url"], given)
    if wrong:
        return url, "", wrong
    return (url, *_filled("checksum_url", params.get("checksum_url") or "{url}.sha256", {**given, "url": url}))


def _path(params: Params) -> Iterator[Problem]:
    given = str(params["path"])
    if not given or not Path(given).expanduser().is_absolute():
        yield Problem("path", f'"{given}" is not an absolute path of the program')


_RULES: tuple[Rule[Params], ...] = (
    _path,
    lambda params: [] if exact_version(params["version"]) else [version_problem("version", params["version"])],
    Check(
        "checksum",
        lambda params: _checksum(params) and not _SHA256.fullmatch(_checksum(params)),
        "is not a SHA-256 in hexadecimal (64 digits)",
    ),
    lambda params: _addresses(params, dict.fromkeys(_PLACEHOLDERS, "x"))[-1],
    Check(
        "username",
        lambda params: bool(params.get("username")) != bool(params.get("password")),
        "and password go together: one is missing",
    ),
    lambda params: wait_timeout_problems(params["timeout"], option="timeout"),
)


def plan_cli(spec: CliSpec, found: Installed) -> Plan:
    """A given checksum decides; without one, what the program says of itself. Pure."""
    changes: list[Change] = []
    if not found.exists:
        changes.append(Change("version", ABSENT, spec.version))
    elif spec.checksum and found.sha256 != spec.checksum:
        changes.append(Change("sha256", found.sha256, spec.checksum, note=f"it says version {found.version}"))
    elif not spec.checksum and found.version != spec.version:
        changes.append(Change("version", found.version, spec.version))
    if changes or found.mode & 0o555 != MODE & 0o555:
        before = oct(found.mode)[2:].rjust(4, "0") if found.exists else ABSENT
        if before != f"{MODE:04o}":
            changes.append(Change("mode", before, f"{MODE:04o}"))
    return Plan(str(spec.path), tuple(changes), is_new=not found.exists)


def reported_version(output: str) -> str:
    """The version that the program says it is; UNKNOWN when it says none."""
    found = _SAID.search(output)
    return found[1] if found else UNKNOWN


def _absent(task: Task, path: Path) -> Result:
    found = _inspect(task, path)
    if not found.exists:
        return Result.of(Plan(str(path)), {"path": str(path)})
    _check_foreign(path, found)
    if task.check_mode:
        download.must_be_writable(path)
    else:
        with download.writing_to(path):
            path.unlink()
        task.wrote(f"Removing {path}")
    return Result.of(Plan(str(path), (Change("version", found.version, ABSENT),)), {"path": str(path)})


def _inspect(task: Task, path: Path) -> Installed:
    """What is there; a program is asked for its version, which starts it."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Installed()
    except OSError as failure:
        raise download.unwritable(path, failure) from failure
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput(SUBJECT, [Problem("path", f"{path} is not a file: name the program itself")])
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as failure:
        raise download.unwritable(path, failure) from failure
    version = _version_output(task, path) if os.access(path, os.X_OK) else UNKNOWN
    return Installed(version, digest, stat.S_IMODE(status.st_mode), version != UNKNOWN)


def _version_output(task: Task, path: Path) -> str:
    """What the program says, if it says it in time."""
    try:
        done = run_within(task, VERSION_SECONDS, [str(path), "--version"])
    except OSError:
        # a web page that somebody installed, a program for another machine, or one that hangs
        return UNKNOWN
    return reported_version(done.stdout) if done.returncode == 0 else UNKNOWN


def _check_foreign(path: Path, found: Installed) -> None:
    """A program that is not kmcp is neither replaced nor removed, unless it has kmcp's name."""
    if found.exists and not found.is_kmcp and path.name != NAME:
        remedy = "Set path to where kmcp is to be, or remove that file yourself."
        raise Refused(SUBJECT, [Refusal.because(str(path), "is a program that does not report to be kmcp", remedy)])


def _install(task: Task, spec: CliSpec, source: Source, wanted: str) -> None:
    with download.writing_to(spec.path), download.downloaded_file(source, spec.url, spec.path) as (fresh, sha256):
        if sha256 != wanted:
            raise ServiceError(
                f"Installing kmcp {spec.version}",
                f"the file at {download.without_query(spec.url)} has the SHA-256 {sha256}, and {wanted} is wanted"
                f"{download.describe_content(fresh)}",
                code="ChecksumMismatch",
                hint="Nothing was installed. Compare url and checksum: one of them is of another version, or the file "
                "was changed on its way.",
            )
        fresh.chmod(MODE)
        version = _version_output(task, fresh)
        if not spec.checksum and version != spec.version:
            stated = f"reports version {version}"
            if version == UNKNOWN:
                stated = f"cannot be started, does not report its version within {VERSION_SECONDS} s, or is not kmcp"
            raise ServiceError(
                f"Installing kmcp {spec.version}",
                f"the file at {download.without_query(spec.url)} {stated}",
                code="WrongProgram",
                hint="Nothing was installed. Correct url or version; for a build of your own, which reports another "
                "version, set checksum.",
            )
        os.replace(fresh, spec.path)


def _path_notes(path: Path) -> list[str]:
    searched = [Path(one).expanduser() for one in os.environ.get("PATH", os.defpath).split(os.pathsep) if one]
    if path.parent in searched:
        return []
    return [f"{path.parent} is not in the PATH of this task: shells may not find kmcp."]


def _filled(option: str, template: str, given: Mapping[str, str]) -> tuple[str, list[Problem]]:
    """The address with its placeholders filled in, and what is wrong with it."""
    unknown = [name for name in _PLACEHOLDER.findall(template) if name not in given]
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
        return "", [Problem(option, f"has {{{unknown[0]}}}, which is not one of {known}")]
    wrong = []
    url = _PLACEHOLDER.sub(lambda found: given[found[1]], template)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "file") or not parts.path:
        wrong.append(Problem(option, f'"{template}" is not an http, https or file address'))
    if parts.username or parts.password:
        wrong.append(Problem(option, "carries credentials, which end up in logs: set username and password"))
    return url, wrong
