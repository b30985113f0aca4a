# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests, answers and errors as Azure spells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from .cloud import Cloud
    from .store import Resource

Body = dict[str, Any]

GATEWAY = {"x-ms-failure-cause": "gateway"}  # Resource Manager itself answered, not a resource provider


@dataclass(frozen=True)
class Call:
    """One authenticated request, its path already taken apart."""

    cloud: Cloud
    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: Any
    endpoint: str  # as the client addresses us, so that links lead back through the same name
    caller: str = ""  # object id of who asks; empty where nobody has to sign in
    held: Resource | None = None  # the vault or account whose data is asked for, at a host of its own

    def __getitem__(self, name: str) -> str:
        return self.params[name]

    def object_body(self) -> Body:
        """The body as a JSON object; anything else is the client's mistake."""
        if not isinstance(self.body, dict):
            raise ArmError(
                400, "InvalidRequestContent", "The request content was invalid and could not be deserialized."
            )
        return self.body


@dataclass
class Reply:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # what is already text (large lists are kept serialised), or no JSON at all
    media: str = "application/json; charset=utf-8"


class ArmError(Exception):
    """An answer that says no, in Resource Manager's shape: {"error": {"code", "message"}}."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def as_body(self) -> Body:
        return {"error": {"code": self.code, "message": self.message}}

    def reply(self) -> Reply:
        return Reply(self.status, self.as_body(), self.headers)


class AksError(ArmError):
    """The same in the flat shape of the AKS resource provider, without the wrapper."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        subcode: str = "",
        details: list[Body] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, code, message, headers)
        self.target = target
        self.subcode = subcode
        self.details = details

    def as_body(self) -> Body:
        body: Body = {
            "code": self.code,
            "details": self.details,
            "message": self.message,
            "subcode": self.subcode,
        }
        if self.target is not None:
            body["target"] = self.target
        return body


def page(call: Call, values: list[Any], size: int) -> Reply:
    """One page of a list with a link to the next; the token is the offset."""
    raw = call.query.get("$skiptoken", "0")
    start = int(raw) if raw.isdigit() else 0
    body: Body = {"value": values[start : start + size]}
    if start + size < len(values):
        query = {name: value for name, value in call.query.items() if name != "$skiptoken"}
        query["$skiptoken"] = str(start + size)
        body["nextLink"] = link(call, call.path, query)
    return Reply(200, body)


def link(call: Call, path: str, query: Mapping[str, str]) -> str:
    return f"{call.endpoint}{quote(path)}?{urlencode(query, quote_via=quote)}"
