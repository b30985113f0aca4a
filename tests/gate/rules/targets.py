# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about which cluster tasks act on: the one that the host declares, never the one the user last looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

COLLECTION = "mcpops.platform"
# as the playbooks name a host's cluster, and as the roles' defaults do
OF_THE_HOST = "aks_cluster_kubeconfig | default(mcpops_kubeconfig)"
# A null would be no option at all, and the module would look in the environment; an empty text it refuses.
NEVER_UNSAID = "or '' }}"
# run by the role site_verify, which says of which cluster
VERIFY, OF_VERIFICATION = "verify.yml", "site_verify_kubeconfig"
_TASKS = ("pre_tasks", "tasks", "post_tasks", "handlers")
_NESTED = ("block", "rescue", "always")
_PROCESSES = re.compile(r"(?:ansible\.(?:builtin|legacy)\.)?(?:command|shell|raw|script)")
_CLIENTS = re.compile(r"\b(?:kubectl|helm|oc)\b")
Found = tuple[str, str, Any]
"""The task's name, its module, and the kubeconfig it gets: None when it gets none."""


def unnamed_clusters(root: Path) -> list[str]:
    """Tasks of roles and playbooks that would take the cluster of KUBECONFIG or ~/.kube/config."""
    group = _load(root / "meta" / "runtime.yml").get("action_groups", {}).get("kubernetes", [])
    problems = []
    for path in sorted((root / "playbooks").glob("*.yml")):
        problems += _problems(path, root, group, OF_THE_HOST)
    for role in sorted(path for path in (root / "roles").glob("*") if path.is_dir()):
        variable = f"{role.name}_kubeconfig"
        files = [path for part in ("tasks", "handlers") for path in sorted((role / part).rglob("*.y*ml"))]
        problems += [
            problem
            for path in files
            for problem in _problems(path, root, group, OF_VERIFICATION if path.name == VERIFY else variable)
        ]
        if any(found for path in files for found in tasks_of(_load(path), group, {})):
            problems += _variable_problems(role, variable)
    return problems


def tasks_of(loaded: Any, group: list[str], defaults: Mapping[str, Any]) -> Iterator[Found]:
    """Every task below that asks a cluster, blocks and plays included."""
    for entry in loaded if isinstance(loaded, list) else []:
        if not isinstance(entry, Mapping):
            continue
        inner = {**defaults, **(entry.get("module_defaults") or {})}
        for part in (*_TASKS, *_NESTED):
            yield from tasks_of(entry.get(part), group, inner)
        for key, arguments in entry.items():
            found = _asked(str(key), arguments, group, inner)
            if found is not None:
                yield str(entry.get("name", "without a name")), str(key), found[0]


def _asked(key: str, arguments: Any, group: list[str], defaults: Mapping[str, Any]) -> tuple[Any] | None:
    """The kubeconfig that a task of this module gets; None when the key is no module that asks a cluster."""
    if _PROCESSES.fullmatch(key):
        return (None,) if _CLIENTS.search(str(arguments)) else None
    name = key.removeprefix(f"{COLLECTION}.")
    if key in ("action", "local_action"):
        return (None,) if any(module in str(arguments) for module in group) else None
    if name not in group and not key.startswith(("kubernetes.core.", "redhat.openshift.")):
        return None
    given: dict[str, Any] = {}
    for default in (f"group/{COLLECTION}.kubernetes", name, f"{COLLECTION}.{name}", key):
        given |= defaults.get(default) or {}
    return ({**given, **(arguments if isinstance(arguments, Mapping) else {})}.get("kubeconfig"),)


def _problems(path: Path, root: Path, group: list[str], wanted: str) -> list[str]:
    return [
        f"{path.relative_to(root)}: the task {task!r} ({module}) gets {given!r} as kubeconfig: it must be {wanted}, "
        f"with {NEVER_UNSAID} at its end"
        for task, module, given in tasks_of(_load(path), group, {})
        if wanted not in str(given) or not str(given).endswith(NEVER_UNSAID) or "omit" in str(given)
    ]


def _variable_problems(role: Path, variable: str) -> list[str]:
    default = str((_load(role / "defaults" / "main.yml") or {}).get(variable, ""))
    readme = role / "README.md"
    problems = []
    # the variable that those of all other roles follow has nothing before the common one
    wanted = "{{ mcpops_kubeconfig }}" if OF_THE_HOST.startswith(f"{variable} ") else OF_THE_HOST
    if wanted not in default:
        problems.append(f"roles/{role.name}: the default of {variable} is not {wanted}")
    if f"`{variable}`" not in (readme.read_text(encoding="utf-8") if readme.is_file() else ""):
        problems.append(f"roles/{role.name}: the README does not say what {variable} is")
    return problems


def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
