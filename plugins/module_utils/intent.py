# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a request changes anything, decided in one table and enforced at the last stage before the socket."""

from __future__ import annotations

import re
from enum import Enum
from urllib.parse import parse_qs, urlsplit

from .errors import CheckModeViolation


class Intent(Enum):
    READ = "read"
    DRY_RUN = "dry_run"
    WRITE = "write"


# (service, method, path): what is not a GET or HEAD and yet changes nothing. An unlisted row is a write.
_READS: tuple[tuple[str, str, str], ...] = (
    ("entra", "POST", r"/[^/]+/oauth2/(v2\.0/)?token"),
    ("arm", "POST", r".*/listClusterUserCredential"),
    ("arm", "POST", r".*/listClusterAdminCredential"),
    ("arm", "POST", r".*/checkNameAvailability"),
    ("kubernetes", "POST", r"/apis/authorization\.k8s\.io/v1/selfsubject(accessreviews|rulesreviews)"),
    ("kubernetes", "POST", r"/apis/authentication\.k8s\.io/v1/selfsubjectreviews"),
    # what another account may do: answered and not stored
    ("kubernetes", "POST", r"/apis/authorization\.k8s\.io/v1/subjectaccessreviews"),
    # an MCP handshake and a list of tools; mcp_probe leaves tool calls out in check mode
    ("kubernetes", "(POST|DELETE)", r"/api/v1/namespaces/[^/]+/(services|pods)/[^/]+/proxy(/.*)?"),
    ("mcp", "(POST|DELETE)", r".*"),
    # a registry's tokens: of Azure's token flow, and of others
    ("registry", "POST", r".*/(token|oauth2/exchange)"),
)


def classify(service: str, method: str, url: str) -> Intent:
    """The intent of one request; `url` may be absolute or start at its path."""
    parts = urlsplit(url)
    method = method.upper()
    if method in ("GET", "HEAD", "OPTIONS"):
        return Intent.READ
    for row_service, row_method, row_path in _READS:
        if service == row_service and re.fullmatch(row_method, method) and re.fullmatch(row_path, parts.path, re.I):
            return Intent.READ
    if service == "kubernetes" and parse_qs(parts.query).get("dryRun") == ["All"]:
        return Intent.DRY_RUN
    return Intent.WRITE


def guard(check_mode: bool, service: str, method: str, url: str) -> None:
    """Called where a request leaves: in check mode only reads and dry runs pass."""
    if check_mode and classify(service, method, url) is Intent.WRITE:
        raise CheckModeViolation(service, method.upper(), urlsplit(url).path)
