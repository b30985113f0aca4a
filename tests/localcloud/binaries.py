# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of a cluster, built from Go modules and kept under a name that says what went into them."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from localcloud.command import run
from localcloud.files import Progress, fresh_directory, key_of, sha256_of, write_atomically
from localcloud.settings import Settings, SettingsError

GO_SOURCES = Path(__file__).parent / "go"
KMCP_MODULE = "github.com/kagent-dev/kmcp"
PROVISIONER_MODULE = "github.com/rancher/local-path-provisioner"
# The names the multi-call binary answers to.
KUBE_NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")


@dataclass(frozen=True)
class GoProgram:
    name: str  # of the file that comes out
    directory: str  # below go/
    package: str
    module: str  # whose presence in a module cache tells that the cache is warm
    expected: str  # how long a cold build takes on two cores, for the progress line
    mod: str = "go.mod"  # what says which versions; its .sum lies beside it
    link: tuple[str, ...] = ()  # variables that the linker sets: PACKAGE.NAME=VALUE
    charts: str = ""  # the directory of the module that holds its Helm charts

    @property
    def version(self) -> str:
        """Of its module, with the v."""
        return module_version(self.requirements, self.module)

    @property
    def requirements(self) -> str:
        return (GO_SOURCES / self.directory / self.mod).read_text()


PROGRAMS = (
    GoProgram("pause", "pause", ".", "", "1 s"),
    GoProgram("kube", "kube", "./multi", "k8s.io/kubernetes", "4 minutes"),
    GoProgram("coredns", "coredns", ".", "github.com/coredns/coredns", "1 minute"),
    GoProgram("kmcp-manager", "kmcp", f"{KMCP_MODULE}/cmd", KMCP_MODULE, "2 minutes", charts="helm"),
    # Both share their Kubernetes client's version with kube, so that it is compiled once.
    GoProgram("network-policies", "netpol", ".", "sigs.k8s.io/kube-network-policies", "half a minute"),
    GoProgram("local-path-provisioner", "volumes", PROVISIONER_MODULE, PROVISIONER_MODULE, "half a minute"),
    GoProgram("stdio-adapter", "stdio", ".", "gopkg.in/yaml.v3", "15 s"),
)


KUBE = next(program for program in PROGRAMS if program.name == "kube")
KMCP = next(program for program in PROGRAMS if program.module == KMCP_MODULE)
# Built only when a cluster of that version is asked for.
OLDER_KUBES = (replace(KUBE, mod="1.34.mod"),)


@dataclass(frozen=True)
class Binaries:
    pause: Path
    kube: Path
    coredns: Path
    kmcp_manager: Path
    network_policies: Path
    local_path_provisioner: Path
    stdio_adapter: Path


def module_version(go_mod: str, module: str) -> str:
    """The version a go.mod requires of a module."""
    found = re.search(rf"^(?:require)?\s+{re.escape(module)} (v\S+)", go_mod, re.MULTILINE)
    if not found:
        raise SettingsError(f"go.mod does not require {module}; the local cloud's sources are incomplete.")
    return found[1]


def kubernetes_version(program: GoProgram = KUBE) -> str:
    """The version a kube binary is built from, without the v."""
    return module_version(program.requirements, "k8s.io/kubernetes")[1:]


def kubernetes_versions() -> dict[str, GoProgram]:
    """Every version that can be built, newest last."""
    return {kubernetes_version(program): program for program in (*OLDER_KUBES, KUBE)}


def kmcp_version() -> str:
    return KMCP.version[1:]


def link_flags(program: GoProgram) -> str:
    if program.name != "kube":
        return " ".join(["-s", "-w", "-buildid=", *(f"-X {variable}" for variable in program.link)])
    version = kubernetes_version(program)
    major, minor, _ = version.split(".", 2)
    # Without these the API server calls itself v0.0.0-master and clients refuse it.
    values = {
        "gitVersion": f"v{version}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "0" * 40,
        "buildDate": "2026-01-01T00:00:00Z",
    }
    flags = ["-s", "-w"]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        flags += [f"-X {package}.{name}={value}" for name, value in values.items()]
    return " ".join(flags)


def machine() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def build_key(program: GoProgram, go_version: str) -> str:
    directory = GO_SOURCES / program.directory
    own = (directory / program.mod, (directory / program.mod).with_suffix(".sum"))
    sources = sorted(path for path in directory.rglob("*") if path.suffix == ".go" or path in own)
    parts: list[str | bytes] = [go_version, machine(), program.package, link_flags(program)]
    for path in sources:
        parts += [path.relative_to(directory).as_posix(), path.read_bytes()]
    return key_of(*parts)


def _escaped(module: str) -> str:
    """How a module cache spells a path: capitals become an exclamation mark and the small letter."""
    return re.sub(r"[A-Z]", lambda letter: "!" + letter[0].lower(), module)


def _cache_is_warm(module_cache: Path, program: GoProgram) -> bool:
    if not program.module:
        return True
    return (module_cache / f"{_escaped(program.module)}@{program.version}").is_dir()


class GoToolchain:
    """`go` with this build's settings, and the caches it may fill."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    @property
    def version(self) -> str:
        return run(["go", "env", "GOVERSION"], why="ask Go for its version", env=self.environment).strip()

    def module_directory(self, program: GoProgram) -> Path:
        """Where the module's files are, downloaded when they are not there yet."""
        directory = GO_SOURCES / program.directory
        answer = run(
            ["go", "mod", "download", "-json", f"{program.module}@{program.version}"],
            why=f"download {program.module}",
            cwd=directory,
            env=self.environment,
        )
        return Path(json.loads(answer)["Dir"])

    def build(self, program: GoProgram, output: Path) -> None:
        # What the linker strips need not be made: a fifth of the compiler's work, and the same binary.
        argv = ["go", "build", "-trimpath", "-gcflags=all=-dwarf=false", "-ldflags", link_flags(program)]
        if program.mod != "go.mod":
            argv.append(f"-modfile={program.mod}")
        run(
            [*argv, "-o", output, program.package],
            why=f"build {program.name}",
            cwd=GO_SOURCES / program.directory,
            env=self.environment,
            remedy="It needs the Go module proxy; `go env GOPROXY` names the one in use.",
        )


@contextmanager
def go_toolchain(settings: Settings, programs: tuple[GoProgram, ...]) -> Iterator[GoToolchain]:
    """The user's own Go caches when they hold what is needed anyway, else private ones that go afterwards (4 GB)."""
    environment = {
        # A compiler is over before its garbage matters: without collecting it below a gigabyte, building takes a fifth
        # less time.
        "GOGC": "off",
        "GOMEMLIMIT": "1GiB",
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    default = Path(run(["go", "env", "GOMODCACHE"], why="find Go's module cache", env=environment).strip())
    if os.environ.get("LOCALCLOUD_GO_CACHES") == "keep" or all(_cache_is_warm(default, p) for p in programs):
        yield GoToolchain(environment)
        return
    private = settings.cache / "go-caches"
    environment |= {
        "GOMODCACHE": str(private / "modules"),
        "GOCACHE": str(private / "build"),
        # Module caches are read-only by default, which keeps their owner from removing them.
        "GOFLAGS": environment["GOFLAGS"] + " -modcacherw",
    }
    try:
        yield GoToolchain(environment)
    finally:
        shutil.rmtree(private, ignore_errors=True)


def _cached(directory: Path, name: str) -> Path | None:
    """The binary, when it is still the one whose checksum was written beside it."""
    binary, checksum = directory / name, directory / f"{name}.sha256"
    if binary.is_file() and checksum.is_file() and checksum.read_text().split()[0] == sha256_of(binary):
        return binary
    return None


def _provided(directory: Path) -> Binaries:
    """LOCALCLOUD_BINARIES: taken as they are, checked against SHA256SUMS when that lies beside them."""
    sums_file = directory / "SHA256SUMS"
    lines = sums_file.read_text().splitlines() if sums_file.exists() else []
    sums = {name: checksum for checksum, name in (line.split() for line in lines)}
    for program in PROGRAMS:
        path = directory / program.name
        if not os.access(path, os.X_OK):
            needed = ", ".join(p.name for p in PROGRAMS)
            raise SettingsError(f"LOCALCLOUD_BINARIES={directory} has no executable {program.name}; it needs {needed}.")
        if program.name in sums and sums[program.name] != sha256_of(path):
            raise SettingsError(f"{path} does not have the checksum {sums_file} names. Build or copy it again.")
    return Binaries(*(directory / program.name for program in PROGRAMS))


def ensure_binaries(settings: Settings, progress: Progress) -> Binaries:
    """Every program of a cluster, built when it is not in the cache. The caller holds the build lock."""
    if settings.binaries:
        return _provided(settings.binaries)
    return Binaries(*built(settings, PROGRAMS, progress))


def ensure_program(settings: Settings, name: str, progress: Progress) -> Path:
    """One program of a cluster, as `ensure_binaries` has it."""
    if settings.binaries:
        return settings.binaries / name
    (binary,) = built(settings, tuple(one for one in PROGRAMS if one.name == name), progress)
    return binary


def ensure_kubernetes(settings: Settings, version: str, progress: Progress) -> Path:
    """The kube binary of a version, built when it is not in the cache. The caller holds the build lock."""
    (binary,) = built(settings, (kubernetes_versions()[version],), progress)
    return binary


def built(settings: Settings, programs: tuple[GoProgram, ...], progress: Progress) -> list[Path]:
    """These programs, built where they are not in the cache. The caller holds the build lock."""
    go_version = run(["go", "env", "GOVERSION"], why="ask Go for its version").strip()
    targets = {p: settings.cache / "bin" / f"{p.name}-{build_key(p, go_version)}" for p in programs}
    missing = tuple(p for p, directory in targets.items() if not _cached(directory, p.name))
    if missing:
        with go_toolchain(settings, missing) as go:
            for number, program in enumerate(missing, 1):
                progress(f"building {program.name} ({number} of {len(missing)}; {program.expected} with empty caches)")
                started = time.monotonic()
                with fresh_directory(targets[program]) as directory:
                    go.build(program, directory / program.name)
                    checksum = f"{sha256_of(directory / program.name)}  {program.name}\n"
                    write_atomically(directory / f"{program.name}.sha256", checksum, 0o644)
                if program.charts:
                    # They are in the same module: taken now, because its cache may go.
                    keep_chart_sources(settings, program, go.module_directory(program))
                progress(f"built {program.name} in {time.monotonic() - started:.0f} s")
    return [directory / program.name for program, directory in targets.items()]


def chart_sources(settings: Settings, program: GoProgram) -> Path:
    return settings.cache / "charts" / f"{program.directory}-{program.version[1:]}-sources"


def keep_chart_sources(settings: Settings, program: GoProgram, module: Path) -> None:
    with fresh_directory(chart_sources(settings, program)) as directory:
        # copyfile: the module cache's read-only modes must not come along
        shutil.copytree(module / program.charts, directory, dirs_exist_ok=True, copy_function=shutil.copyfile)
        for path in directory.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)


def ensure_chart_sources(settings: Settings, program: GoProgram) -> Path:
    sources = chart_sources(settings, program)
    if not sources.is_dir():
        with go_toolchain(settings, (program,)) as go:
            keep_chart_sources(settings, program, go.module_directory(program))
    return sources
