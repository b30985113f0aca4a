# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dumps of a registry's database to a volume or Blob storage, at regular times, and what is restored. Pure.

In Blob storage it is the workload identity of the pods that sends and gets them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..errors import Problem
from ..kube.apply.owned_objects import CLAIM
from ..kube.manifests import Object
from ..kube.syntax import parse_quantity
from ..names import IMAGE, SUBDOMAIN, wrong_name
from .agent_spec import DEFAULT_IMAGE as DEFAULT_RUNTIME
from .backup_scripts import BLOB_PROGRAM, DUMP, RESTORE
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


BLOB = "blob"
PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
# what Entra takes from a cluster; the webhook of AKS would project the same
_AUDIENCE = "api://AzureADTokenExchange"
_TOKEN, _AUTHORITIES = "/var/run/secrets/azure/tokens", "/etc/authorities"
_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}")
_FOLDER = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_NEEDED = ("url", "client_id", "tenant_id")
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# of a volume; in Blob storage there is no claim and no size
_OF_VOLUMES = (("backup", "claim"), ("backup", "storage_class"), ("restore", "claim"))


def blob_of(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where dumps are, when that is not a volume; empty otherwise."""
    found: Mapping[str, Any] = options.get(BLOB) or {}
    return found


def blob_container(registry: DeclaredRegistry, place: str, variables: Mapping[str, str]) -> Object:
    """What sends the dump of the directory `place`, or gets one there."""
    blob = blob_of(registry.options)
    known = {
        "PLACE": place,
        "BLOB_URL": blob["url"],
        "AZURE_CLIENT_ID": blob["client_id"],
        "AZURE_TENANT_ID": blob["tenant_id"],
        "AZURE_AUTHORITY_HOST": blob.get("authority_host") or PUBLIC_AUTHORITY,
        "AZURE_FEDERATED_TOKEN_FILE": f"{_TOKEN}/token",
        **variables,
    }
    mounts = [{"name": "backup", "mountPath": place}, {"name": "token", "mountPath": _TOKEN, "readOnly": True}]
    authorities = blob.get("ca_config_map")
    if authorities:
        known["SSL_CERT_FILE"] = f"{_AUTHORITIES}/{authorities['key']}"
        mounts.append({"name": "authorities", "mountPath": _AUTHORITIES, "readOnly": True})
    container: Object = {
        "name": BLOB,
        "image": blob.get("image") or DEFAULT_RUNTIME,
        "command": ["python", "-c", BLOB_PROGRAM],
        "env": [{"name": name, "value": value} for name, value in known.items()],
        "resources": registry.options["database"].get("resources") or RESOURCES,
        "securityContext": dict(SECURITY),
        "volumeMounts": mounts,
    }
    if registry.options.get("image_pull_policy"):
        container["imagePullPolicy"] = registry.options["image_pull_policy"]
    return container


def blob_volumes(registry: DeclaredRegistry) -> list[dict[str, Any]]:
    """The token that Entra takes, and whom the pods trust beside the authorities of their image."""
    token = {"audience": _AUDIENCE, "expirationSeconds": 3600, "path": "token"}
    found: list[dict[str, Any]] = [{"name": "token", "projected": {"sources": [{"serviceAccountToken": token}]}}]
    authorities = blob_of(registry.options).get("ca_config_map")
    if authorities:
        found.append({"name": "authorities", "configMap": {"name": authorities["name"]}})
    return found


def way_to_blob(registry: DeclaredRegistry) -> list[dict[str, Any]]:
    """Out to Entra and the storage account, wherever they are: policies know no names."""
    blob = blob_of(registry.options)
    if not blob:
        return []
    urls = (blob["url"], blob.get("authority_host") or PUBLIC_AUTHORITY)
    ports = sorted({urlsplit(url).port or 443 for url in urls})
    return [{"ports": [{"port": port, "protocol": "TCP"} for port in ports]}]


def blob_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    """What cannot work in the option `blob`, or beside it."""
    blob = params.get(BLOB)
    if not blob or params["state"] == "absent":
        return
    if not (params.get("backup") or params.get("restore")):
        yield Problem(BLOB, "is where dumps are kept, and neither backup nor restore is declared")
    for option, key in _OF_VOLUMES:
        if (params.get(option) or {}).get(key) is not None:
            yield Problem(f"{option}.{key}", f"is of a volume, and dumps are kept in Blob storage ({BLOB}.url)")
    lacking = [key for key in _NEEDED if not blob.get(key)]
    yield from (Problem(f"{BLOB}.{key}", "is needed") for key in lacking)
    if lacking:
        return
    if not _is_container(blob["url"]):
        yield Problem(
            f"{BLOB}.url",
            f"{blob['url']!r} is not the https address of a container, such as "
            "https://ACCOUNT.blob.core.windows.net/CONTAINER, or of a folder in one",
        )
    for key in ("client_id", "tenant_id"):
        if not _GUID.fullmatch(blob[key]):
            yield Problem(f"{BLOB}.{key}", f"{blob[key]!r} is not a GUID")
    if not _is_origin(blob.get("authority_host") or PUBLIC_AUTHORITY):
        yield Problem(
            f"{BLOB}.authority_host", f"{blob['authority_host']!r} is not an address such as {PUBLIC_AUTHORITY}"
        )
    if blob.get("image") is not None and not IMAGE.fullmatch(blob["image"]):
        yield Problem(f"{BLOB}.image", f"{blob['image']!r} is not a valid image reference such as {DEFAULT_RUNTIME}")
    authorities = blob.get("ca_config_map")
    if authorities:
        if wrong := wrong_name(authorities["name"], "ConfigMap name", SUBDOMAIN):
            yield Problem(f"{BLOB}.ca_config_map.name", wrong)
        if not re.fullmatch(r"[-._a-zA-Z0-9]+", authorities["key"]):
            yield Problem(f"{BLOB}.ca_config_map.key", f"{authorities['key']!r} is not a valid key of a ConfigMap")


def _is_container(url: str) -> bool:
    scheme, _sep, rest = url.partition("://")
    host, _slash, path = rest.partition("/")
    container, _slash, folder = path.rstrip("/").partition("/")
    return _is_origin(f"{scheme}://{host}") and bool(
        _CONTAINER.fullmatch(container) and (not folder or _FOLDER.fullmatch(folder))
    )


def _is_origin(url: str) -> bool:
    """https, a host, perhaps a port, and nothing else: no credentials, no signature of a SAS."""
    try:
        found = urlsplit(url)
        port = found.port
    except ValueError:
        return False
    plain = found.hostname and not (found.username or found.password or found.query or found.fragment)
    return found.scheme == "https" and bool(plain) and found.path in ("", "/") and port != 0


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
