# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot work in the declaration of a mesh registry, or in the address of its database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ..errors import Problem
from ..kube.capacity import wrong_amounts
from ..kube.policy_peers import range_problems
from ..kube.syntax import parse_quantity
from ..names import (
    IMAGE,
    SERVICE,
    SUBDOMAIN,
    namespace_problems,
    wrong_label_name,
    wrong_label_value,
    wrong_name,
    wrong_secret_key,
)
from ..text import texts_of_mapping
from .exposure import EXPOSED, exposure_problems
from .registry_spec import DATABASE_PORT, DEFAULT_IMAGE, EXISTING, SQLITE

_MANAGED = ("DATABASE_URL", "HOST", "PORT", "MCP_MESH_ADMIN_PORT", "MCP_MESH_LOG_LEVEL", "MCP_MESH_DEBUG_MODE")
# of the public cloud and of those of governments and of China
_AZURE = tuple(f".postgres.database.{domain}" for domain in ("azure.com", "usgovcloudapi.net", "chinacloudapi.cn"))
_ENCRYPTED = ("require", "verify-ca", "verify-full")
_NOT_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
_NOT_VALID = "is not a valid address: percent-encode what user and password have beside letters and digits"
_SECRET = ("sslpassword", "oauth_client_secret")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def wrong_url(url: str) -> str:
    """Why an existing address of a database cannot be used, without repeating it."""
    if not url.startswith(("postgres://", "postgresql://")):
        return (
            "does not begin with postgres:// or postgresql://: the registry would take it for the path of a file, and "
            "lose its agents with the pod"
        )
    if wrong := _wrong_spelling(url):
        return wrong
    try:
        hosts, mode = _hosts(url), _parameter(url, "sslmode")
    except ValueError:
        return _NOT_VALID
    if not all(hosts):
        return "names no host"
    try:
        ports_of(url)
    except ValueError:
        return "has a port that is none (1 to 65535); a / in the password is written %2F"
    if any(host.endswith(_AZURE) for host in hosts) and mode not in _ENCRYPTED:
        return f"is of Azure Database for PostgreSQL, which wants sslmode=require, and has sslmode={mode or '(none)'}"
    return ""


def _wrong_spelling(url: str) -> str:
    """What the registry's parser (net/url of Go) and libpq would read differently, or one of them not at all."""
    if any(sign.isspace() or not sign.isprintable() for sign in url):
        return "has blanks or line ends in it, or what cannot be printed: percent-encode it"
    before = url.partition("://")[2].partition("/")[0]
    user = before.partition("@")[0] if "@" in before else ""
    if "#" in url or before.count("@") > 1 or "?" in user or _NOT_ENCODED.search(url):
        return _NOT_VALID
    names = [unquote(one.partition("=")[0]) for one in url.partition("?")[2].split("&")]
    secret = next((name for name in names if name in _SECRET), "")
    return f"has {secret}, of which the pods have no use: no key and no login of that kind is mounted" if secret else ""


def ports_of(url: str) -> tuple[int, ...]:
    """The ports of an address of PostgreSQL, which may name several hosts; ValueError where one is none."""
    texts = _parameter(url, "port").split(",") if _parameter(url, "port") else [port for _host, port in _places(url)]
    if not all(not text or (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535) for text in texts):
        raise ValueError
    return tuple(sorted({int(text or DATABASE_PORT) for text in texts}))


def _hosts(url: str) -> list[str]:
    """Those of the query replace the ones in front of it."""
    named = _parameter(url, "host").split(",") if _parameter(url, "host") else []
    return [_plain(host) for host in named] or [host for host, _port in _places(url)]


def _plain(host: str) -> str:
    return host.lower().removesuffix(".")


def _places(url: str) -> list[tuple[str, str]]:
    """(host, port) of each of its hosts, as texts."""
    found = []
    for place in urlsplit(url).netloc.rpartition("@")[2].split(","):
        if place.startswith("["):
            host, _bracket, port = place[1:].partition("]")
            found.append((host, port.removeprefix(":")))
        else:
            host, _colon, port = place.partition(":")
            found.append((_plain(host), port))
    return found


def _parameter(url: str, name: str) -> str:
    return (parse_qs(urlsplit(url).query, keep_blank_values=True).get(name) or [""])[-1]


def registry_option_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    """What cannot work in the options of mesh_registry."""
    yield from namespace_problems("namespace", params["namespace"])
    if wrong := wrong_name(params["name"], "registry name, which is that of its Service", SERVICE, 40):
        yield Problem("name", wrong)
    if params["state"] == "absent":
        return
    if not 1 <= params["replicas"] <= 20:
        yield Problem("replicas", f"{params['replicas']} is not a number of pods (1 to 20)")
    for option in ("image", "database.image"):
        value = params.get("image") if option == "image" else params["database"].get("image")
        if value is not None and not IMAGE.fullmatch(value):
            yield Problem(option, f"{value!r} is not a valid image reference such as {DEFAULT_IMAGE}")
    for index, name in enumerate(params.get("image_pull_secrets") or []):
        if wrong := wrong_name(name, "Secret name", SUBDOMAIN):
            yield Problem(f"image_pull_secrets[{index}]", wrong)
    for index, name in enumerate(params.get("agent_namespaces") or []):
        yield from namespace_problems(f"agent_namespaces[{index}]", name)
    for name, value in texts_of_mapping(params.get("node_selector") or {}).items():
        if wrong := wrong_label_name(name) or (wrong_label_value(value) if isinstance(value, str) else "is not text"):
            yield Problem(f"node_selector.{name}", wrong)
    for name, value in texts_of_mapping(params.get("env") or {}).items():
        if not _VARIABLE.fullmatch(name):
            yield Problem(f"env.{name}", "is not a valid name of an environment variable")
        elif name in _MANAGED:
            yield Problem(f"env.{name}", "is set by the module; see log_level and database")
        elif not isinstance(value, str):
            yield Problem(f"env.{name}", "is not text: give a value")
    for path, resources in (
        ("resources", params.get("resources")),
        ("database.resources", params["database"].get("resources")),
    ):
        yield from _of_resources(path, resources)
    exposed = params.get(EXPOSED)
    yield from exposure_problems(EXPOSED, exposed)
    yield from range_problems(f"{EXPOSED}.agent_ranges", (exposed or {}).get("agent_ranges") or ())
    dumped = bool(params.get("backup") or params.get("restore"))
    yield from _of_database(params["database"], params["replicas"], dumped)


def _of_resources(path: str, resources: Any) -> Iterator[Problem]:
    if resources is None:
        return
    lacking = [
        f"{part}.{name}"
        for part, name in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory"))
        if name not in (resources.get(part) or {})
    ]
    if lacking:
        yield Problem(path, f"lacks {', '.join(lacking)}: a pod without them takes what others need")
    for place, message in wrong_amounts(path, resources):
        yield Problem(place, message)


def _of_database(database: Mapping[str, Any], replicas: int, dumped: bool) -> Iterator[Problem]:
    kind, existing = database["type"], database.get("existing_secret")
    if kind == SQLITE and replicas > 1:
        yield Problem("replicas", f"{replicas} registries cannot share a file: use one, or a database of PostgreSQL")
    if kind == EXISTING and not existing:
        yield Problem("database.existing_secret", "is needed: the Secret with the database's address, and its key")
    if kind != EXISTING and existing:
        yield Problem("database.existing_secret", f"belongs to type: {EXISTING}")
    if existing and (wrong := wrong_name(existing["name"], "Secret name", SUBDOMAIN)):
        yield Problem("database.existing_secret.name", wrong)
    if existing and (wrong := wrong_secret_key(existing["key"])):
        yield Problem("database.existing_secret.key", wrong)
    size = parse_quantity(database["size"])
    if size is None or size <= 0:
        yield Problem("database.size", f"{database['size']!r} is not a valid size such as 10Gi")
    storage_class = database.get("storage_class")
    if storage_class is not None and (wrong := wrong_name(storage_class, "StorageClass name", SUBDOMAIN)):
        yield Problem("database.storage_class", wrong)
    if kind == EXISTING:
        if database.get("storage_class") is not None:
            yield Problem("database.storage_class", f"is of a database that is made here, and type is {EXISTING}")
        for option in ("image", "resources"):
            if database.get(option) is not None and not dumped:
                why = f"is of a database that is made here or of what dumps it, and type is {EXISTING} without backup"
                yield Problem(f"database.{option}", f"{why} and restore")
