# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leaves of a release's objects that others set because the chart means them to. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.mcpops.platform.plugins.module_utils.kube.ignored import IgnoredDifference
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object

_SCALERS = ("HorizontalPodAutoscaler", "ScaledObject")


def release_rows(objects: Iterable[Object]) -> tuple[IgnoredDifference, ...]:
    """What every release has to tolerate, beside the common table of `kube/writers`."""
    rows = []
    for item in objects:
        kind, name = str(item["kind"]), str((item.get("metadata") or {}).get("name"))
        if kind in _SCALERS:
            target = (item.get("spec") or {}).get("scaleTargetRef") or {}
            scaled = str(target.get("kind", "Deployment"))
            rows.append(IgnoredDifference(scaled, str(target.get("name")), ("spec.replicas",)))
        if kind in ("Secret", "ConfigMap") and not any(item.get(key) for key in ("data", "binaryData", "stringData")):
            # an empty one is a place for a controller to write to: a generated certificate, a lease
            rows.append(IgnoredDifference(kind, name, ("data", "binaryData")))
    return tuple(rows)


def may_be_missing(declared: Object) -> bool:
    """A finished Job that cleans itself up is not missed."""
    return declared["kind"] == "Job" and (declared.get("spec") or {}).get("ttlSecondsAfterFinished") is not None
