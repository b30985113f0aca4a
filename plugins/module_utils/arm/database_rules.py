# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an Azure Database for PostgreSQL and what it holds take, before the service has to say it.

Logins: https://learn.microsoft.com/azure/postgresql/security/security-manage-users. Passwords: the REST reference of
Servers - Create Or Update. Tiers and fields: azure-mgmt-postgresqlflexibleservers 3.0.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import Problem
from ..option_problems import LATER
from . import names

_TIERS = ("burstable", "generalpurpose", "memoryoptimized")
_RESERVED = ("azure_superuser", "azuresu", "azure_pg_admin", "admin", "administrator", "root", "guest", "public")
_LOGIN = re.compile(r"(?!pg_)[A-Za-z_][A-Za-z0-9_]{0,62}")
_SIZE = re.compile(r"Standard_\w+")
_KINDS = ("[a-z]", "[A-Z]", "[0-9]", "[^A-Za-z0-9]")
_LEAST_STORAGE = 32


def database_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the options of a server, a database in it or a rule of its firewall."""
    kind = str(params.get("type") or "").lower()
    declared = params.get("properties")
    if params["state"] != "present" or not isinstance(declared, Mapping):
        return
    if kind == names.FLEXIBLE_SERVERS.lower():
        yield from _of_server(declared)
        yield from _of_size(params.get("sku") or {})
    elif kind == names.SERVER_DATABASES.lower() and not str(declared.get("charset", "UTF8")).strip():
        yield Problem("properties.charset", "is empty: name an encoding, such as UTF8")
    elif kind == names.SERVER_FIREWALL_RULES.lower():
        yield from _of_rule(declared)


def _of_server(declared: Mapping[str, Any]) -> Iterator[Problem]:
    login = declared.get("administratorLogin", LATER)
    if login is not LATER and (not _LOGIN.fullmatch(str(login)) or str(login).lower() in _RESERVED):
        yield Problem(
            "properties.administratorLogin",
            f"{login!r} is not a login that Azure takes: letters, digits and _, not beginning with pg_, and none of "
            f"{', '.join(_RESERVED)}",
        )
    if wrong := wrong_password(declared.get("administratorLoginPassword", LATER), login):
        yield Problem("properties.administratorLoginPassword", wrong)
    version = declared.get("version", LATER)
    if version is not LATER and not (str(version).isdigit() and int(version) >= 11):
        yield Problem("properties.version", f"{version!r} is not a major version of PostgreSQL, such as 17")
    storage = declared.get("storage")
    size = storage.get("storageSizeGB", LATER) if isinstance(storage, Mapping) else LATER
    if size is not LATER and not (str(size).isdigit() and int(size) >= _LEAST_STORAGE):
        yield Problem("properties.storage.storageSizeGB", f"{size!r} is not a size in GB ({_LEAST_STORAGE} or more)")


def wrong_password(password: Any, login: Any = LATER) -> str:
    """Why Azure would not take it for an administrator's, without repeating it; empty where it would."""
    if password is LATER:
        return ""
    text = str(password if password is not None else "")
    kinds = sum(bool(re.search(kind, text)) for kind in _KINDS)
    if not 8 <= len(text) <= 128 or kinds < 3:
        return "takes 8 to 128 signs of three of four kinds: A-Z, a-z, 0-9, others"
    if login is not LATER and str(login) and str(login).lower() in text.lower():
        return "holds the login, which Azure refuses"
    return ""


def _of_size(sku: Mapping[str, Any]) -> Iterator[Problem]:
    name, tier = sku.get("name", LATER), sku.get("tier", LATER)
    if name is not LATER and not _SIZE.fullmatch(str(name)):
        yield Problem("sku.name", f"{name!r} is not a size of servers, such as Standard_B1ms")
    if tier is not LATER and str(tier).lower() not in _TIERS:
        yield Problem("sku.tier", f"{tier!r} is not a tier: it takes Burstable, GeneralPurpose or MemoryOptimized")


def _of_rule(declared: Mapping[str, Any]) -> Iterator[Problem]:
    ends = []
    for name in ("startIpAddress", "endIpAddress"):
        value = declared.get(name, LATER)
        if value is LATER:
            return
        try:
            ends.append(ipaddress.IPv4Address(str(value)))
        except ValueError:
            yield Problem(f"properties.{name}", f"{value!r} is not an IPv4 address")
            return
    if ends[0] > ends[1]:
        yield Problem("properties.endIpAddress", f"{ends[1]} comes before {ends[0]}, the first of the range")
