# SPDX-License-Identifier: GPL-3.0-or-later
"""The bodies of requests: JSON, the form of a token request, or bytes as they come."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from .wire import ArmError

LARGEST_BODY = 4 * 1024 * 1024  # Resource Manager's own limit


async def raw_body(request: Request) -> bytes:
    return await request.body()


async def read_body(request: Request) -> Any:
    """JSON, or the form of a token request; None when there is none."""
    raw = await request.body()
    if len(raw) > LARGEST_BODY:
        raise ArmError(413, "RequestContentTooLarge", f"The request content size exceeds {LARGEST_BODY} bytes.")
    if not raw.strip():
        return None
    try:
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(raw.decode(), keep_blank_values=True))
        return json.loads(raw)
    except ValueError as exc:
        raise ArmError(
            400,
            "InvalidRequestContent",
            f"The request content was invalid and could not be deserialized: '{exc}'.",
        ) from exc
