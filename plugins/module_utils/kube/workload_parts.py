# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the Deployments of all domains have in common: security, spread, scale, environment, placement. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..text import text_of_scalar, texts_of_mapping
from .fields import owned_fields, part_of
from .manifests import Object

SCALING: dict[str, Any] = {
    "min_replicas": {"type": "int", "default": 1},
    "max_replicas": {"type": "int", "required": True},
    "cpu_percent": {"type": "int"},
    "memory_percent": {"type": "int"},
    "stabilization_window": {"type": "int"},
}
"""The suboptions of `autoscaling`."""
CONTAINER_SECURITY: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""What the Pod Security level `restricted` wants of a container, and a root file system that nobody writes to."""
_SPREAD = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
_PLACING = {"node_selector": "nodeSelector", "tolerations": "tolerations", "affinity": "affinity"}


def least_replicas(options: Mapping[str, Any]) -> int:
    """How many pods there are at least: what `autoscaling` or `replicas` says, or one."""
    scaling = options.get("autoscaling")
    if scaling:
        return int(scaling["min_replicas"])
    replicas = options.get("replicas")
    return 1 if replicas is None else int(replicas)


def most_replicas(options: Mapping[str, Any]) -> int:
    """How many pods there may be."""
    scaling = options.get("autoscaling")
    return int(scaling["max_replicas"]) if scaling else least_replicas(options)


def keep_replicas(item: Object, live: Object | None, options: Mapping[str, Any]) -> Object:
    """The Deployment of what is scaled by its load: as many pods as it has, until somebody else says a number.

    A number that was declared before and is left out would be 1 until the autoscaler has looked; with 0 it never looks.
    """
    least, most = least_replicas(options), most_replicas(options)
    if live is None:
        replicas = least
    else:
        owned = owned_fields(live)
        if owned is None or part_of(owned[1], "spec", "replicas") is None:
            return item
        replicas = min(max(int(live["spec"]["replicas"]), least), most)
    return {**item, "spec": {**item["spec"], "replicas": replicas}}


def pod_security(user: int | None, group: int | None = None) -> dict[str, Any]:
    """The security of a pod: no root, and, where a user is declared, that one; `group` owns its volumes otherwise."""
    found: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if user is not None:
        found.update(runAsUser=user, runAsGroup=user, fsGroup=user)
    elif group is not None:
        found["fsGroup"] = group
    return found


def placement(options: Mapping[str, Any], selector: Mapping[str, str]) -> dict[str, Any]:
    """Where pods may run; several of them are spread over nodes and zones where nothing else is declared."""
    found: dict[str, Any] = {}
    for option, name in _PLACING.items():
        if options.get(option):
            value = options[option]
            found[name] = texts_of_mapping(value) if option == "node_selector" else value
    if options.get("image_pull_secrets"):
        found["imagePullSecrets"] = [{"name": name} for name in options["image_pull_secrets"]]
    if most_replicas(options) > 1 and not options.get("affinity"):
        found["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": dict(selector)},
            }
            for key in _SPREAD
        ]
    return found


def program(options: Mapping[str, Any], arguments: Sequence[Any] | None) -> dict[str, Any]:
    """What a container runs, and the Secrets and ConfigMaps whose keys are its variables."""
    found: dict[str, Any] = {}
    if options.get("image_pull_policy"):
        found["imagePullPolicy"] = options["image_pull_policy"]
    if options.get("command"):
        found["command"] = [text_of_scalar(one) for one in options["command"]]
    if arguments is not None:
        found["args"] = [text_of_scalar(one) for one in arguments]
    references = [
        *({"configMapRef": {"name": name}} for name in options.get("config_map_refs") or ()),
        *({"secretRef": {"name": name}} for name in options.get("secret_refs") or ()),
    ]
    if references:
        found["envFrom"] = references
    return found


def environment(
    plain: Mapping[str, Any] | None, secret: Mapping[str, Any] | None, own: Mapping[str, str]
) -> list[dict[str, Any]]:
    """By name; what the declaration says itself wins over what Secrets and ConfigMaps hold, and `own` over both."""
    given = {name: "" if value is None else value for name, value in (plain or {}).items()}
    texts = {**texts_of_mapping(given), **own}
    found: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in texts.items()]
    for name, place in (secret or {}).items():
        found.append({"name": name, "valueFrom": {"secretKeyRef": {"name": place["name"], "key": place["key"]}}})
    return sorted(found, key=lambda one: str(one["name"]))


def autoscaler_spec(name: str, scaling: Mapping[str, Any]) -> dict[str, Any]:
    """Of the HorizontalPodAutoscaler of a Deployment."""
    metrics = [
        {
            "type": "Resource",
            "resource": {"name": resource, "target": {"type": "Utilization", "averageUtilization": percent}},
        }
        for resource, percent in (("cpu", scaling.get("cpu_percent")), ("memory", scaling.get("memory_percent")))
        if percent is not None
    ]
    spec: dict[str, Any] = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": scaling["min_replicas"],
        "maxReplicas": scaling["max_replicas"],
        "metrics": metrics,
    }
    if scaling.get("stabilization_window") is not None:
        spec["behavior"] = {"scaleDown": {"stabilizationWindowSeconds": scaling["stabilization_window"]}}
    return spec
