# SPDX-License-Identifier: GPL-3.0-or-later
"""The suite as a program: what it lists, how it is run, and what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.judging import Check, Run

PROGRAM = Path("@modelcontextprotocol", "conformance", "dist", "index.js")
# The last line that the driver prints when it has done all it wanted, with what that came to.
END = "driver: done: "
LOG = "suite.log"
# Most of it a client waits for its turn: on a busy machine the last one comes late. One that hangs ends by itself.
CLIENT_SECONDS = 240
SERVER_SECONDS = 60

_SECTIONS = {"client": re.compile(r"^Client scenarios\b.*:$"), "server": re.compile(r"^Server scenarios\b.*:$")}
_UNSCORED_SECTION = re.compile(r"^Run and reported, but never scored:$")
_ITEM = re.compile(r"^\s+- (?P<name>\S+)(?: \[(?P<leg>\w+)\])?$")
# auth/iss-supported-2026-11-30T01-02-03-456Z
_RESULTS = re.compile(r"^(?P<scenario>.+)-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z$")


class SuiteError(Exception):
    """The suite itself did not work: what failed, why, and what to do."""


@dataclass(frozen=True)
class Suite:
    """An installed suite and the Node that runs it."""

    node: Path
    modules: Path

    @property
    def environment(self) -> dict[str, str]:
        """Node keeps what it compiled: the suite is one large file, and runs dozens of times."""
        return {**os.environ, "NODE_COMPILE_CACHE": str(self.modules.parent / "compiled")}

    def command(self, *arguments: str) -> list[str]:
        return [str(self.node), str(self.modules / PROGRAM), *arguments]

    def scenarios(self, revision: str, role: str = "client") -> list[str]:
        """Every scenario for clients (or servers) that the suite runs for a revision, those without a score as well."""
        done = subprocess.run(
            self.command("list", "--requirements", revision),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        found = listed_scenarios(done.stdout, role)
        if done.returncode or not found:
            raise SuiteError(
                f"The conformance suite lists no {role} scenario of {revision}: it ended with {done.returncode} and "
                f"printed {(done.stderr or done.stdout).strip()[:500]!r}. Was its version changed in tests/node?"
            )
        return found

    def run(
        self, revision: str, client: str, output: Path, *, prefix: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        """Every client scenario of a revision, with `prefix` before the suite's own command.

        The exit code says nothing: it leaves out crashed clients, and scenarios without a score.
        """
        arguments = ["client", "--requirements", revision, "--command", client, "-o", str(output)]
        command = [*prefix, *self.command(*arguments, "--timeout", str(CLIENT_SECONDS * 1000))]
        output.mkdir(parents=True)
        with (output / LOG).open("w", encoding="utf-8") as log:
            subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=environment, check=False)

    def judge_server(self, revision: str, scenario: str, url: str, output: Path) -> Run:
        """One scenario against a server that runs already."""
        arguments = ("server", "--url", url, "--spec-version", revision, "--scenario", scenario, "-o", str(output))
        output.mkdir(parents=True)
        try:
            done = subprocess.run(
                self.command(*arguments),
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=SERVER_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return Run(revision, scenario, broken_off=f"the suite was not done with it in {SERVER_SECONDS} s")
        (output / LOG).write_text(done.stdout + done.stderr, encoding="utf-8")
        for place in output.rglob("checks.json"):
            return Run(revision, scenario, parsed_checks(json.loads(place.read_text(encoding="utf-8"))))
        stated = (done.stdout + done.stderr).strip().splitlines() or [""]
        return Run(revision, scenario, broken_off=f"the suite left no checks of it; it ended with {stated[-1]!r}")


def listed_scenarios(text: str, role: str) -> list[str]:
    """The scenarios for clients or servers of `list --requirements`, in its order."""
    found, section = [], ""
    for line in text.splitlines():
        if line and not line.startswith(" "):
            section = line
        item = _ITEM.match(line)
        if item and (_SECTIONS[role].match(section) or (_UNSCORED_SECTION.match(section) and item["leg"] == role)):
            found.append(item["name"])
    return found


def results(revision: str, scenarios: Sequence[str], output: Path) -> list[Run]:
    """A Run for each scenario, whether the suite left something of it behind or not."""
    places = _places(output)
    stated = (output / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines() or [""]
    if not places:
        raise SuiteError(
            f"The conformance suite ran no scenario of {revision}: {stated[-1]} ({output / LOG} has the rest)"
        )
    missing = f"the suite left no checks of it; it ended with the line {stated[-1]!r}"
    return [_result(revision, scenario, places.get(scenario), missing) for scenario in scenarios]


def _places(output: Path) -> dict[str, Path]:
    # The names of some scenarios have a slash.
    found = ((_RESULTS.match(path.relative_to(output).as_posix()), path) for path in sorted(output.rglob("*")))
    return {matched["scenario"]: path for matched, path in found if matched and path.is_dir()}


def _result(revision: str, scenario: str, place: Path | None, missing: str) -> Run:
    try:
        if place is None:
            raise FileNotFoundError
        checks = parsed_checks(json.loads((place / "checks.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return Run(revision, scenario, broken_off=missing)
    return Run(revision, scenario, checks, _broken_off(place))


def parsed_checks(document: Any) -> tuple[Check, ...]:
    return tuple(
        Check(
            str(found.get("id", "")),
            str(found.get("name", "")),
            str(found.get("status", "")),
            str(found.get("errorMessage") or found.get("description") or ""),
        )
        for found in document
    )


def _broken_off(place: Path) -> str:
    """The suite keeps neither a client's exit code nor that its time was up; the driver's last line tells."""
    stated, complaint = (
        (place / name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        for name in ("stdout.txt", "stderr.txt")
    )
    if stated and stated[-1].startswith(END):
        return ""
    if complaint:
        return complaint[-1]
    return "it ended before it had said that it was done" if stated else "it was ended in silence: its time was up"
