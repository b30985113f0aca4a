# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot work in a declared agent, or in what is expected of a registry: all of it, before any request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import Problem
from ..kube.syntax import parse_quantity
from ..kube.workload_rules import (
    LONGEST_NAME,
    environment_problems,
    exposed_secrets,
    image_problems,
    is_floating,
    label_problems,
    port_problems,
    resource_problems,
    scale_problems,
    user_problems,
)
from ..names import SERVICE, SUBDOMAIN, namespace_problems, wrong_name
from .agent_spec import CODE_DIRECTORY, DEFAULT_MOUNT, MANAGED, OWNER_LABEL, SET_LABEL, DeclaredAgent
from .exposure import EXPOSED, exposure_problems, host_problems
from .version_ranges import wrong_range, wrong_version

_FRAMEWORK = "__mesh_"
_WRONG_ADDRESS = "another value would send other agents to the wrong address"
_RESERVED_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/component", "app.kubernetes.io/part-of")
_ACCESS_MODES = ("ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany")
_SHARED_MODE = "ReadWriteMany"
_OWN_MOUNTS = (CODE_DIRECTORY, "/tmp")

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
    exposed = exposed_secrets(options)
    if exposed:
        yield (
            f"agent {agent.name}: env holds {', '.join(exposed)} in plain text, for all who may read the Deployment; "
            "put it into a Secret and name that in secret_env or secret_refs."
        )
    image = options.get("image")
    if is_floating(image):
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
    if wrong := wrong_name(agent.name, "agent name, which is that of its Service", SERVICE, LONGEST_NAME):
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


def _version(where: str, options: Mapping[str, Any]) -> Found:
    if options.get("version") is not None and (wrong := wrong_version(options["version"])):
        yield Problem(f"{where}.version", wrong)


def _scale(where: str, options: Mapping[str, Any]) -> Found:
    if _is_for_one_pod(options) and ((options.get("replicas") or 1) > 1 or options.get("autoscaling")):
        yield Problem(
            f"{where}.persistence.access_mode",
            "lets one pod have the volume, and there are to be several: use ReadWriteMany (on AKS a class of "
            "azurefile), or one replica",
        )
    yield from scale_problems(where, options)


def _shared(where: str, options: Mapping[str, Any]) -> Found:
    yield from image_problems(where, options)
    yield from port_problems(f"{where}.port", options.get("port"))
    yield from environment_problems(where, options, dict.fromkeys(MANAGED, _WRONG_ADDRESS))
    yield from label_problems(where, options, (*_RESERVED_LABELS, OWNER_LABEL, SET_LABEL))
    yield from resource_problems(where, options)
    yield from user_problems(where, options)


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


_RULES = (
    *(_code, _version, _scale, _shared, _persistence, _exposed),
    provided_problems,
)
