# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m conformance.examples`: the servers in examples/, judged by the suite's scenarios for servers.

Servers of standard input and output answer behind the local cloud's stand-in for KMCP's adapter.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from gate import npm
from gate.checkout import CHECKOUT
from gate.environments import EnvironmentMissing
from mcp_servers import environments
from mcp_servers.running import NotStarted, Program, Running, free_port

from conformance import isolation, judging, listed, report
from conformance.judging import Outcome, Verdict
from conformance.listed import Exceptions
from conformance.suite import Suite, SuiteError

PLAN = Path(__file__).with_name("examples.yml")
EVIDENCE = CHECKOUT / "build" / "conformance-examples"
EXAMPLES = CHECKOUT / "examples"
# In the network that the scenarios run in.
INSIDE = "--inside"


@dataclass(frozen=True)
class Plan:
    """What each server has to pass, in which revision, and the scenarios that say nothing about any of them."""

    servers: Mapping[str, Mapping[str, Sequence[str]]]
    others: frozenset[str]
    exceptions: Exceptions

    @classmethod
    def load(cls) -> Plan:
        written = yaml.safe_load(PLAN.read_text(encoding="utf-8"))
        others = frozenset(name for group in written["others"] for name in group["scenarios"] if group["reason"])
        exceptions = listed.parse({"not_applicable": [], "untestable": written["untestable"]})
        return cls(written["servers"], others, exceptions)

    def revisions(self) -> list[str]:
        return sorted({revision for of_it in self.servers.values() for revision in of_it})

    def runs(self) -> Iterator[tuple[str, str, str]]:
        for server, revisions in self.servers.items():
            for revision, scenarios in revisions.items():
                yield from ((server, revision, scenario) for scenario in scenarios)

    def gaps(self, suite: Mapping[str, Iterable[str]]) -> list[Verdict]:
        """Scenarios that the suite has and nobody judged here, and those that are listed and that it does not have."""
        of_it = {(revision, name) for revision, names in suite.items() for name in names}
        planned = {(revision, scenario) for _server, revision, scenario in self.runs()}
        known = {name for _revision, name in of_it}
        new = [(r, name, "the suite has it, and examples.yml does not") for r, name in of_it - planned]
        gone = [(r, name, "the suite has no such scenario in this revision") for r, name in planned - of_it]
        gone += [("any", name, "the suite has no such scenario") for name in self.others - known]
        missing = [entry for entry in new if entry[1] not in self.others] + gone
        return [
            Verdict(revision, name, Outcome.FAILED, reasons=(f"{reason}: change the list",))
            for revision, name, reason in sorted(missing)
        ]


def programs(scratch: Path) -> list[Program]:
    """The examples as they are run; their own packages are those of the SDK that they are made with."""
    first, second = environments.python("mcp1"), environments.python("mcp2")
    node, _packages = environments.node()
    units = EXAMPLES / "units-mcp"
    commands: dict[str, dict[str, Any]] = {
        "words": {"cmd": str(node), "args": [str(EXAMPLES / "words-mcp" / "server.js")]},
        "units": {
            "cmd": str(first),
            "args": ["-c", "from units_mcp import main; main()"],
            "env": {"PYTHONPATH": str(units), "PYTHONDONTWRITEBYTECODE": "1"},
        },
    }
    return [
        _over_http("echo", first, EXAMPLES / "echo-mcp" / "server.py"),
        _over_http("calendar", second, EXAMPLES / "calendar-mcp" / "server.py"),
        _adapter(commands, scratch / "adapter.yaml"),
    ]


def _over_http(name: str, python: Path, script: Path) -> Program:
    port = free_port()
    return Program(name, (str(python), str(script)), {"PORT": str(port)}, port=port, paths={name: "/mcp"})


def _adapter(commands: Mapping[str, Mapping[str, Any]], config: Path) -> Program:
    port = free_port()
    routes = [
        {
            "name": name,
            "matches": [{"path": {"pathPrefix": f"/{name}"}}],
            "backends": [{"mcp": {"targets": [{"name": name, "stdio": command}]}}],
        }
        for name, command in commands.items()
    ]
    listener = {"name": "default", "protocol": "HTTP", "routes": routes}
    # JSON is YAML
    config.write_text(json.dumps({"binds": [{"port": port, "listeners": [listener]}]}), encoding="utf-8")
    own_ports = dict.fromkeys(("READINESS_ADDR", "ADMIN_ADDR", "STATS_ADDR"), "127.0.0.1:0")
    argv = (str(environments.adapter()), "-f", str(config))
    return Program("stdio", argv, own_ports, port=port, paths={name: f"/{name}" for name in commands})


def judged(plan: Plan, suite: Suite, evidence: Path) -> list[Verdict]:
    gaps = plan.gaps({revision: suite.scenarios(revision, "server") for revision in plan.revisions()})
    shutil.rmtree(evidence, ignore_errors=True)
    logs = evidence / "logs"
    logs.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="mcpops-conformance-") as scratch:
        running = Running(logs)
        try:
            running.start(programs(Path(scratch)))
            addresses = {name: url for of_it in running.addresses.values() for name, url in of_it.items()}

            def judge(run: tuple[str, str, str]) -> Verdict:
                server, revision, scenario = run
                # The suite tries other Host headers with localhost alone.
                url = addresses[server].replace("127.0.0.1", "localhost")
                found = suite.judge_server(revision, scenario, url, evidence / server / revision / scenario)
                return replace(judging.judge(found, plan.exceptions), scenario=f"{server}: {scenario}")

            with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
                return [*pool.map(judge, plan.runs()), *gaps]
        finally:
            running.stop()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="conformance.examples", description=__doc__)
    parser.add_argument("--junit", type=Path, default=EVIDENCE / "junit.xml", help="where the JUnit report goes")
    parser.add_argument(INSIDE, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        modules = npm.installed()
        if not options.inside:
            environments.make_all(lambda _stated: None)
            command = [*isolation.prefix(), sys.executable, "-m", "conformance.examples", INSIDE, *arguments]
            return subprocess.run(command, check=False).returncode
        found = judged(Plan.load(), Suite(npm.node(modules), modules), EVIDENCE)
    except (npm.NpmError, EnvironmentMissing, listed.ListError, NotStarted, SuiteError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    print(report.table(found, "the examples"))
    report.write_junit(found, options.junit)
    return 0 if judging.succeeded(found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
