# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages as a table: what each runs, what it needs first, and how its output is counted."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gate.checkout import CACHE, CHECKOUT
from gate.rules import roles
from gate.sanity import PARTS as SANITY_PARTS
from gate.sanity import THIS_PYTHON

LOGS = CHECKOUT / "build" / "gate"

COLLECTION = "ansible_collections.mcpops.platform.plugins"
OF_TESTS = ("localcloud", "gate", "mcp_servers", "conformance")
TYPED_PACKAGES = (f"{COLLECTION}.module_utils", f"{COLLECTION}.plugin_utils", *OF_TESTS)


class Counting(enum.Enum):
    """Where the number of passed and failed checks of a step comes from."""

    COMMAND = "its exit code: one check"
    JUNIT = "the JUnit report that pytest wrote"
    SANITY = "the sanity tests that ansible-test announced"


@dataclass(frozen=True)
class Step:
    """One process of a stage."""

    name: str
    argv: tuple[str, ...]
    counting: Counting = Counting.COMMAND
    environment: Mapping[str, str] = field(default_factory=dict)
    # What it prints are figures that belong to the gate's own output, also when it succeeds.
    shown: bool = False


@dataclass(frozen=True)
class Stage:
    """A level of the gate. `steps` looks at the tree when the stage starts, so new directories run by being there."""

    name: str
    what: str
    steps: Callable[[], list[Step]]
    needs: tuple[str, ...] = ()
    # How many of its steps run side by side.
    at_once: int = 1
    background: bool = False
    # The stage that it runs at the same time as, when both are wanted.
    beside: str = ""
    # Stages that set something up are not levels of their own: they run when a level asks for them, and count nothing.
    supporting: bool = False


class NothingToRun(Exception):
    """A stage found no test. That is a failure: a level that silently shrinks to nothing would stay green."""


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(CHECKOUT / ".venv" / "bin" / name), *arguments)


def patiently(*argv: str) -> tuple[str, ...]:
    """For what only computes: it takes what is left by the tests beside it, which now and then wait for a time."""
    return ("nice", "-n", "5", *argv)


ANSIBLE_LINT = ("ansible-lint", "--offline", "--profile", "production")


def lint() -> list[Step]:
    typed = [argument for package in TYPED_PACKAGES if _package_exists(package) for argument in ("-p", package)]
    return [
        # What it learned of the libraries holds for every checkout; of this tree, it compares the content.
        Step("mypy", tool("mypy", "--cache-dir", str(CACHE / "mypy"), *typed)),
        # The scenarios' playbooks are run, so it need not start Ansible for the syntax of each of them.
        Step("ansible-lint", patiently(*tool(*ANSIBLE_LINT, "--exclude", "extensions/molecule"))),
        Step("ruff check", tool("ruff", "check", ".")),
        Step("ruff format", tool("ruff", "format", "--check", ".")),
        Step("yamllint", tool("yamllint", "--strict", ".")),
    ]


def sanity() -> list[Step]:
    return [
        Step(part, patiently(sys.executable, "-m", "gate.sanity", THIS_PYTHON, part), Counting.SANITY)
        for part in SANITY_PARTS
    ]


def unit() -> list[Step]:
    return [pytest_step("unit", ["tests/unit"], "not slow", workers=2)]


def contract() -> list[Step]:
    return [pytest_step("contract", ["tests/contract"], "not slow", workers=2)]


# Which local cloud of its own (clouds.py) a directory of the integration level runs on; the rest: "kubernetes".
CLOUDS = {
    # These need a cluster and no faults of Azure, and there is one.
    "aks_cluster_info": "kubernetes",
    "aks_kubeconfig": "kubernetes",
    "aks_sku_preflight": "kubernetes",
    "aks_": "azure",
    "azure_resource_info": "kubernetes",
    "azure_": "azure",
    "engine": "kmcp",
    "site_validate": "kmcp",
    "site_lock": "kubernetes",
    "site": "azure",
    "kmcp_": "kmcp",
    "mcp_": "kmcp",
    "roles": "kmcp",
}


# Directories of the same level that take too long for the gate: each is a stage of its own, on a cloud of that name.
LANES = ("charts",)


def _outside_lanes() -> list[str]:
    level = CHECKOUT / "tests" / "integration"
    names = (path.name for path in level.iterdir() if path.is_dir() and path.name != "__pycache__")
    return [f"tests/integration/{name}" for name in sorted(names) if name not in LANES]


def integration() -> list[Step]:
    return parts("integration", "not slow")


def parts(level: str, markers: str) -> list[Step]:
    """The integration tests, in parts that run side by side on clouds of their own: most of their time is waiting."""
    found: dict[str, list[str]] = {}
    for name in _outside_lanes():
        cloud = next((cloud for start, cloud in CLOUDS.items() if Path(name).name.startswith(start)), "kubernetes")
        found.setdefault(cloud, []).append(name)
    return [on_own_cloud(name, pytest_step(f"{level}-{name}", part, markers)) for name, part in found.items()]


def on_own_cloud(cloud: str, step: Step) -> Step:
    return Step(step.name, (sys.executable, "-m", "gate.clouds", "with", cloud, *step.argv), step.counting)


def conformance() -> list[Step]:
    return [
        Step(name, (sys.executable, "-m", module, f"--junit={junit_report(name)}"), Counting.JUNIT, shown=True)
        for name, module in (("client", "conformance"), ("examples", "conformance.examples"))
    ]


def docs() -> list[Step]:
    return [pytest_step("docs", ["tests/docs"], "not slow", workers=2)]


def long() -> list[Step]:
    return [
        *parts("long", "slow"),
        pytest_step("long-pure", ["tests/unit", "tests/contract", "tests/docs"], "slow"),
        Step("ansible-lint of everything", patiently(*tool(*ANSIBLE_LINT))),
    ]


def lane(name: str) -> list[Step]:
    """All that its directory has: nothing else runs these tests."""
    return [on_own_cloud(name, pytest_step(f"long-{name}", [f"tests/integration/{name}"], "integration"))]


def molecule() -> list[Step]:
    scenarios = sorted(path.parent.name for path in (CHECKOUT / "extensions" / "molecule").glob("*/molecule.yml"))
    missing = roles.missing_scenarios(CHECKOUT)
    if missing or not scenarios:
        raise NothingToRun("; ".join(missing) or "extensions/molecule holds no scenario")
    return [
        Step(
            name,
            (sys.executable, "-m", "gate.scenario", name),
            # Where it keeps its state otherwise is named after the last part of the checkout's path: two clones would
            # meet, and what one has prepared counts as prepared for the other.
            environment={"MOLECULE_EPHEMERAL_DIRECTORY": str(LOGS.parent / "molecule" / name)},
        )
        for name in scenarios
    ]


def bench() -> list[Step]:
    if not (CHECKOUT / "tests" / "bench" / "__main__.py").is_file():
        raise NothingToRun("tests/bench has no __main__.py to run")
    return [Step("bench", (sys.executable, "-m", "bench"))]


def matrix() -> list[Step]:
    # Not imported at the top: the matrix itself builds on this module.
    from gate.matrix import ROWS

    return [Step(f"core {row.core}", (sys.executable, "-m", "gate.matrix", row.core)) for row in ROWS]


def pytest_step(name: str, directories: list[str], markers: str, *, workers: int = 0) -> Step:
    present = [directory for directory in directories if any((CHECKOUT / directory).rglob("test_*.py"))]
    if not present:
        raise NothingToRun(f"no test_*.py under {', '.join(directories)}")
    argv = [
        *tool("pytest", "-q", "-m", markers, f"--junitxml={junit_report(name)}"),
        # A test that no longer imports or is deselected by a typo must not look like success.
        "--strict-config",
        *(["-n", str(workers), "--dist", "loadfile"] if workers else []),
        *present,
    ]
    return Step(name, tuple(argv), Counting.JUNIT)


def junit_report(step_name: str) -> Path:
    return LOGS / f"{step_name}.junit.xml"


def _package_exists(package: str) -> bool:
    relative = Path(*package.split("."))
    return any(any((CHECKOUT / root / relative).glob("**/*.py")) for root in ("collections", "tests"))


STAGES: tuple[Stage, ...] = (
    Stage(
        "doctor",
        "what this machine lacks",
        lambda: [Step("doctor", tool("localcloud", "doctor"))],
        supporting=True,
    ),
    Stage(
        "build",
        "the local cloud's binaries, in the background",
        lambda: [Step("build", ("nice", "-n", "19", *tool("localcloud", "build")))],
        needs=("doctor",),
        background=True,
        supporting=True,
    ),
    Stage(
        "npm",
        "what the tests run on Node",
        lambda: [Step("npm", (sys.executable, "-m", "gate.npm"))],
        background=True,
        supporting=True,
    ),
    # Started as early: what it downloads is there when the contracts are tested.
    Stage(
        "mcp-servers",
        "the SDKs of MCP servers of both eras, in the background",
        lambda: [Step("mcp-servers", ("nice", "-n", "19", sys.executable, "-m", "mcp_servers"))],
        background=True,
        supporting=True,
    ),
    Stage("lint", "ruff, mypy, yamllint, ansible-lint", lint, at_once=2),
    Stage("sanity", "ansible-test sanity on one core version", sanity, at_once=2, beside="lint"),
    Stage("unit", "pure parts and the repository itself", unit, beside="lint"),
    Stage("contract", "the local Azure and the MCP client against the SDKs", contract, needs=("mcp-servers",)),
    # By itself: some of its clients are timed.
    Stage(
        "conformance",
        "the official MCP suite against the client and the example servers",
        conformance,
        needs=("npm", "mcp-servers"),
    ),
    Stage(
        "cloud",
        "the local cloud, up",
        lambda: [Step("up", tool("localcloud", "up"))],
        needs=("build",),
        beside="contract",
        supporting=True,
    ),
    Stage("integration", "modules and playbooks on a real cluster", integration, needs=("build",), at_once=3),
    # Both wait for clusters most of the time, each for its own.
    Stage("molecule", "a scenario per role", molecule, needs=("cloud",), beside="integration"),
    Stage("docs", "every example in the documentation", docs, beside="contract"),
    # Here and not in the test that wants them: no test may take as long as a build.
    Stage(
        "versions",
        "every Kubernetes version of the local cloud, and Helm 4",
        lambda: [Step("versions", tool("localcloud", "build", "--all"))],
        needs=("build",),
        supporting=True,
    ),
    Stage("long", "everything marked slow", long, needs=("versions",), at_once=3),
    Stage("matrix", "sanity and unit tests on every supported ansible-core", matrix),
    # It waits for its cluster half of the time.
    Stage(
        "long-charts",
        "charts of others: clean, edited, repaired",
        lambda: lane("charts"),
        needs=("build",),
        beside="matrix",
    ),
    Stage("bench", "benchmarks", bench, needs=("cloud",)),
)

# What `make test` runs. The other levels are run by name.
GATE = ("lint", "sanity", "unit", "contract", "conformance", "integration", "molecule", "docs")


def select(wanted: tuple[str, ...]) -> list[Stage]:
    """The wanted stages and all they need, in the order of the table."""
    by_name = {stage.name: stage for stage in STAGES}
    chosen: set[str] = set()

    def add(name: str) -> None:
        if name not in by_name:
            raise SystemExit(f"gate: no stage is called {name!r}. There are: {', '.join(by_name)}")
        if name not in chosen:
            chosen.add(name)
            for needed in by_name[name].needs:
                add(needed)

    for name in wanted:
        add(name)
    return [stage for stage in STAGES if stage.name in chosen]


def groups(chosen: list[Stage]) -> list[list[Stage]]:
    """What runs together, in order: a stage joins the one that it runs beside, if that is chosen too."""
    found: dict[str, list[Stage]] = {}
    for stage in chosen:
        found.setdefault(stage.beside if stage.beside in found else stage.name, []).append(stage)
    return list(found.values())


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """What every step sees: this checkout's tools first, its test packages importable."""
    prepared = dict(base)
    prepared["PATH"] = os.pathsep.join([str(CHECKOUT / ".venv" / "bin"), base.get("PATH", os.defpath)])
    prepared["PYTHONPATH"] = str(CHECKOUT / "tests")
    prepared["PYTHONUNBUFFERED"] = "1"
    # a level starts hundreds of Pythons, which need not all compile this checkout
    prepared.pop("PYTHONDONTWRITEBYTECODE", None)
    # and hundreds of kubectl and helm, whose start is a third cheaper without collecting its garbage
    prepared.setdefault("GOGC", "400")
    return prepared


def plain_environment(base: Mapping[str, str]) -> dict[str, str]:
    """The same without colour codes, for output that goes to a log."""
    prepared = environment(base) | {"NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1"}
    # With both set, several tools warn about the contradiction on every start.
    prepared.pop("FORCE_COLOR", None)
    return prepared
