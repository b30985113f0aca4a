# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of aks_kubeconfig.

The kubeconfig of an AKS cluster in a private file of its own, replaced atomically.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Check, InvalidInput, MissingLibrary, Problem, Refused, ServiceError, check
from ..names import NO_KUBECONFIG
from ..plan import ABSENT, Change, Plan, Refusal, leaves
from ..run_cache import MODE, mark_pending, write_check_mode_copy, write_private
from ..task import Result, Task
from . import errors, names
from .aks.validate import removal_problems
from .client import Arm
from .options import resolve_identity

YAML_ERROR = ""
try:
    import yaml
except ImportError as _exc:
    yaml = None  # type: ignore[assignment]
    YAML_ERROR = str(_exc)

# below users[].user; everything there proves an identity, these are text worth hiding wherever they turn up
_CREDENTIALS = ("token", "client-key-data", "client-certificate-data", "password")
_LONG = 64


@dataclass(frozen=True)
class Kubeconfig:
    """`document` is None for text that is no kubeconfig."""

    text: str
    document: dict[str, Any] | None

    @property
    def contexts(self) -> list[str]:
        return [str(item["name"]) for item in _named(self.document, "contexts") if item.get("name")]

    @property
    def current_context(self) -> str:
        return str((self.document or {}).get("current-context") or "")

    @property
    def server(self) -> str:
        for item in _named(self.document, "clusters"):
            return str((item.get("cluster") or {}).get("server") or "")
        return ""

    def credentials(self) -> list[str]:
        users = [item.get("user") or {} for item in _named(self.document, "users")]
        return [str(user[key]) for user in users for key in _CREDENTIALS if user.get(key)]


def parse_kubeconfig(text: str) -> Kubeconfig:
    if yaml is None:
        raise MissingLibrary("PyYAML", YAML_ERROR)
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        document = None
    return Kubeconfig(text, document if isinstance(document, dict) else None)


def kubeconfig_changes(current: Kubeconfig | None, wanted: Kubeconfig) -> list[Change]:
    """Leaf by leaf; credentials are compared and not shown, long certificates are shown by their digest."""
    before = _flat(current.document) if current is not None else {}
    after = _flat(wanted.document)
    return [
        Change(
            path,
            _shown(before[path]) if path in before else ABSENT,
            _shown(after[path]) if path in after else ABSENT,
            secret=path.startswith("users"),
        )
        for path in sorted({*before, *after})
        if before.get(path, ABSENT) != after.get(path, ABSENT)
    ]


def _flat(document: Mapping[str, Any] | None) -> dict[str, Any]:
    """Leaves by path, the items of the three lists by their names: their order means nothing."""
    flat: dict[str, Any] = {}
    for key, value in (document or {}).items():
        if key in ("clusters", "contexts", "users") and isinstance(value, list):
            for item in _named(document, key):
                flat.update(leaves({k: v for k, v in item.items() if k != "name"}, f"{key}[{item.get('name')}]"))
        elif key not in ("apiVersion", "kind", "preferences"):
            flat.update(leaves(value, key))
    return flat


def _named(document: Mapping[str, Any] | None, key: str) -> list[dict[str, Any]]:
    found = (document or {}).get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _shown(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONG:
        return f"sha256:{hashlib.sha256(value.encode()).hexdigest()[:16]}"
    return value


_VERBS = {"user": "listClusterUserCredential", "admin": "listClusterAdminCredential"}


def converge(task: Task) -> Result:
    wrong = problems(task.params)
    path = Path(os.path.abspath(os.path.expanduser(task.params["path"] or "")))
    subject = f"kubeconfig {path}"
    if task.params["path"]:
        wrong += path_problems(path, task.params["state"])
    if wrong:
        raise InvalidInput(subject, wrong)
    if task.params["state"] == "absent":
        return _absent(task, path, subject)
    return _present(task, path, subject)


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of aks_kubeconfig; whether the file can be written shows where it is to be."""
    return check((removal_problems, _names, Check("path", lambda given: not given["path"], NO_KUBECONFIG)), params)


def _names(params: Mapping[str, Any]) -> Iterator[Problem]:
    for option, kind in (("name", names.MANAGED_CLUSTERS), ("resource_group", names.RESOURCE_GROUPS)):
        problem = names.name_problem(option, kind, params[option])
        if problem is not None:
            yield problem


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
    existing = _current_content(task, path)
    plan = plan_file(path, existing, wanted)
    if plan.refused:
        raise Refused(subject, plan.refused)
    if plan.changes and task.check_mode:
        write_check_mode_copy(task, path, wanted.text)
    elif plan.changes:
        write_kubeconfig(path, wanted.text)
    written = f"{subject}: {'would be written' if task.check_mode else 'written'}"
    return Result.of(plan, _values(path, wanted), written if existing is None else "")


def _absent(task: Task, path: Path, subject: str) -> Result:
    existing = _current_content(task, path)
    if existing is None:
        return Result.of(Plan(subject), _values(path, None))
    name = task.params["name"]
    others = [context for context in existing.contexts if context not in (name, f"{name}-admin")]
    if others or existing.document is None:
        what = f"contexts of other clusters ({', '.join(others)})" if others else "something other than a kubeconfig"
        remedy = "Delete it by hand, or give the path of this cluster's own file"
        raise Refused(subject, [Refusal.because(str(path), f"will not be deleted: it holds {what}", remedy)])
    if not task.check_mode:
        path.unlink()
    return Result.of(Plan(subject, (Change("contexts", existing.contexts, ABSENT),)), _values(path, None))


def plan_file(path: Path, existing: Kubeconfig | None, wanted: Kubeconfig) -> Plan:
    """What differs between the file and the service's answer, its permissions included."""
    subject = f"kubeconfig {path}"
    refused = []
    if existing is not None:
        others = [name for name in existing.contexts if name not in wanted.contexts]
        if others or (existing.document is None and existing.text.strip()):
            what = (
                f"contexts of other clusters ({', '.join(others)})" if others else "something other than a kubeconfig"
            )
            advice = "Give" if others else "Remove it if it is not needed, or give"
            remedy = f"{advice} this cluster a file of its own"
            refused.append(Refusal.because(str(path), f"will not be overwritten: it holds {what}", remedy))
    changes = kubeconfig_changes(existing, wanted)
    if existing is not None and stat.S_IMODE(path.stat().st_mode) & 0o077:
        changes.append(Change("mode", f"{stat.S_IMODE(path.stat().st_mode):04o}", f"{MODE:04o}"))
    return Plan(subject, tuple(changes), tuple(refused), is_new=existing is None)


def _requested(task: Task) -> Kubeconfig | None:
    """The service's kubeconfig; None in check mode when there is no cluster to ask for one yet."""
    params = task.params
    arm = Arm.connect(task)
    cluster = names.cluster_id(resolve_identity(params).subscription_id, params["resource_group"], params["name"])
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
    return parse_kubeconfig(text if text.endswith("\n") else f"{text}\n")


def _current_content(task: Task, path: Path) -> Kubeconfig | None:
    if not path.exists():
        return None
    existing = parse_kubeconfig(path.read_text(encoding="utf-8", errors="replace"))
    for credential in existing.credentials():
        task.secret(credential)
    return existing


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
