# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dumps of a registry's database in Blob storage, by the workload identity of the pods that send and get them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..errors import Problem
from ..kube.manifests import Object
from ..names import IMAGE, SUBDOMAIN, wrong_name
from .agent_spec import DEFAULT_IMAGE as DEFAULT_RUNTIME
from .blob_program import PROGRAM
from .registry_spec import RESOURCES, SECURITY, DeclaredRegistry

BLOB = "blob"
PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
# what Entra takes from a cluster; the webhook of AKS would project the same
_AUDIENCE = "api://AzureADTokenExchange"
_TOKEN, _AUTHORITIES = "/var/run/secrets/azure/tokens", "/etc/authorities"
_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}")
_FOLDER = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
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
        "command": ["python", "-c", PROGRAM],
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
