# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may write where without it being drift.

Controllers of Kubernetes and of AKS, and the option ignore_differences.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..errors import Problem


@dataclass(frozen=True)
class Writer:
    """One row. `managers` and `kinds` are regular expressions; `path` is a path pattern, see `covers`.

    `adds_only`: the declared part of the structure must stand, and what the manager has added to it is left alone.
    `undeclared_only`: a declaration that has the leaf wins, unless it holds its place only (text of nothing but blanks,
    as it is or in base64, which is how charts leave a certificate to whoever makes it). `beside`: only where the
    declaration has this field, too.
    """

    managers: str
    kinds: str
    path: str
    reason: str
    source: str
    adds_only: bool = False
    undeclared_only: bool = False
    beside: str = ""


ANYBODY = r".*"

_SCALED = r"Deployment|StatefulSet|ReplicaSet|ReplicationController"
_WORKLOAD = r"Deployment|StatefulSet|DaemonSet|ReplicaSet|ReplicationController"
_KUBERNETES = "https://kubernetes.io/docs/"

EXPECTED: tuple[Writer, ...] = (
    Writer(
        r"kube-controller-manager|kube-scheduler|kubelet|kube-apiserver|kube-proxy|endpoint-controller",
        r".*",
        "**",
        "the control plane fills in what it decides: bound volumes, addresses, nodes",
        _KUBERNETES + "concepts/overview/components/",
        undeclared_only=True,
    ),
    Writer(
        r"kube-controller-manager",
        _SCALED,
        "spec.replicas",
        "a HorizontalPodAutoscaler scales through the controller manager",
        _KUBERNETES + "tasks/run-application/horizontal-pod-autoscale/",
    ),
    Writer(
        r"clusterrole-aggregation-controller",
        r"ClusterRole",
        "rules",
        "the rules of an aggregated ClusterRole are collected from the roles that its selectors choose",
        _KUBERNETES + "reference/access-authn-authz/rbac/#aggregated-clusterroles",
        beside="aggregationRule",
    ),
    Writer(
        r"cloud-controller-manager|azure-cloud-controller-manager",
        r"Service",
        "spec.**",
        "the cloud provider notes the load balancer's address and node ports",
        _KUBERNETES + "concepts/architecture/cloud-controller/",
        undeclared_only=True,
    ),
    Writer(
        r".*cainjector.*",
        r"ValidatingWebhookConfiguration|MutatingWebhookConfiguration|CustomResourceDefinition|APIService",
        "**.caBundle",
        "cert-manager keeps the authorities of its certificates there, whatever a chart has in their place",
        "https://cert-manager.io/docs/concepts/ca-injector/",
    ),
    Writer(
        ANYBODY,
        r"ValidatingWebhookConfiguration|MutatingWebhookConfiguration",
        "webhooks[*].clientConfig.caBundle",
        "an injector (cert-manager, or the webhook itself at its start) puts the authority in",
        "https://cert-manager.io/docs/concepts/ca-injector/",
        undeclared_only=True,
    ),
    Writer(
        ANYBODY,
        r"CustomResourceDefinition",
        "spec.conversion.webhook.clientConfig.caBundle",
        "an injector puts the authority of the conversion webhook in",
        "https://cert-manager.io/docs/concepts/ca-injector/",
        undeclared_only=True,
    ),
    Writer(
        ANYBODY,
        r"APIService",
        "spec.caBundle",
        "an injector puts the authority of the extension API server in",
        "https://cert-manager.io/docs/concepts/ca-injector/",
        undeclared_only=True,
    ),
    Writer(
        ANYBODY,
        _WORKLOAD,
        'spec.template.metadata.annotations."kubectl.kubernetes.io/restartedAt"',
        "kubectl rollout restart asks for new pods of the same declaration",
        _KUBERNETES + "reference/kubectl/generated/kubectl_rollout/kubectl_rollout_restart/",
        undeclared_only=True,
    ),
    Writer(
        r"keda-operator|keda",
        _SCALED,
        "spec.replicas",
        "KEDA scales to and from zero itself",
        "https://keda.sh/docs/latest/concepts/scaling-deployments/",
    ),
    Writer(
        r"vpa-updater|vpa-recommender|vpa-admission-controller|admission-controller",
        r"Pod",
        "spec.**",
        "a VerticalPodAutoscaler sets requests of pods",
        "https://learn.microsoft.com/azure/aks/vertical-pod-autoscaler",
    ),
)


class Tolerated:
    """The rules that hold for one object. `paths` are those that a user named: nobody looks at them, whoever wrote."""

    def __init__(self, rows: Iterable[Writer] = (), paths: Iterable[str] = ()) -> None:
        self._rows = tuple(rows)
        self._paths = [_pattern(path) for path in paths]

    def expects(self, manager: str, path: str) -> bool:
        """Whether this manager may have written this leaf, which is not declared."""
        return self.is_ignored(path) or any(
            _fits(row.managers, manager) and _pattern(row.path).fullmatch(path) for row in self._rows
        )

    @property
    def names_paths(self) -> bool:
        """Whether the user named any."""
        return bool(self._paths)

    def is_ignored(self, path: str) -> bool:
        """Whether the user asked not to look at this path."""
        return any(pattern.fullmatch(path) for pattern in self._paths)

    def yields(self, path: str, others: Collection[str], declared: Any = None) -> bool:
        """Whether a leaf stays as it stands although it is declared: one of `others`, who own it, may set it."""
        return self.is_ignored(path) or any(
            any(_fits(row.managers, other) for other in others) and _pattern(row.path).fullmatch(path)
            for row in self._rows
            if not row.adds_only and (not row.undeclared_only or _holds_a_place(declared))
        )

    def allows_additions(self, path: str, others: Collection[str]) -> bool:
        """Whether what `others`, who own this declared structure, have added to it is left alone."""
        return any(
            any(_fits(row.managers, other) for other in others) and _pattern(row.path).fullmatch(path)
            for row in self._rows
            if row.adds_only
        )


def _holds_a_place(declared: Any) -> bool:
    if not isinstance(declared, str):
        return False
    try:
        return not declared.strip() or not base64.b64decode(declared, validate=True).strip()
    except ValueError:
        return False


@lru_cache(maxsize=256)
def tolerated(
    kind: str, more: tuple[Writer, ...] = (), paths: tuple[str, ...] = (), fields: frozenset[str] | None = None
) -> Tolerated:
    """The rules for an object of this kind: the table's, those of a caller, and the paths that a user named.

    `fields` are those that its declaration has; None for an object without one.
    """
    rows = [row for row in (*EXPECTED, *more) if _fits(row.kinds, kind)]
    return Tolerated([row for row in rows if fields is None or not row.beside or row.beside in fields], paths)


@lru_cache(maxsize=1024)
def _fits(expression: str, text: str) -> bool:
    """Whether a row's expression fits. Most are names side by side, for which none has to be compiled."""
    names = expression.split("|")
    if all(name.replace("-", "").isalnum() for name in names):
        return text in names
    return re.fullmatch(expression, text) is not None


@lru_cache(maxsize=1024)
def _pattern(path: str) -> re.Pattern[str]:
    """`*` is one key or list item, `**` any number of them; the path of a structure covers what is in it."""
    parts = [re.escape(part) for part in path.removesuffix(".**").split("**")]
    one = [part.replace(r"\[\*\]", r"\[[^\]]*\]").replace(r"\*", r'(?:"[^"]*"|[^.\[\]"]*)') for part in parts]
    return re.compile(rf"{'.*'.join(one)}(?:[.\[].*)?", re.DOTALL)


def additions(declared: Any, live: Any) -> bool:
    """Whether `live` is `declared` with something added: keys of mappings, items of lists."""
    if isinstance(declared, Mapping):
        return isinstance(live, Mapping) and all(additions(value, live.get(key)) for key, value in declared.items())
    if isinstance(declared, list):
        return isinstance(live, list) and all(any(additions(item, one) for one in live) for item in declared)
    return bool(declared == live) and isinstance(declared, bool) == isinstance(live, bool)


def with_additions(declared: Any, live: Any) -> Any:
    """`live` where it holds everything that is declared, else the declaration with what others have added."""
    if additions(declared, live):
        return live
    if isinstance(declared, Mapping) and isinstance(live, Mapping):
        both = [*declared, *(key for key in live if key not in declared)]
        return {key: with_additions(declared[key], live.get(key)) if key in declared else live[key] for key in both}
    if isinstance(declared, list) and isinstance(live, list):
        return [*declared, *(item for item in live if not any(additions(one, item) for one in declared))]
    return declared


OPTION = "ignore_differences"

ARGUMENT_SPEC: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "kind": {"type": "str", "required": True},
        "name": {"type": "str"},
        "paths": {"type": "list", "elements": "str", "required": True},
    },
}


_ENCLOSED = re.compile(r'"[^"]*"|\[[^\]]*\]')


@dataclass(frozen=True)
class IgnoredDifference:
    """Leaves of live objects that somebody else may set."""

    kind: str
    name: str | None
    paths: tuple[str, ...]


def ignored_differences(
    items: Sequence[Mapping[str, Any]] | None,
) -> tuple[tuple[IgnoredDifference, ...], list[Problem]]:
    """The rows of the option, and what is wrong with them."""
    rows = list(items or [])
    problems = []
    for index, item in enumerate(rows):
        kind, paths = str(item["kind"]), item.get("paths") or []
        if not kind[:1].isupper():
            problems.append(
                Problem(
                    f"{OPTION}[{index}].kind", f"{kind!r} fits nothing: kinds are written as in manifests: Deployment"
                )
            )
        if not paths or not all(paths):
            problems.append(Problem(f"{OPTION}[{index}].paths", "must name at least one path"))
        problems += [
            Problem(f"{OPTION}[{index}].paths[{number}]", f"{path!r} fits nothing: {why}")
            for number, path in enumerate(paths)
            if (why := _fits_nothing(str(path)))
        ]
    found = tuple(IgnoredDifference(item["kind"], item.get("name"), tuple(item.get("paths") or ())) for item in rows)
    return found, problems


def _fits_nothing(path: str) -> str:
    """Why a path cannot be one that differences show; empty if it can."""
    if path.startswith("/"):
        words = path.strip("/").replace("~1", "/").replace("~0", "~").split("/")
        return f"keys are joined by dots, not by slashes, as in {'.'.join(words)}" if all(words) else "it names nothing"
    bare = path.lstrip("$").strip(" .")
    if bare != path:
        example = bare or "spec.replicas"
        return f"paths begin without a dot or $, and end without a dot or blanks: {example}"
    # what stands in quotes or in brackets may hold any character
    if "/" in _ENCLOSED.sub("", path):
        return 'write keys with dots or slashes in quotes, as in metadata.annotations."example.com/key"'
    return ""


def ignored_paths(rows: Iterable[IgnoredDifference], kind: str, name: str) -> list[str]:
    """The paths that are not looked at in one object."""
    return [path for row in rows if row.kind == kind and row.name in (None, name) for path in row.paths]
