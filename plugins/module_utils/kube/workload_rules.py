# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot work in a declared workload, in all domains: image, program, scale, environment, labels, resources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import Check, Problem, Rule
from ..names import (
    IMAGE,
    SUBDOMAIN,
    wrong_annotation_name,
    wrong_label_name,
    wrong_label_value,
    wrong_name,
    wrong_secret_key,
)
from ..secrets import is_secret
from ..text import kind_of, listed, text_of_scalar, texts_of_mapping
from .capacity import wrong_amounts

MOST_REPLICAS = 100
# behind a name come, in names of pods, the hashes of ReplicaSet and pod
LONGEST_NAME = 52
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_WINDOW = 3600
"""What the API server takes (kubernetes.io, "HorizontalPodAutoscaler", scaleDown.stabilizationWindowSeconds)."""

Found = Iterator[Problem]


def image_problems(where: str, options: Mapping[str, Any]) -> Found:
    image = options.get("image")
    if image is not None and not IMAGE.fullmatch(image):
        yield Problem(
            f"{where}.image", f"{image!r} is not a valid image reference such as registry.example.com/agent:1.0.0"
        )
    for option in ("command", "args"):
        for index, word in enumerate(options.get(option) or []):
            if not isinstance(text_of_scalar(word), str):
                yield Problem(f"{where}.{option}[{index}]", f"is {kind_of(word)}, and must be text")


def scale_problems(where: str, options: Mapping[str, Any]) -> Found:
    replicas, scaling = options.get("replicas"), options.get("autoscaling")
    if replicas is not None and not 0 <= replicas <= MOST_REPLICAS:
        yield Problem(f"{where}.replicas", f"{replicas} is not a number of pods (0 to {MOST_REPLICAS})")
    if not scaling:
        return
    if replicas is not None:
        yield Problem(f"{where}.replicas", "excludes autoscaling: one of them decides how many pods there are")
    least, most = scaling["min_replicas"], scaling["max_replicas"]
    if not 1 <= least <= MOST_REPLICAS:
        yield Problem(f"{where}.autoscaling.min_replicas", f"{least} is not a number of pods (1 to {MOST_REPLICAS})")
    if not least <= most <= MOST_REPLICAS:
        yield Problem(
            f"{where}.autoscaling.max_replicas", f"{most} is outside of min_replicas, {least}, to {MOST_REPLICAS}"
        )
    window = scaling.get("stabilization_window")
    if window is not None and not 0 <= window <= _LONGEST_WINDOW:
        yield Problem(
            f"{where}.autoscaling.stabilization_window", f"{window} is not a number of seconds (0 to {_LONGEST_WINDOW})"
        )
    targets = [option for option in ("cpu_percent", "memory_percent") if scaling.get(option) is not None]
    if not targets:
        yield Problem(f"{where}.autoscaling", "has no target: give cpu_percent or memory_percent")
    requests = (options.get("resources") or {}).get("requests") or {}
    for option in targets:
        if not 1 <= scaling[option] <= 1000:
            yield Problem(
                f"{where}.autoscaling.{option}", f"{scaling[option]} is not a percentage of the request (1 to 1000)"
            )
        resource = option.removesuffix("_percent")
        if options.get("resources") and resource not in requests:
            yield Problem(
                f"{where}.autoscaling.{option}", f"is a percentage of resources.requests.{resource}, which is missing"
            )


def environment_problems(where: str, options: Mapping[str, Any], managed: Mapping[str, str]) -> Found:
    """`managed` are variables that follow from the declaration, each with what another value would do."""
    plain, secret = options.get("env") or {}, options.get("secret_env") or {}
    for option, values in (("env", plain), ("secret_env", secret)):
        for name in map(str, values):
            if wrong := wrong_variable(name):
                yield Problem(f"{where}.{option}.{name}", wrong)
            elif name in managed:
                yield Problem(f"{where}.{option}.{name}", f"follows from the declaration: {managed[name]}")
    for name, value in plain.items():
        if value is not None and not isinstance(text_of_scalar(value), str):
            yield Problem(f"{where}.env.{name}", f"is {kind_of(value)}, and must be text")
    for name, place in secret.items():
        path = f"{where}.secret_env.{name}"
        if name in plain:
            yield Problem(path, "is in env as well: one of them says what it is")
        if not isinstance(place, Mapping) or set(place) != {"name", "key"}:
            yield Problem(path, "is not a mapping of name and key: the Secret, and the key in it")
            continue
        if wrong := wrong_name(str(place["name"]), "Secret name", SUBDOMAIN):
            yield Problem(f"{path}.name", wrong)
        if wrong := wrong_secret_key(str(place["key"])):
            yield Problem(f"{path}.key", wrong)
    references = (("secret_refs", "Secret"), ("config_map_refs", "ConfigMap"), ("image_pull_secrets", "Secret"))
    for option, kind in references:
        for index, name in enumerate(options.get(option) or []):
            if wrong := wrong_name(name, f"{kind} name", SUBDOMAIN):
                yield Problem(f"{where}.{option}[{index}]", wrong)


def wrong_variable(name: str) -> str:
    """What is wrong with the name of an environment variable, or nothing."""
    return "" if _VARIABLE.fullmatch(name) else "is not a valid name of an environment variable"


def label_problems(where: str, options: Mapping[str, Any], reserved: Sequence[str]) -> Found:
    """`reserved` are labels that the module sets itself."""
    for option in ("labels", "node_selector"):
        for name, value in texts_of_mapping(options.get(option) or {}).items():
            wrong = wrong_label_name(name) or (
                wrong_label_value(value) if isinstance(value, str) else "is not text: give the value of a label"
            )
            if wrong:
                yield Problem(f"{where}.{option}.{name}", wrong)
            elif option == "labels" and name in reserved:
                yield Problem(f"{where}.labels.{name}", "is set by the module: pods are found by it")
    yield from annotation_problems(f"{where}.annotations", options.get("annotations"))


def annotation_problems(path: str, annotations: Mapping[Any, Any] | None) -> Found:
    for name, value in texts_of_mapping(annotations or {}).items():
        wrong = wrong_annotation_name(name) or (
            "" if isinstance(value, str) else f"is {kind_of(value)}, and must be text"
        )
        if wrong:
            yield Problem(f"{path}.{name}", wrong)


def resource_problems(where: str, options: Mapping[str, Any]) -> Found:
    resources = options.get("resources")
    if resources is None:
        return
    unknown = sorted(set(map(str, resources)) - {"requests", "limits", "claims"})
    if unknown:
        yield Problem(f"{where}.resources.{unknown[0]}", "is not known: resources are requests and limits")
    lacking = [
        f"{part}.{name}"
        for part, name in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory"))
        if name not in (resources.get(part) or {})
    ]
    if lacking:
        yield Problem(f"{where}.resources", f"lacks {listed(lacking, 3)}: a pod without them takes what others need")
    for path, message in wrong_amounts(f"{where}.resources", resources):
        yield Problem(path, message)


def user_problems(where: str, options: Mapping[str, Any]) -> Found:
    user = options.get("run_as_user")
    if user is not None and user < 1:
        yield Problem(f"{where}.run_as_user", f"{user} is not a user that is not root (1 or more)")


def port_problems(path: str, port: int | None) -> Found:
    if port is not None and not 1024 <= port <= 65535:
        yield Problem(path, f"{port} is not a port that a pod without root may listen on (1024 to 65535)")


def exposed_secrets(options: Mapping[str, Any]) -> list[str]:
    """The variables of `env` that hold secrets, for all who may read the Deployment."""
    plain = (options.get("env") or {}).items()
    return sorted(str(name) for name, value in plain if is_secret(str(name), text_of_scalar(value)))


def is_floating(image: str | None) -> bool:
    """Whether an image names no version, so that nodes may run different ones."""
    return bool(image) and "@" not in str(image) and str(image).rpartition("/")[2].partition(":")[2] in ("", "latest")


def _set_name(params: Mapping[str, Any]) -> Found:
    name = params.get("set_name")
    if name is not None and (wrong := wrong_label_value(name) if name else "is empty: leave it out, or give it a name"):
        yield Problem("set_name", wrong)


SET_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    _set_name,
    Check(
        "prune",
        lambda params: params["prune"] and params["state"] == "absent",
        "belongs to state: present; state: absent removes the agents that are named",
    ),
    Check(
        "prune",
        lambda params: params["prune"] and not params.get("set_name"),
        "needs set_name: the name by which agents of earlier runs are known again",
    ),
    Check(
        "prune_max_percent",
        lambda params: not 0 <= params["prune_max_percent"] <= 100,
        "{prune_max_percent} is not a percentage (0 to 100)",
    ),
)
"""Of the set that the agents of a task are, whichever kind of agents."""
