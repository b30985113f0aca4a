# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The helm command lines: which arguments for what, in helm 3 and helm 4. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.mcpops.platform.plugins.module_utils.helm.access import HelmFiles
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import ReleaseSpec

OLDEST_SUPPORTED = (3, 8)  # OCI references without an experiment switch


def version_arguments(binary: str) -> list[str]:
    return [binary, "version", "--template", "{{.Version}}"]


def parse_version(text: str) -> tuple[int, int] | None:
    """Major and minor of `v3.17.3` or `v4.0.1+gabc`."""
    match = re.match(r"v?(\d+)\.(\d+)", text.strip())
    return (int(match.group(1)), int(match.group(2))) if match else None


def upgrade_arguments(binary: str, version: tuple[int, int], spec: ReleaseSpec, files: HelmFiles) -> list[str]:
    """Install or upgrade to exactly this chart and these values, which come through standard input.

    Helm's own `--wait` is not used: it ends in "context deadline exceeded" and says nothing about the reason.
    """
    arguments = [binary, "upgrade", spec.name, spec.chart.location, "--install", "--reset-values", "--values", "-"]
    if spec.chart.registry:
        arguments += ["--version", spec.chart.version, *_registry_arguments(spec)]
    if spec.create_namespace:
        arguments.append("--create-namespace")
    if version[0] >= 4:
        # a release's objects belong to it whole, so a field somebody else applied meanwhile is taken back
        arguments += ["--server-side=true", "--force-conflicts"]
    return arguments + _common(spec.namespace, files, spec.wait_timeout)


def rollback_arguments(binary: str, spec: ReleaseSpec, revision: int, files: HelmFiles) -> list[str]:
    return [binary, "rollback", spec.name, str(revision), *_common(spec.namespace, files, spec.wait_timeout)]


def uninstall_arguments(binary: str, name: str, namespace: str, timeout: int, files: HelmFiles) -> list[str]:
    return [binary, "uninstall", name, "--wait", *_common(namespace, files, timeout)]


def candidates(option: str | None, search_path: str, interpreter: str) -> list[str]:
    """Where helm is looked for, in order: the option, PATH, beside the interpreter (where pip put it)."""
    if option:
        return [option]
    directories = [part for part in search_path.split(":") if part]
    return [str(Path(directory) / "helm") for directory in [*directories, str(Path(interpreter).parent)]]


def _registry_arguments(spec: ReleaseSpec) -> Sequence[str]:
    arguments = []
    if spec.registry.plain_http:
        arguments.append("--plain-http")
    if spec.registry.ca_file:
        arguments += ["--ca-file", spec.registry.ca_file]
    return arguments


def _common(namespace: str, files: HelmFiles, timeout: int) -> list[str]:
    arguments = ["--namespace", namespace, "--kubeconfig", str(files.kubeconfig), "--timeout", f"{timeout}s"]
    if files.registry_config is not None:
        arguments += ["--registry-config", str(files.registry_config)]
    return arguments
