# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials from an exec plugin (kubelogin and its kind), run at most once per identity and run."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.json_text import json_text
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import Access
from ansible_collections.mcpops.platform.plugins.module_utils.run_cache import RunCache
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task, run_within

WITHOUT_EXPIRY_SECONDS = 600.0
EXPIRY_MARGIN_SECONDS = 60.0
# some wait for a person at a browser
LOGIN_SECONDS = 300


def credential(task: Task, access: Access) -> Mapping[str, Any]:
    """The `status` of the plugin's ExecCredential, from the run's cache while it is valid."""
    status: Mapping[str, Any] = RunCache(task.run_directory).get_or_make(_key(access), lambda: _ask(task, access))
    for name in ("token", "clientKeyData"):
        task.secret(str(status.get(name) or ""))
    return status


def forget(task: Task, access: Access) -> None:
    """The API server refused the cached credential: ask the plugin again."""
    RunCache(task.run_directory).forget(_key(access))


def _key(access: Access) -> tuple[str, ...]:
    identity = json.dumps([access.server, access.exec_spec], sort_keys=True, default=str)
    return ("kubernetes-exec", hashlib.sha256(identity.encode()).hexdigest())


def _ask(task: Task, access: Access) -> tuple[Mapping[str, Any], float]:
    spec = access.exec_spec or {}
    command = str(spec.get("command", ""))
    if os.sep in command and access.exec_directory is not None:
        command = str(access.exec_directory / command)
    action = f"credential plugin {os.path.basename(command)} of {access.origin}"
    environment = {str(item["name"]): str(item["value"]) for item in spec.get("env") or []}
    environment["KUBERNETES_EXEC_INFO"] = json_text(_exec_info(access))
    try:
        output = run_within(task, LOGIN_SECONDS, [command, *map(str, spec.get("args") or [])], env=environment)
    except TimeoutError as exc:
        hint = "It may wait for somebody to log in: run it by hand once, or have it use a login of its own."
        raise ServiceError(action, str(exc), code="Timeout", hint=hint) from exc
    except OSError as exc:
        hint = str(spec.get("installHint") or f"Install {os.path.basename(command)} and put it into PATH.")
        raise ServiceError(action, f"cannot be started: {exc.strerror}", hint=hint) from exc
    if output.returncode != 0:
        reason = (output.stderr.strip().splitlines() or ["it wrote nothing"])[-1]
        raise ServiceError(
            action,
            reason,
            code=f"exit {output.returncode}",
            hint="Run the command by hand with the same environment; a login may have expired.",
        )
    try:
        status: Mapping[str, Any] = json.loads(output.stdout)["status"]
    except (ValueError, KeyError, TypeError) as exc:
        raise ServiceError(
            action, "its output is not an ExecCredential with a status", hint="Update the plugin."
        ) from exc
    if not status.get("token") and not (status.get("clientCertificateData") and status.get("clientKeyData")):
        raise ServiceError(action, "it returned neither a token nor a client certificate with its key")
    return status, _good_for(status)


def _exec_info(access: Access) -> dict[str, Any]:
    spec = access.exec_spec or {}
    info: dict[str, Any] = {
        "apiVersion": spec.get("apiVersion", "client.authentication.k8s.io/v1"),
        "kind": "ExecCredential",
        "spec": {"interactive": False},
    }
    if spec.get("provideClusterInfo"):
        info["spec"]["cluster"] = {key: value for key, value in access.exec_cluster.items() if key != "extensions"}
        for extension in access.exec_cluster.get("extensions") or []:
            if extension.get("name") == "client.authentication.k8s.io/exec":
                info["spec"]["cluster"]["config"] = extension.get("extension")
    return info


def _good_for(status: Mapping[str, Any]) -> float:
    expires = status.get("expirationTimestamp")
    if not expires:
        return WITHOUT_EXPIRY_SECONDS
    moment = datetime.datetime.fromisoformat(str(expires).replace("Z", "+00:00"))
    return max(0.0, moment.timestamp() - datetime.datetime.now().timestamp() - EXPIRY_MARGIN_SECONDS)
