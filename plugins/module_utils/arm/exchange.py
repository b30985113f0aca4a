# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes to ARM, whoever carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.mcpops.platform.plugins.module_utils.http import Response


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Unreachable(Exception):
    """No answer. `sent` says whether the request may have reached the service all the same."""

    def __init__(self, reason: str, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


class Sender(Protocol):
    def send(self, request: Request) -> Response: ...

    def renew(self) -> None:
        """Forget the token: the service no longer takes it."""
