# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leaves of a release's objects that somebody else may set without it being drift. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import IgnoredDifference
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object
from ansible_collections.mcpops.platform.plugins.module_utils.plan import join

_SCALED = ("Deployment", "StatefulSet", "ReplicaSet")
_SCALERS = ("HorizontalPodAutoscaler", "ScaledObject")

# the authority of a webhook is put in by an injector (cert-manager, or the webhook itself at its start)
_INJECTED = {
    "ValidatingWebhookConfiguration": ("webhooks[*].clientConfig.caBundle",),
    "MutatingWebhookConfiguration": ("webhooks[*].clientConfig.caBundle",),
    "CustomResourceDefinition": ("spec.conversion.webhook.clientConfig.caBundle",),
    "APIService": ("spec.caBundle",),
}


class Ignored:
    """The paths of one object that are not looked at: a path covers everything below it."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._patterns = [_pattern(path) for path in paths]

    def covers(self, path: str) -> bool:
        return any(pattern.fullmatch(path) for pattern in self._patterns)

    def prune(self, declared: Object) -> Object:
        """The declaration without the covered leaves: neither compared nor written."""
        if not self._patterns:
            return declared
        pruned: Object = self._without(declared, "")
        return pruned

    def _without(self, value: Any, path: str) -> Any:
        if isinstance(value, Mapping):
            kept = {key: below for key, below in value.items() if not self.covers(join(path, str(key)))}
            return {key: self._without(below, join(path, str(key))) for key, below in kept.items()}
        if isinstance(value, list):
            return [self._without(item, f"{path}[{_item_name(item, index)}]") for index, item in enumerate(value)]
        return value


def ignored_paths(
    declared: Object, live: Object | None, manifest: Iterable[Object], asked: Iterable[IgnoredDifference]
) -> Ignored:
    """What the user asked to ignore for this object, and what every release has to tolerate."""
    kind, name = str(declared["kind"]), str(declared["metadata"]["name"])
    paths = [path for item in asked if item.kind == kind and item.name in (None, name) for path in item.paths]
    paths += _INJECTED.get(kind, ())
    if kind in _SCALED and (_scaled_live(live) or _scaled_by_chart(kind, name, manifest)):
        paths.append("spec.replicas")
    if kind in ("Secret", "ConfigMap") and not declared.get("data") and not declared.get("binaryData"):
        # an empty one is a place for a controller to write to: a generated certificate, a lease
        paths += ["data", "binaryData"]
    return Ignored(paths)


def may_be_missing(declared: Object) -> bool:
    """A finished Job that cleans itself up is not missed."""
    return declared["kind"] == "Job" and (declared.get("spec") or {}).get("ttlSecondsAfterFinished") is not None


def _scaled_live(live: Object | None) -> bool:
    """The replica count was last set by an autoscaler (a person's `kubectl scale` has another manager)."""
    entries = ((live or {}).get("metadata") or {}).get("managedFields") or []
    return any(
        entry.get("subresource") == "scale" and entry.get("manager") == "kube-controller-manager" for entry in entries
    )


def _scaled_by_chart(kind: str, name: str, manifest: Iterable[Object]) -> bool:
    for item in manifest:
        if item.get("kind") in _SCALERS:
            target = (item.get("spec") or {}).get("scaleTargetRef") or {}
            if target.get("name") == name and target.get("kind", "Deployment") == kind:
                return True
    return False


def _item_name(item: Any, index: int) -> str:
    return str(item["name"]) if isinstance(item, Mapping) and "name" in item else str(index)


def _pattern(path: str) -> re.Pattern[str]:
    """`*` is one key or list item; the path of a container covers what is in it."""
    text = re.escape(path.removesuffix(".**")).replace(r"\*", r"[^.\[\]]*")
    return re.compile(rf"{text}(?:[.\[].*)?")
