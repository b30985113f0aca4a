# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot work in a declared agent, or in what is expected of a registry: all of it, before any request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import Problem
from ..kube.capacity import wrong_amounts
from ..kube.syntax import parse_quantity
from ..names import (
    IMAGE,
    SERVICE,
    SUBDOMAIN,
    namespace_problems,
    wrong_annotation_name,
    wrong_label_name,
    wrong_label_value,
    wrong_name,
    wrong_secret_key,
)
from ..secrets import is_secret
from ..text import kind_of, listed, text_of_scalar, texts_of_mapping
from .agent_spec import CODE_DIRECTORY, DEFAULT_MOUNT, MANAGED, OWNER_LABEL, SET_LABEL, DeclaredAgent
from .exposure import EXPOSED, exposure_problems, host_problems
from .version_ranges import wrong_range, wrong_version

_FRAMEWORK = "__mesh_"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/component", "app.kubernetes.io/part-of")
_ACCESS_MODES = ("ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany")
_SHARED_MODE = "ReadWriteMany"
_OWN_MOUNTS = (CODE_DIRECTORY, "/tmp")
_LONGEST_WINDOW = 3600
"""What the API server takes (kubernetes.io, "HorizontalPodAutoscaler", scaleDown.stabilizationWindowSeconds)."""
_MOST_REPLICAS = 100
# behind a name come, in names of pods, the hashes of ReplicaSet and pod
_LONGEST_NAME = 52

Found = Iterator[Problem]


def agents_problems(agents: Sequence[DeclaredAgent]) -> Found:
    """What is wrong with the entries of `agents`."""
    seen: dict[str, str] = {}
    for agent in agents:
        yield from _name(agent)
        if agent.name in seen:
            yield Problem(f"{agent.where}.name", f"{agent.name} is declared twice (also {seen[agent.name]})")
        seen.setdefault(agent.name, agent.where)
        for rule in _RULES:
            yield from rule(agent.where, agent.options)


def absence_problems(agents: Sequence[DeclaredAgent]) -> Found:
    """To remove an agent, its name is enough."""
    for agent in agents:
        yield from _name(agent)


def agent_warnings(agent: DeclaredAgent) -> Iterator[str]:
    """What works and is likely not meant."""
    options = agent.options
    exposed = sorted(
        str(name) for name, value in (options.get("env") or {}).items() if is_secret(str(name), text_of_scalar(value))
    )
    if exposed:
        yield (
            f"agent {agent.name}: env holds {', '.join(exposed)} in plain text, for all who may read the Deployment; "
            "put it into a Secret and name that in secret_env or secret_refs."
        )
    image = options.get("image")
    if image and "@" not in image and image.rpartition("/")[2].partition(":")[2] in ("", "latest"):
        yield f"agent {agent.name}: image {image} names no version, so nodes may run different ones."
    if _is_for_one_pod(options):
        yield (
            f"agent {agent.name}: its volume can be at one pod only, so that an update ends the old pod before the new "
            "one begins, and its capabilities are away meanwhile; access_mode ReadWriteMany avoids it."
        )


def registry_problems(params: Mapping[str, Any]) -> Found:
    """What is wrong with the options that name a registry's Service."""
    yield from namespace_problems("namespace", params.get("namespace"))
    if wrong := wrong_name(params["service"], "Service name", SERVICE):
        yield Problem("service", wrong)
    if not 1 <= params["port"] <= 65535:
        yield Problem("port", f"{params['port']} is not a port (1 to 65535)")


def capability_problems(path: str, key: str, rows: Sequence[Mapping[str, Any]] | None) -> Iterator[Problem]:
    """What is wrong with a list of capabilities, or of what depends on them."""
    names: set[str] = set()
    for index, one in enumerate(rows or []):
        name = one[key]
        if not name.strip() or name != name.strip():
            yield Problem(
                f"{path}[{index}].{key}", f"{name!r} is not the name of a capability: it has no blanks around it"
            )
        elif name.startswith(_FRAMEWORK):
            yield Problem(f"{path}[{index}].{key}", f"{name} belongs to the runtime itself, which nobody waits for")
        if name in names:
            yield Problem(f"{path}[{index}].{key}", f"{name} is listed twice")
        names.add(name)
        if one.get("version") is not None and (wrong := wrong_range(one["version"])):
            yield Problem(f"{path}[{index}].version", wrong)


def provided_problems(where: str, options: Mapping[str, Any]) -> Found:
    """What an agent says that it offers: a version, not a range."""
    yield from capability_problems(f"{where}.capabilities", "name", options.get("capabilities"))
    yield from capability_problems(f"{where}.dependencies", "capability", options.get("dependencies"))


def _is_for_one_pod(options: Mapping[str, Any]) -> bool:
    persistence = options.get("persistence")
    return persistence is not None and (persistence.get("access_mode") or "ReadWriteOnce") != _SHARED_MODE


def _name(agent: DeclaredAgent) -> Found:
    if wrong := wrong_name(agent.name, "agent name, which is that of its Service", SERVICE, _LONGEST_NAME):
        yield Problem(f"{agent.where}.name", wrong)


def _exposed(where: str, options: Mapping[str, Any]) -> Found:
    exposed = options.get(EXPOSED)
    if exposed is not None:
        yield from host_problems(f"{where}.{EXPOSED}.host", exposed["host"])
        yield from exposure_problems(f"{where}.{EXPOSED}", exposed)


def _code(where: str, options: Mapping[str, Any]) -> Found:
    given = [option for option in ("script", "directory") if options.get(option)]
    for option in ("script", "directory"):
        if options.get(option) == "":
            yield Problem(f"{where}.{option}", "is empty: name a file or leave it out")
    if len(given) == 2:
        yield Problem(f"{where}.directory", "excludes script: the code is one file, or a directory")
    if not given and not options.get("image"):
        yield Problem(where, "has neither code nor an image: give script, directory or image")
    if options.get("entrypoint") is not None:
        if not options.get("directory"):
            yield Problem(f"{where}.entrypoint", "names a file of directory, which is missing")
        elif options["entrypoint"].startswith("/") or ".." in options["entrypoint"].split("/"):
            yield Problem(f"{where}.entrypoint", f"{options['entrypoint']!r} is not a path below directory")
    image = options.get("image")
    if image is not None and not IMAGE.fullmatch(image):
        yield Problem(
            f"{where}.image", f"{image!r} is not a valid image reference such as registry.example.com/agent:1.0.0"
        )
    for option in ("command", "args"):
        for index, word in enumerate(options.get(option) or []):
            if not isinstance(text_of_scalar(word), str):
                yield Problem(f"{where}.{option}[{index}]", f"is {kind_of(word)}, and must be text")


def _version(where: str, options: Mapping[str, Any]) -> Found:
    if options.get("version") is not None and (wrong := wrong_version(options["version"])):
        yield Problem(f"{where}.version", wrong)


def _scale(where: str, options: Mapping[str, Any]) -> Found:
    replicas, scaling = options.get("replicas"), options.get("autoscaling")
    if replicas is not None and not 0 <= replicas <= _MOST_REPLICAS:
        yield Problem(f"{where}.replicas", f"{replicas} is not a number of pods (0 to {_MOST_REPLICAS})")
    if _is_for_one_pod(options) and ((replicas or 1) > 1 or scaling):
        yield Problem(
            f"{where}.persistence.access_mode",
            "lets one pod have the volume, and there are to be several: use ReadWriteMany (on AKS a class of "
            "azurefile), or one replica",
        )
    if not scaling:
        return
    if replicas is not None:
        yield Problem(f"{where}.replicas", "excludes autoscaling: one of them decides how many pods there are")
    least, most = scaling["min_replicas"], scaling["max_replicas"]
    if not 1 <= least <= _MOST_REPLICAS:
        yield Problem(f"{where}.autoscaling.min_replicas", f"{least} is not a number of pods (1 to {_MOST_REPLICAS})")
    if not least <= most <= _MOST_REPLICAS:
        yield Problem(
            f"{where}.autoscaling.max_replicas", f"{most} is outside of min_replicas, {least}, to {_MOST_REPLICAS}"
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


def _ports(where: str, options: Mapping[str, Any]) -> Found:
    port = options.get("port")
    if port is not None and not 1024 <= port <= 65535:
        yield Problem(f"{where}.port", f"{port} is not a port that a pod without root may listen on (1024 to 65535)")


def _environment(where: str, options: Mapping[str, Any]) -> Found:
    plain, secret = options.get("env") or {}, options.get("secret_env") or {}
    for option, values in (("env", plain), ("secret_env", secret)):
        for name in map(str, values):
            if not _VARIABLE.fullmatch(name):
                yield Problem(f"{where}.{option}.{name}", "is not a valid name of an environment variable")
            elif name in MANAGED:
                yield Problem(
                    f"{where}.{option}.{name}",
                    "follows from the declaration: another value would send other agents to the wrong address",
                )
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


def _labels(where: str, options: Mapping[str, Any]) -> Found:
    for option in ("labels", "node_selector"):
        for name, value in texts_of_mapping(options.get(option) or {}).items():
            wrong = wrong_label_name(name) or (
                wrong_label_value(value) if isinstance(value, str) else "is not text: give the value of a label"
            )
            if wrong:
                yield Problem(f"{where}.{option}.{name}", wrong)
            elif option == "labels" and name in (*_RESERVED_LABELS, OWNER_LABEL, SET_LABEL):
                yield Problem(f"{where}.labels.{name}", "is set by the module: pods are found by it")
    for name, value in texts_of_mapping(options.get("annotations") or {}).items():
        wrong = wrong_annotation_name(name) or (
            "" if isinstance(value, str) else f"is {kind_of(value)}, and must be text"
        )
        if wrong:
            yield Problem(f"{where}.annotations.{name}", wrong)


def _resources(where: str, options: Mapping[str, Any]) -> Found:
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


def _persistence(where: str, options: Mapping[str, Any]) -> Found:
    persistence = options.get("persistence")
    if persistence is None:
        return
    path = f"{where}.persistence"
    size = parse_quantity(persistence["size"])
    if size is None or size <= 0:
        yield Problem(f"{path}.size", f"{persistence['size']!r} is not a valid size such as 10Gi")
    mode = persistence.get("access_mode")
    if mode is not None and mode not in _ACCESS_MODES:
        yield Problem(f"{path}.access_mode", f"{mode!r} is none of {', '.join(_ACCESS_MODES)}")
    storage_class = persistence.get("storage_class")
    if storage_class is not None and (wrong := wrong_name(storage_class, "StorageClass name", SUBDOMAIN)):
        yield Problem(f"{path}.storage_class", wrong)
    mount = persistence.get("mount_path") or DEFAULT_MOUNT
    if not mount.startswith("/") or ":" in mount or mount.rstrip("/") == "":
        yield Problem(f"{path}.mount_path", f"{mount!r} is not the absolute path of a directory")
    elif mount.rstrip("/") in _OWN_MOUNTS:
        yield Problem(f"{path}.mount_path", f"{mount} is mounted already")


def _user(where: str, options: Mapping[str, Any]) -> Found:
    user = options.get("run_as_user")
    if user is not None and user < 1:
        yield Problem(f"{where}.run_as_user", f"{user} is not a user that is not root (1 or more)")


_RULES = (
    *(_code, _version, _scale, _ports, _environment, _labels, _resources, _persistence, _user, _exposed),
    provided_problems,
)
