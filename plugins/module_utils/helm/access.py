# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a helm process may read: a private directory with a kubeconfig and, where needed, credentials for the chart.

A command line is visible to every user of the machine and the environment to every child: credentials go into files
of mode 0600 in a directory of mode 0700 that lives as long as the task.
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import Registry
from ansible_collections.mcpops.platform.plugins.module_utils.kube.json_text import json_text
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import Access
from ansible_collections.mcpops.platform.plugins.module_utils.private_files import write_private

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
        "token": access.token,
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
        "clusters": [{"name": "target", "cluster": _said(cluster)}],
        "users": [{"name": "target", "user": _said(user)}],
    }


def registry_config_of(registry: Registry, host: str) -> dict[str, Any]:
    """The format of docker's config.json, which helm's registry client reads."""
    pair = f"{registry.username}:{registry.password}"
    return {"auths": {host: {"auth": base64.b64encode(pair.encode()).decode()}}}


def repositories_of(registry: Registry, address: str) -> dict[str, Any]:
    """Helm's list of repositories with this one. Its login goes to its own address, also where its index leads away."""
    login = {"username": registry.username, "password": registry.password}
    entry = {"name": REPOSITORY, "url": address, **(login if all(login.values()) else {}), "caFile": registry.ca_file}
    return {"apiVersion": "", "repositories": [_said(entry)]}


def _exec(access: Access) -> dict[str, Any] | None:
    """The credential plugin; a relative command is relative to the kubeconfig it came from."""
    if not access.exec_spec:
        return None
    command = str(access.exec_spec.get("command", ""))
    if os.sep in command and access.exec_directory is not None:
        command = str(access.exec_directory / command)
    return {**access.exec_spec, "command": command, "interactiveMode": "Never"}


def _encoded(text: str | None) -> str | None:
    return base64.b64encode(text.encode()).decode() if text else None


def _said(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}
