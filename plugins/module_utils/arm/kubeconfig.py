# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kubeconfig of an AKS cluster in a private file of its own: 0600, replaced atomically."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.arm import names
from ansible_collections.mcpops.platform.plugins.module_utils.arm import service_errors as errors
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm
from ansible_collections.mcpops.platform.plugins.module_utils.arm.cluster_validate import removal_problems
from ansible_collections.mcpops.platform.plugins.module_utils.arm.kubeconfig_content import (
    Kubeconfig,
    differences,
    parse,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.options import resolve
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem, Refused, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig_file import (
    mark_pending,
    write_check_mode_copy,
)
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan, Refusal
from ansible_collections.mcpops.platform.plugins.module_utils.private_files import MODE, write_private
from ansible_collections.mcpops.platform.plugins.module_utils.task import Result, Task

_VERBS = {"user": "listClusterUserCredential", "admin": "listClusterAdminCredential"}


def converge(task: Task) -> Result:
    path = Path(os.path.abspath(os.path.expanduser(task.params["path"])))
    subject = f"kubeconfig {path}"
    problems = [*removal_problems(task.params), *path_problems(path, task.params["state"])]
    if problems:
        raise InvalidInput(subject, problems)
    if task.params["state"] == "absent":
        return _absent(task, path, subject)
    return _present(task, path, subject)


def _present(task: Task, path: Path, subject: str) -> Result:
    wanted = _requested(task)
    if wanted is None:
        cluster = f"AKS cluster {task.params['name']}"
        mark_pending(task, path, f"{cluster} does not exist yet")
        note = f"{subject} depends on {cluster}, which does not exist yet"
        whole = Change("", ABSENT, f"the {task.params['credential']} credential of {cluster}")
        plan = Plan(subject, (whole,), notes=(note,), is_new=True)
        return Result.of(plan, _values(path, None), f"{subject}: would be written")
    for credential in wanted.credentials():
        task.secret(credential)
    standing = _standing(task, path)
    plan = plan_file(path, standing, wanted)
    if plan.refused:
        raise Refused(subject, plan.refused)
    if plan.changes and task.check_mode:
        write_check_mode_copy(task, path, wanted.text)
    elif plan.changes:
        write_kubeconfig(path, wanted.text)
    written = f"{subject}: {'would be written' if task.check_mode else 'written'}"
    return Result.of(plan, _values(path, wanted), written if standing is None else "")


def _absent(task: Task, path: Path, subject: str) -> Result:
    standing = _standing(task, path)
    if standing is None:
        return Result.of(Plan(subject), _values(path, None))
    name = task.params["name"]
    others = [context for context in standing.contexts if context not in (name, f"{name}-admin")]
    if others or standing.document is None:
        what = f"contexts of other clusters ({', '.join(others)})" if others else "something other than a kubeconfig"
        remedy = "Delete it by hand, or give the path of this cluster's own file"
        raise Refused(subject, [Refusal.because(str(path), f"will not be deleted: it holds {what}", remedy)])
    if not task.check_mode:
        path.unlink()
    return Result.of(Plan(subject, (Change("contexts", standing.contexts, ABSENT),)), _values(path, None))


def plan_file(path: Path, standing: Kubeconfig | None, wanted: Kubeconfig) -> Plan:
    """What differs between the file and the service's answer, its permissions included."""
    subject = f"kubeconfig {path}"
    refused = []
    if standing is not None:
        others = [name for name in standing.contexts if name not in wanted.contexts]
        if others or (standing.document is None and standing.text.strip()):
            what = (
                f"contexts of other clusters ({', '.join(others)})" if others else "something other than a kubeconfig"
            )
            advice = "Give" if others else "Remove it if it is not needed, or give"
            remedy = f"{advice} this cluster a file of its own"
            refused.append(Refusal.because(str(path), f"will not be overwritten: it holds {what}", remedy))
    changes = differences(standing, wanted)
    if standing is not None and stat.S_IMODE(path.stat().st_mode) & 0o077:
        changes.append(Change("mode", f"{stat.S_IMODE(path.stat().st_mode):04o}", f"{MODE:04o}"))
    return Plan(subject, tuple(changes), tuple(refused), is_new=standing is None)


def _requested(task: Task) -> Kubeconfig | None:
    """The service's kubeconfig; None in check mode when there is no cluster to ask for one yet."""
    params = task.params
    arm = Arm.connect(task)
    cluster = names.cluster_id(resolve(params).subscription_id, params["resource_group"], params["name"])
    action = f"Getting the {params['credential']} credential of AKS cluster {params['name']}"
    url = arm.url(f"{cluster}/{_VERBS[params['credential']]}", names.api_version_of(names.MANAGED_CLUSTERS))
    response = arm.call("POST", url, action)
    if task.check_mode and (errors.is_absent(response) or errors.is_unregistered(response)):
        return None
    if response.status != 200:
        failure = errors.to_failure(action, response)
        if errors.is_absent(response) and not failure.hint:
            failure.hint = "Create the cluster first (mcpops.platform.aks_cluster), or check its name and group."
        raise failure
    try:
        text = base64.b64decode(response.json_or_none()["kubeconfigs"][0]["value"]).decode("utf-8")
    except (KeyError, IndexError, TypeError, binascii.Error, UnicodeDecodeError) as exc:
        raise ServiceError(action, "the answer holds no kubeconfig", code="NoKubeconfig", status=200) from exc
    # AKS ends some kubeconfigs without a newline
    return parse(text if text.endswith("\n") else f"{text}\n")


def _standing(task: Task, path: Path) -> Kubeconfig | None:
    if not path.exists():
        return None
    standing = parse(path.read_text(encoding="utf-8", errors="replace"))
    for credential in standing.credentials():
        task.secret(credential)
    return standing


def path_problems(path: Path, state: str) -> list[Problem]:
    """Whether this user can have a file there, told before a credential is asked for."""
    # os.path: what lies in a directory that may not be entered does not exist, where pathlib would raise
    there = os.path.exists(path)
    if os.path.isdir(path):
        return [Problem("path", f"{path} is a directory: name a file in it")]
    parent = path.parent
    while not os.path.exists(parent) and parent != parent.parent:
        parent = parent.parent
    if not os.path.isdir(parent):
        return [Problem("path", f"{parent} is not a directory, so {path} cannot be made")]
    user = f"user {os.geteuid()}"
    if not os.access(parent, os.X_OK) or (not os.access(parent, os.W_OK) and (there or state == "present")):
        return [Problem("path", f"{user} may not write in {parent}: name a path in a directory of its own")]
    if there and not os.access(path, os.R_OK):
        return [Problem("path", f"{user} may not read {path}: name another path, or correct its owner")]
    return []


def write_kubeconfig(path: Path, text: str) -> None:
    try:
        write_private(path, text, durable=True)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise ServiceError(f"Writing kubeconfig {path}", reason, hint="Check the disk and the directory.") from exc


def _values(path: Path, kubeconfig: Kubeconfig | None) -> dict[str, Any]:
    return {
        "path": str(path),
        "context": kubeconfig.current_context if kubeconfig is not None else None,
        "server": kubeconfig.server if kubeconfig is not None else None,
    }
