# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages as a table: what each runs, what it needs first, and how its output is counted."""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from gate.checkout import CACHE, CHECKOUT
from gate.sanity import PARTS as SANITY_PARTS
from gate.sanity import THIS_PYTHON

LOGS = CHECKOUT / "build" / "gate"
COLLECTION = "ansible_collections.mcpops.platform.plugins"
TYPED_PACKAGES = (
    *(f"{COLLECTION}.{name}" for name in ("module_utils", "plugin_utils")),
    *("localcloud", "gate", "mcp_servers", "conformance"),
)
ANSIBLE_LINT = ("ansible-lint", "--offline", "--profile", "production")


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
    # What fails is shown like any failure, and does not count: of a release that is not out yet.
    candidate: bool = False


@dataclass(frozen=True)
class Stage:
    """A level of the gate. `steps` looks at the tree when the stage starts, so new scenarios run by being there."""

    name: str
    what: str
    steps: Callable[[], list[Step]]
    # Stages of the same turn run at once; those of turn 0 in the background of all others.
    turn: int = 0
    needs: tuple[str, ...] = ()
    # How many of its steps run side by side.
    at_once: int = 1
    # Stages that set something up are not levels of their own: they run when a level asks for them, and count nothing.
    supporting: bool = False
    # Of these, only LANES_AT_ONCE run at once.
    lane: bool = False


@dataclass(frozen=True)
class Lane:
    """The integration tests of a domain, on a local cloud of its own (clouds.py): parts would meet on a shared one.

    `make test-long-NAME` runs those marked slow, the gate the others. The gate has no time for all of a later domain:
    it then names the paths of it, of 90 s at most, that run at every gate, by the lane that each runs beside, and the
    long lane runs everything.
    """

    name: str
    directories: tuple[str, ...]
    paths: Mapping[str, str] | None = None
    needs: str = "versions"
    # Of molecule, the scenarios of a later domain's roles: they run in its long lane, on its cloud.
    scenarios: tuple[str, ...] = ()


# A domain adds its row at the end: the place in this list makes the network and ports of its cloud. What may run on any
# cloud stands where the gate has time for it: the first three take about as long.
LANES = (
    Lane(
        "kubernetes",
        (
            # The first four need a cluster and no faults of Azure, and there is one.
            *("aks_cluster_info", "aks_kubeconfig", "aks_sku_preflight", "azure_resource_info"),
            *("drift_property", "k8s_diagnosis_info", "k8s_objects", "k8s_objects_info"),
            *("localcloud_kube", "localcloud_stdio", "readiness", "site_lock", "site_validate"),
        ),
    ),
    Lane(
        "azure",
        (
            *(
                "acr_image",
                "aks_cluster",
                "azure_preflight",
                "azure_provider",
                "azure_resource",
                "azure_role_assignment",
            ),
            *("site", "helm_release"),
        ),
    ),
    Lane("kmcp", ("engine", "kmcp_install", "mcp_probe", "mcp_server", "roles")),
    # Charts of others: clean, edited, repaired.
    Lane("charts", ("charts",), paths={}, needs="build"),
    # Ways of running: a project of one's own, clusters of others, a site's own releases and objects, jobs of AWX, an
    # execution environment.
    Lane(
        "running",
        ("running", "awx"),
        # a site's own objects and releases have a scenario of molecule in the gate
        paths={"kmcp": "awx/test_path.py"},
        needs="build",
    ),
    # Azure's own command line, unmodified, at the local Azure: `make test-foreign`.
    Lane("foreign", ("foreign",), paths={}, needs="build"),
    # MCP Mesh: its registry and agents, as they are published.
    Lane(
        "mesh",
        (
            *("mesh_registry_info", "mesh_registry", "mesh_agent", "mesh_policies", "mesh_diagnosis", "mesh_site"),
            *("mesh_scale", "mesh_drill", "two_clusters"),
        ),
        paths={"kmcp": "mesh_registry_info/test_path.py"},
        needs="mesh-images",
        scenarios=("mcp_mesh", "mcp_mesh_agents"),
    ),
    # A way in: Envoy Gateway, certificates, tokens, as they are published.
    Lane(
        "gateway",
        ("gateway_plane", "gateway", "gateway_address", "gateway_objects", "gateway_site", "gateway_trial"),
        paths={"kubernetes": "gateway_objects/test_path.py"},
        needs="gateway-images",
        scenarios=("gateway",),
    ),
    # Agents from images that keep a contract: one of the Microsoft Agent Framework, with tools of a real MCP server.
    Lane("agents", ("agents",), paths={}, needs="agents-images", scenarios=("agent_workload",)),
)
LANES_AT_ONCE = 3

# The ansible-cores of `make matrix` and the Pythons they run on, the one to prefer first: the oldest with the oldest,
# the newest with the others.
CORES = {"2.19": "3.11 3.12 3.13", "2.20": "3.13 3.12", "2.21": "3.13 3.12"}
# The next one, of which only candidates are out.
CANDIDATES = {"2.22": "3.13"}


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(CHECKOUT / ".venv" / "bin" / name), *arguments)


def module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


def patiently(*argv: str) -> tuple[str, ...]:
    """For what only computes: it takes what is left by the tests beside it, which now and then wait for a time."""
    return ("nice", "-n", "5", *argv)


def command(name: str, *argv: str) -> list[Step]:
    return [Step(name, argv)]


def lint() -> list[Step]:
    typed = [argument for package in TYPED_PACKAGES for argument in ("-p", package)]
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
    return [Step(part, patiently(*module("gate.sanity", THIS_PYTHON, part)), Counting.SANITY) for part in SANITY_PARTS]


def pytest_argv(program: tuple[str, ...], name: str, markers: str, workers: int, *paths: str) -> tuple[str, ...]:
    # A test that no longer imports or is deselected by a typo must not look like success.
    options = ("-q", "-m", markers, f"--junitxml={junit_report(name)}", "--strict-config", "--durations=15")
    return (*program, *options, *(("-n", str(workers), "--dist", "loadfile") if workers else ()), *paths)


def pytest_step(name: str, markers: str, *paths: str, workers: int = 0) -> Step:
    return Step(name, pytest_argv(tool("pytest"), name, markers, workers, *paths), Counting.JUNIT)


def fast(name: str) -> list[Step]:
    """A level without a cluster, less what is slow."""
    return [pytest_step(name, "not slow", f"tests/{name}", workers=2)]


def on_cloud(lane: Lane, step: Step) -> Step:
    return replace(step, argv=module("gate.clouds", "with", lane.name, *step.argv))


def whole(lane: Lane) -> list[str]:
    return [f"tests/integration/{directory}" for directory in lane.directories]


def integration() -> list[Step]:
    """In parts that run side by side: most of their time is waiting."""
    found = []
    for lane in LANES:
        if lane.paths is None:
            guests = [guest.paths[lane.name] for guest in LANES if guest.paths and lane.name in guest.paths]
            paths = [f"tests/integration/{path}" for path in guests]
            step = pytest_step(f"integration-{lane.name}", "not slow", *whole(lane), *paths)
            found.append(on_cloud(lane, step))
    return found


def long_lane(lane: Lane) -> list[Step]:
    markers = "slow" if lane.paths is None else "integration"
    steps = [pytest_step(f"long-{lane.name}", markers, *whole(lane)), *map(scenario, lane.scenarios)]
    return [on_cloud(lane, step) for step in steps]


def long_pure() -> list[Step]:
    return [
        pytest_step("long-pure", "slow", "tests/unit", "tests/contract", "tests/docs"),
        Step("ansible-lint of everything", patiently(*tool(*ANSIBLE_LINT))),
        Step("documentation as antsibull wants it, and as a site", patiently(*module("gate.docs_site"))),
    ]


def long_matrix() -> list[Step]:
    """Sanity and unit tests on every core; bootstrap.sh makes the environments."""
    found = []
    for core, pythons in CORES.items():
        environment = {"MCPOPS_CORE": core, "MCPOPS_PYTHONS": pythons, "MCPOPS_PYTHON": ""}
        python = (str(CHECKOUT / "tests/gate/bootstrap.sh"), "python", "-m")
        found.append(Step(f"core {core} sanity", (*python, "gate.sanity"), Counting.SANITY, environment))
        # what a run shows depends on the core's callbacks: with every one of them
        for name, markers, workers, paths in (
            ("unit", "not slow", 2, ("tests/unit", "tests/contract/ansible")),
            ("canaries", "slow", 0, ("tests/contract/ansible/test_canaries.py",)),
        ):
            argv = pytest_argv((*python, "pytest"), f"core {core} {name}", markers, workers, *paths)
            found.append(Step(f"core {core} {name}", argv, Counting.JUNIT, environment))
    return [*found, *(quickstart(core) for core in (next(iter(CORES)), list(CORES)[-1], *CANDIDATES))]


def quickstart(core: str) -> Step:
    """The quickstart from its first line, in an environment that it makes itself with this core."""
    name = f"core {core} quickstart"
    argv = pytest_argv(tool("pytest"), name, "slow", 0, "tests/docs/test_quickstart.py")
    return Step(name, argv, Counting.JUNIT, {"MCPOPS_QUICKSTART_CORE": core}, candidate=core in CANDIDATES)


def conformance() -> list[Step]:
    return [
        Step(name, module(program, f"--junit={junit_report(name)}"), Counting.JUNIT, shown=True)
        for name, program in (("client", "conformance"), ("examples", "conformance.examples"))
    ]


def molecule() -> list[Step]:
    """All scenarios but those of later domains, which have no time in the gate."""
    later = {name for lane in LANES for name in lane.scenarios}
    return [scenario(name) for name in scenarios() if name not in later]


def scenarios() -> list[str]:
    return sorted(path.parent.name for path in (CHECKOUT / "extensions" / "molecule").glob("*/molecule.yml"))


def scenario(name: str) -> Step:
    return Step(
        name,
        module("gate.scenario", name),
        # Where it keeps its state otherwise is named after the last part of the checkout's path: two clones would
        # meet, and what one has prepared counts as prepared for the other.
        environment={"MOLECULE_EPHEMERAL_DIRECTORY": str(LOGS.parent / "molecule" / name)},
    )


def junit_report(step_name: str) -> Path:
    return LOGS / f"{step_name.replace(' ', '-')}.junit.xml"


def _support(name: str, what: str, *argv: str, turn: int = 0, needs: tuple[str, ...] = ()) -> Stage:
    return Stage(name, what, partial(command, name, *argv), turn, needs, supporting=True)


LEAST = ("nice", "-n", "19")
STAGES: tuple[Stage, ...] = (
    _support("doctor", "what this machine lacks", *tool("localcloud", "doctor")),
    _support("build", "the local cloud's binaries", *LEAST, *tool("localcloud", "build"), needs=("doctor",)),
    _support(
        "images",
        "images that the registry does not hold from the start, and the gate uses",
        *(*LEAST, *tool("localcloud", "build", "--images", "mesh-registry")),
        needs=("build",),
    ),
    _support(
        "mesh-images",
        "images of the registry, the agents and the database of a mesh, and metrics-server",
        *tool("localcloud", "build", "--images", "mesh", "metrics"),
        turn=5,
        needs=("build",),
    ),
    _support(
        "gateway-images",
        "Envoy Gateway, Envoy and cert-manager",
        *tool("localcloud", "build", "--images", "gateway"),
        turn=5,
        needs=("build",),
    ),
    _support(
        "agents-images",
        "an agent of the Microsoft Agent Framework, and what stands for its model",
        *tool("localcloud", "build", "--images", "agents"),
        turn=5,
        needs=("build",),
    ),
    _support("npm", "what the tests run on Node", *module("gate.npm")),
    _support("mcp-servers", "the SDKs of MCP servers of both eras", *LEAST, *module("mcp_servers")),
    Stage("lint", "ruff, mypy, yamllint, ansible-lint", lint, 1, at_once=2),
    Stage("sanity", "ansible-test sanity on one core version", sanity, 1, at_once=2),
    Stage("unit", "pure parts and the repository itself", partial(fast, "unit"), 1),
    Stage("contract", "parts against what they talk to", partial(fast, "contract"), 2, ("mcp-servers",)),
    Stage("docs", "every example in the documentation, and the tarball", partial(fast, "docs"), 2),
    _support("cloud", "the local cloud, up", *tool("localcloud", "up"), turn=2, needs=("build",)),
    # By itself: some of its clients are timed.
    Stage("conformance", "the official MCP suite against client and servers", conformance, 3, ("npm", "mcp-servers")),
    # Both wait for clusters most of the time, each for its own.
    Stage("integration", "modules and playbooks on a real cluster", integration, 4, ("images",), at_once=3),
    Stage("molecule", "a scenario per role", molecule, 4, ("cloud",)),
    # Here and not in the tests that want them: no test may take as long as a build.
    _support(
        "versions",
        "every Kubernetes version of the local cloud, and Helm 4",
        *tool("localcloud", "build", "--all"),
        turn=5,
        needs=("build",),
    ),
    *(
        Stage(f"long-{lane.name}", "all that is slow", partial(long_lane, lane), 6, (lane.needs,), lane=True)
        for lane in LANES
    ),
    Stage("long-pure", "what is slow and needs no cluster, ansible-lint of everything", long_pure, 6, lane=True),
    Stage("long-matrix", "sanity and unit tests on every supported ansible-core", long_matrix, 6, lane=True),
    Stage("bench", "benchmarks", partial(command, "bench", *module("bench")), 7, ("cloud",)),
)
DOWN = _support("down", "the local cloud, down", *module("gate.clouds", "down"))

# What `make test` runs. The other levels are run by name.
GATE = ("lint", "sanity", "unit", "contract", "docs", "conformance", "integration", "molecule")
LONG = tuple(stage.name for stage in STAGES if stage.lane)


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


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """What every step sees: this checkout's tools first, its test packages importable, no colour codes in logs."""
    prepared = {**base, "NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1"}
    prepared["PATH"] = os.pathsep.join([str(CHECKOUT / ".venv" / "bin"), base.get("PATH", os.defpath)])
    prepared["PYTHONPATH"] = str(CHECKOUT / "tests")
    # A level starts hundreds of Pythons, which need not all compile this checkout
    prepared.pop("PYTHONDONTWRITEBYTECODE", None)
    # and hundreds of kubectl and helm, whose start is a third cheaper without collecting its garbage.
    prepared.setdefault("GOGC", "400")
    # With it and NO_COLOR set, several tools warn about the contradiction on every start.
    prepared.pop("FORCE_COLOR", None)
    return prepared
