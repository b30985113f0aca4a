# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths that a server or a user names, and the addresses made of them. Pure.

Logins go to whoever stands at an address, so that no path may change the origin, or lead out of its prefix.
"""

from __future__ import annotations

import posixpath
import string
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import Unanswered, without_secrets


def leads_astray(path: str) -> bool:
    """Whether some reader of the path (a library, a proxy, a server) may go elsewhere than it seems to lead."""
    plain = decoded(path.partition("?")[0])
    # readers drop tabs and line ends, and take a backslash for a slash
    if not plain.startswith("/") or plain.startswith("//") or "\\" in plain or not plain.isprintable():
        return True
    return any(part in (".", "..") for part in plain.split("/"))


def stays_under(prefix: str, path: str) -> bool:
    """Whether a path is still under a prefix when it is decoded and its dot segments are resolved."""
    plain = decoded(path.partition("?")[0]).replace("\\", "/")
    resolved = posixpath.normpath(plain)
    return plain.isprintable() and (resolved == prefix or resolved.startswith(prefix + "/"))


def decoded(path: str) -> str:
    """Without percent signs, however often they were encoded: each reader on the way may decode once."""
    while (plain := unquote(path)) != path:
        path = plain
    return path


def in_ascii(path: str) -> str:
    """A path with its query as a request has it: only what is not ASCII is encoded."""
    return quote(path, safe=string.punctuation)


def at_origin(base: str, path: str) -> str:
    """The address of a path (with its query) at the origin of `base`."""
    here = urlsplit(base)
    bare, _mark, query = path.partition("?")
    address = urlunsplit((here.scheme, here.netloc, bare, query, ""))
    there = urlsplit(address)
    if leads_astray(path) or (there.scheme, there.netloc) != (here.scheme, here.netloc):
        raise foreign(path)
    return address


def foreign(address: str) -> Unanswered:
    """The verdict on a server that names an address elsewhere."""
    return Unanswered(
        "foreign_address",
        "its stream names an address for requests that is of another origin, or leads out of its own: "
        f"{without_secrets(address)}",
        "Nothing was sent there. The server, or a proxy in front of it, must name a path of its own.",
        terminal=True,
        status=200,
    )
