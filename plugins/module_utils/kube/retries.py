# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which answers of an API server are asked for again, and when."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.sdk import urllib3


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def never_sent(exc: Exception) -> bool:
    """Whether the connection failed before the server can have seen anything of the request."""
    known = urllib3.exceptions
    return isinstance(exc, (known.NewConnectionError, known.ConnectTimeoutError))


def busy(response: Response, repeatable: bool) -> bool:
    """The server asked to come back, or is between two lives."""
    if response.status == 429:
        return True
    if not repeatable:
        return False
    return response.status in (502, 503, 504) or (response.status == 500 and b"etcdserver:" in response.body)


def retry_after(response: Response) -> float | None:
    """The seconds that the server asks to stay away."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def backoff(attempt: int) -> float:
    """Seconds before the next attempt after this one, counted from 1."""
    # spread, so that many forks do not come back in step
    return min(2.0, 0.1 * 2.0**attempt) * random.uniform(0.75, 1.25)
