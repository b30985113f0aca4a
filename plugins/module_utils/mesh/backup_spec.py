# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dumps of a registry's database to a volume, at regular times, and what is restored from one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import Problem
from ..kube.manifests import Object
from ..kube.syntax import parse_quantity
from ..names import SUBDOMAIN, wrong_name
from .backup_blob import blob_container, blob_of, blob_volumes, way_to_blob
from .backup_scripts import DUMP, RESTORE
from .owned_objects import CLAIM
from .registry_spec import (
    BACKUP,
    DEFAULT_DATABASE_IMAGE,
    RESOURCES,
    SECURITY,
    SQLITE,
    URL_KEY,
    DeclaredRegistry,
    labels_of,
    pod_of,
    registry_object,
    selector_of,
    way_to_database,
)

PLACE, LATEST = "/backup", "latest"
URL = "DATABASE_URL"
_FILE = re.compile(r"mesh-\d{8}T\d{6}Z\.dump")
_MOST = 365


def backup_objects(registry: DeclaredRegistry) -> list[Object]:
    """What dumps the database and restores it; nothing where neither is declared."""
    backup, restore = registry.options.get("backup"), registry.options.get("restore")
    if not backup and not restore:
        return []
    name = registry.backup_name
    found = [registry_object(registry, "ServiceAccount", name, BACKUP, automountServiceAccountToken=False)]
    if backup:
        found.append(_schedule(registry, backup))
        if not backup.get("claim") and not blob_of(registry.options):
            found.append(_claim(registry, backup))
    if restore:
        claim = restore.get("claim") or (backup or {}).get("claim") or name
        job = _job(registry, RESTORE, claim, {"FILE": restore["file"]})
        found.append(registry_object(registry, "Job", registry.restore_name, BACKUP, spec=job))
    if registry.options["network_policy"]:
        spec = {
            "podSelector": {"matchLabels": selector_of(registry, BACKUP)},
            "policyTypes": ["Ingress", "Egress"],
            "egress": [*way_to_database(registry), *way_to_blob(registry)],
        }
        found.append(registry_object(registry, "NetworkPolicy", name, BACKUP, spec=spec))
    return found


def backup_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    """What cannot work in the options `backup` and `restore`."""
    if params["state"] == "absent":
        return
    for option in ("backup", "restore"):
        given = params.get(option)
        if not given:
            continue
        if params["database"]["type"] == SQLITE:
            yield Problem(option, f"is of a database of PostgreSQL, and database.type is {SQLITE}")
        if given.get("claim") is not None and (wrong := wrong_name(given["claim"], "claim name", SUBDOMAIN)):
            yield Problem(f"{option}.claim", wrong)
    yield from _of_backup(params.get("backup") or {})
    file = (params.get("restore") or {}).get("file", LATEST)
    if file != LATEST and not _FILE.fullmatch(file):
        yield Problem(
            "restore.file", f"{file!r} is neither {LATEST} nor the name of a dump: mesh-20261130T021700Z.dump"
        )


def _of_backup(backup: Mapping[str, Any]) -> Iterator[Problem]:
    if not backup:
        return
    if wrong := wrong_schedule(backup["schedule"]):
        yield Problem("backup.schedule", f"{backup['schedule']!r} {wrong}")
    if not 1 <= backup["keep"] <= _MOST:
        yield Problem("backup.keep", f"{backup['keep']} is not a number of dumps (1 to {_MOST})")
    size = parse_quantity(backup["size"])
    if size is None or size <= 0:
        yield Problem("backup.size", f"{backup['size']!r} is not a valid size such as 1Gi")
    if backup.get("storage_class") is not None:
        if wrong := wrong_name(backup["storage_class"], "StorageClass name", SUBDOMAIN):
            yield Problem("backup.storage_class", wrong)
        if backup.get("claim"):
            yield Problem("backup.storage_class", "is of a claim that is made here, and claim names one that is there")


def _schedule(registry: DeclaredRegistry, backup: Mapping[str, Any]) -> Object:
    claim = backup.get("claim") or registry.backup_name
    spec = {
        "schedule": backup["schedule"],
        # two at once would count each other's dumps
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3600,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"spec": _job(registry, DUMP, claim, {"KEEP": str(backup["keep"])})},
    }
    return registry_object(registry, "CronJob", registry.backup_name, BACKUP, spec=spec)


def _job(registry: DeclaredRegistry, script: str, claim: str, variables: Mapping[str, str]) -> dict[str, Any]:
    url = {"secretKeyRef": {"name": registry.secret_name, "key": registry.secret_key or URL_KEY}}
    container: dict[str, Any] = {
        "name": BACKUP,
        "image": registry.options["database"].get("image") or DEFAULT_DATABASE_IMAGE,
        "command": ["sh", "-c", script],
        "env": [{"name": URL, "valueFrom": url}, *({"name": key, "value": one} for key, one in variables.items())],
        "resources": registry.options["database"].get("resources") or RESOURCES,
        "securityContext": dict(SECURITY),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "backup", "mountPath": PLACE}],
    }
    pod = pod_of(registry, registry.backup_name, container)
    pod["restartPolicy"] = "Never"
    if blob_of(registry.options):
        _with_blob(registry, pod, variables)
    else:
        pod["volumes"].append({"name": "backup", "persistentVolumeClaim": {"claimName": claim}})
    template = {"metadata": {"labels": labels_of(registry, BACKUP)}, "spec": pod}
    return {"backoffLimit": 2, "activeDeadlineSeconds": 3600, "template": template}


def _with_blob(registry: DeclaredRegistry, pod: dict[str, Any], variables: Mapping[str, str]) -> None:
    """Through a directory of the pod: what is dumped there is sent, and what was got there is restored."""
    sends = "KEEP" in variables
    other = blob_container(registry, PLACE, {**variables, "ACTION": "send" if sends else "fetch"})
    first, last = (pod["containers"][0], other) if sends else (other, pod["containers"][0])
    pod["initContainers"], pod["containers"] = [first], [last]
    limit = (registry.options.get("backup") or {}).get("size")
    pod["volumes"].append({"name": "backup", "emptyDir": {"sizeLimit": limit} if limit else {}})
    pod["volumes"] += blob_volumes(registry)


def _claim(registry: DeclaredRegistry, backup: Mapping[str, Any]) -> Object:
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": backup["size"]}},
    }
    if backup.get("storage_class"):
        spec["storageClassName"] = backup["storage_class"]
    return registry_object(registry, CLAIM, registry.backup_name, BACKUP, spec=spec)


_DESCRIPTORS = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_EVERY = re.compile(r"@every (?:[-+]?0|[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)")
_NUMBER = re.compile(r"\+?[0-9]+")
_ANY = ("*", "?")


@dataclass(frozen=True)
class _Field:
    label: str
    least: int
    most: int
    names: Mapping[str, int] = field(default_factory=dict)


def _numbered(names: str, first: int) -> Mapping[str, int]:
    return {name: number for number, name in enumerate(names.split(), first)}


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _numbered("jan feb mar apr may jun jul aug sep oct nov dec", 1)),
    # Sunday is 0 and never 7
    _Field("day of the week", 0, 6, _numbered("sun mon tue wed thu fri sat", 0)),
)


def wrong_schedule(text: str) -> str:
    """Why Kubernetes would refuse the schedule; empty where it takes it."""
    if "TZ" in text:
        return "names a time zone, which the API server refuses: it is UTC"
    if text.startswith("@"):
        if text in _DESCRIPTORS or _EVERY.fullmatch(text):
            return ""
        return f"is none of {', '.join(sorted(_DESCRIPTORS))} and @every DURATION, such as @every 6h"
    parts = text.split()
    if len(parts) != len(_FIELDS):
        return f"has {len(parts)} fields and not five, as in 17 2 * * *"
    found = ((one, _wrong_field(part, one)) for part, one in zip(parts, _FIELDS))
    return next((f"is wrong in its {one.label}: {wrong}" for one, wrong in found if wrong), "")


def _wrong_field(text: str, one: _Field) -> str:
    # the parser overlooks a comma too many
    entries = [entry for entry in text.split(",") if entry]
    if not entries:
        return f"{text!r} says nothing"
    return next((wrong for wrong in (_wrong_entry(entry, one) for entry in entries) if wrong), "")


def _wrong_entry(text: str, one: _Field) -> str:
    span, *steps = text.split("/")
    if len(steps) > 1:
        return f"{text!r} has more than one step"
    if steps and (not _NUMBER.fullmatch(steps[0]) or int(steps[0]) == 0):
        return f"{steps[0]!r} is not a step (1 or more)"
    ends = span.split("-")
    if ends[0] in _ANY:
        return ""
    if len(ends) > 2:
        return f"{span!r} is not a range"
    numbers = []
    for end in ends:
        number = _number(end, one)
        if number is None:
            named = f" or {', '.join(one.names)}" if one.names else ""
            return f"{end!r} is not a number from {one.least} to {one.most}{named}"
        numbers.append(number)
    return f"{span!r} ends before it begins" if numbers[0] > numbers[-1] else ""


def _number(text: str, one: _Field) -> int | None:
    known = one.names.get(text.lower())
    if known is not None:
        return known
    number = int(text) if _NUMBER.fullmatch(text) else None
    return number if number is not None and one.least <= number <= one.most else None
