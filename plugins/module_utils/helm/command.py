# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of helm 3 and 4, and the private files that a helm process may read."""

from __future__ import annotations

import base64
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..kube.kubeconfig import Access
from ..kube.syntax import json_text
from ..run_cache import write_private
from .chart import Chart
from .spec import CREATE_CRDS, Registry, ReleaseSpec

REPOSITORY = "mcpops"
"""What the chart's HTTP repository is called in helm's private list of repositories."""


@dataclass(frozen=True)
class HelmFiles:
    """The files one task's helm processes are pointed at."""

    kubeconfig: Path
    registry_config: Path | None
    environment: Mapping[str, str]

    @property
    def directory(self) -> Path:
        """The private directory, for what else a task has to lay before helm."""
        return self.kubeconfig.parent

    @property
    def repository_cache(self) -> Path:
        return self.directory / "repository"


@contextmanager
def helm_files(access: Access, registry: Registry | None = None, chart: Chart | None = None) -> Iterator[HelmFiles]:
    """Writes the files and takes them away again; `registry` is where the chart comes from, and how it is reached."""
    with tempfile.TemporaryDirectory(prefix="mcpops-helm-") as name:
        directory = Path(name)
        kubeconfig = write_private(directory / "kubeconfig", json_text(kubeconfig_of(access)))
        registry_config = None
        if registry and registry.username and registry.password and chart and chart.registry:
            registry_config = write_private(
                directory / "registry.json", json_text(registry_config_of(registry, chart.registry))
            )
        environment = {"NO_PROXY": access.no_proxy, "no_proxy": access.no_proxy} if access.no_proxy else {}
        files = HelmFiles(kubeconfig, registry_config, environment)
        if registry and chart and chart.repository:
            repositories = json_text(repositories_of(registry, chart.repository))
            environment["HELM_REPOSITORY_CONFIG"] = str(write_private(directory / "repositories.yaml", repositories))
            environment["HELM_REPOSITORY_CACHE"] = str(files.repository_cache)
            # the user's own has what others downloaded, under the digest that it should have had
            environment["HELM_CONTENT_CACHE"] = str(files.repository_cache)
        yield files


def kubeconfig_of(access: Access) -> dict[str, Any]:
    """A kubeconfig (JSON is YAML) with one cluster, for one way of reaching it."""
    cluster = {
        "server": access.server,
        "insecure-skip-tls-verify": None if access.verify else True,
        # helm refuses a CA together with no verification
        "certificate-authority-data": _encoded(access.ca_pem) if access.verify else None,
        "tls-server-name": access.tls_server_name,
        "proxy-url": access.proxy,
    }
    user = {
        # helm reads the file again: the token may be renewed while it waits
        "tokenFile": str(access.token_file) if access.token_file else None,
        "token": None if access.token_file else access.token,
        "username": access.username,
        "password": access.password,
        "client-certificate-data": _encoded(access.client_cert_pem),
        "client-key-data": _encoded(access.client_key_pem),
        "exec": _exec(access),
        "as": access.impersonate_user,
        "as-groups": list(access.impersonate_groups) or None,
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "target",
        "contexts": [{"name": "target", "context": {"cluster": "target", "user": "target"}}],
        "clusters": [{"name": "target", "cluster": _without_empty(cluster)}],
        "users": [{"name": "target", "user": _without_empty(user)}],
    }


def registry_config_of(registry: Registry, host: str) -> dict[str, Any]:
    """The format of docker's config.json, which helm's registry client reads."""
    pair = f"{registry.username}:{registry.password}"
    return {"auths": {host: {"auth": base64.b64encode(pair.encode()).decode()}}}


def repositories_of(registry: Registry, address: str) -> dict[str, Any]:
    """Helm's list of repositories with this one. Its login goes to its own address, also where its index leads away."""
    login = {"username": registry.username, "password": registry.password}
    entry = {"name": REPOSITORY, "url": address, **(login if all(login.values()) else {}), "caFile": registry.ca_file}
    return {"apiVersion": "", "repositories": [_without_empty(entry)]}


def _exec(access: Access) -> dict[str, Any] | None:
    """The credential plugin."""
    if not access.exec_spec:
        return None
    return {**access.exec_spec, "command": access.exec_command, "interactiveMode": "Never"}


def _encoded(text: str | None) -> str | None:
    return base64.b64encode(text.encode()).decode() if text else None


def _without_empty(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}


OLDEST_SUPPORTED = (3, 8)  # OCI references without an experiment switch


@dataclass(frozen=True)
class Flags:
    """Flags that not every supported helm has."""

    flags: tuple[str, ...]
    since: tuple[int, int]


FLAGS = {
    # a release's objects belong to it whole, so a field somebody else applied meanwhile is taken back; helm 3 updates
    # on the client's side and knows no conflicts
    "take fields back": Flags(("--server-side=true", "--force-conflicts"), (4, 0)),
    # without them a changed subchart is not seen
    "labels": Flags(("--labels",), (3, 13)),
    # for objects that exist without a release's marks or with another's
    "take_ownership": Flags(("--take-ownership",), (3, 17)),
}


def version_arguments(binary: str) -> list[str]:
    return [binary, "version", "--template", "{{.Version}}"]


def parse_version(text: str) -> tuple[int, int] | None:
    """Major and minor of `v3.17.3` or `v4.0.1+gabc`."""
    match = re.match(r"v?(\d+)\.(\d+)", text.strip())
    return (int(match.group(1)), int(match.group(2))) if match else None


def upgrade_arguments(binary: str, version: tuple[int, int], spec: ReleaseSpec, files: HelmFiles) -> list[str]:
    """Install or upgrade to exactly this chart and these values, which come through standard input.

    Helm's own `--wait` and `--atomic` are not used: they end in "context deadline exceeded" and say nothing about the
    reason.
    """
    arguments = [binary, "upgrade", spec.name, *chart_arguments(spec), "--install", "--reset-values", "--values", "-"]
    arguments += ["--history-max", str(spec.history_max)]
    if spec.create_namespace:
        arguments.append("--create-namespace")
    if spec.crds != CREATE_CRDS:
        arguments.append("--skip-crds")
    if spec.take_ownership:
        arguments += _flags("take_ownership", version)
    arguments += _flags("take fields back", version)
    if spec.labels and version >= FLAGS["labels"].since:
        arguments += ["--labels", ",".join(f"{name}={value}" for name, value in spec.labels.items())]
    return arguments + _common(spec.namespace, files, spec.wait_timeout)


def rollback_arguments(
    binary: str, version: tuple[int, int], spec: ReleaseSpec, revision: int, files: HelmFiles
) -> list[str]:
    arguments = [binary, "rollback", spec.name, str(revision), "--history-max", str(spec.history_max)]
    arguments += ["--cleanup-on-fail", *_flags("take fields back", version)]
    return arguments + _common(spec.namespace, files, spec.wait_timeout)


def uninstall_arguments(binary: str, name: str, namespace: str, timeout: int, files: HelmFiles) -> list[str]:
    return [binary, "uninstall", name, "--wait", *_common(namespace, files, timeout)]


def show_arguments(binary: str, what: str, spec: ReleaseSpec, files: HelmFiles) -> list[str]:
    """`what` is chart (its Chart.yaml) or crds (its crds/ directory and those of its subcharts)."""
    return [binary, "show", what, *chart_arguments(spec), *_registry_config(files)]


def template_arguments(binary: str, spec: ReleaseSpec, files: HelmFiles) -> list[str]:
    """The chart's objects; asks the registry and no cluster."""
    arguments = [binary, "template", spec.name, *chart_arguments(spec), "--namespace", spec.namespace]
    return [*arguments, "--values", "-", *_registry_config(files)]


def index_arguments(binary: str) -> list[str]:
    """Fetches the index of the repository in the private list of repositories."""
    return [binary, "repo", "update", REPOSITORY]


def pull_arguments(binary: str, spec: ReleaseSpec, version: str, directory: Path, files: HelmFiles) -> list[str]:
    """Of an HTTP repository the version as its index has it."""
    chart = spec.chart
    named = chart_arguments(spec) if chart.registry else [f"{REPOSITORY}/{chart.name}", "--version", version]
    return [binary, "pull", *named, "--destination", str(directory), *_registry_config(files)]


def chart_arguments(spec: ReleaseSpec) -> list[str]:
    """Which chart, and how its registry is reached."""
    if not spec.chart.registry:
        return [spec.chart.location]
    arguments = [spec.chart.location, "--version", spec.chart.tag or spec.chart.shown_version]
    if spec.registry.plain_http:
        arguments.append("--plain-http")
    if spec.registry.ca_file:
        arguments += ["--ca-file", spec.registry.ca_file]
    return arguments


def with_other_tag(arguments: Sequence[str]) -> list[str]:
    """The same command, about the tag with a leading v in place of the one without, or the reverse."""
    place = list(arguments).index("--version") + 1
    tag = arguments[place]
    other = tag.removeprefix("v") if tag.startswith("v") else f"v{tag}"
    return [*arguments[:place], other, *arguments[place + 1 :]]


def helm_candidates(option: str | None, search_path: str, interpreter: str) -> list[str]:
    """Where helm is looked for, in order: the option, PATH, beside the interpreter (where pip put it)."""
    if option:
        return [option]
    directories = [part for part in search_path.split(":") if part]
    return [str(Path(directory) / "helm") for directory in [*directories, str(Path(interpreter).parent)]]


def _flags(name: str, version: tuple[int, int]) -> tuple[str, ...]:
    return FLAGS[name].flags if version >= FLAGS[name].since else ()


def _common(namespace: str, files: HelmFiles, timeout: int) -> list[str]:
    arguments = ["--namespace", namespace, "--kubeconfig", str(files.kubeconfig), "--timeout", f"{timeout}s"]
    return arguments + _registry_config(files)


def _registry_config(files: HelmFiles) -> list[str]:
    return ["--registry-config", str(files.registry_config)] if files.registry_config is not None else []
