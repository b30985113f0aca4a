# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest Python SDK's client before a server behind a gateway: with a token, or by signing in as it does by itself.

It reads one JSON object from standard input and prints one:
    url, ca, proxy      where the server is, whose certificates are trusted, and the proxy that knows its name
    mode                legacy, auto, or a version that needs no handshake
    token               a bearer token; or, instead,
    client_id, scope    of an application that is registered already, for a login with code and PKCE
    calls               pairs of a tool and its arguments
It prints `version`, `tools` and `results` (a text or an error each), or an `error`.
"""

import asyncio
import json
import ssl
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

REDIRECT = "http://localhost:33418/callback"


class Storage:
    """What the client knows beforehand: it is registered, and has no token yet."""

    def __init__(self, client: OAuthClientInformationFull) -> None:
        self.client = client
        self.tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        raise RuntimeError("The client registers itself.")


def login(asked: dict[str, Any], trust: ssl.SSLContext) -> OAuthClientProvider:
    """Where a browser would go, a plain request goes: the issuer signs its one user in at once."""
    answers: list[str] = []

    async def visit(url: str) -> None:
        async with httpx2.AsyncClient(verify=trust) as browser:
            answer = await browser.get(url)
        answers.append(answer.headers.get("location", "") or answer.text)

    async def answered() -> AuthorizationCodeResult:
        query = {name: value for name, (value,) in parse_qs(urlsplit(answers[-1]).query).items()}
        if "code" not in query:
            raise RuntimeError(query.get("error_description") or answers[-1])
        return AuthorizationCodeResult(code=query["code"], state=query.get("state"), iss=query.get("iss"))

    metadata = {"redirect_uris": [REDIRECT], "scope": asked["scope"], "token_endpoint_auth_method": "none"}
    client = OAuthClientInformationFull(client_id=asked["client_id"], **metadata)
    return OAuthClientProvider(asked["url"], OAuthClientMetadata(**metadata), Storage(client), visit, answered)


async def conversation(asked: dict[str, Any]) -> dict[str, Any]:
    trust = ssl.create_default_context(cafile=asked["ca"])
    options: dict[str, Any] = {"verify": trust, "timeout": 30}
    if asked.get("proxy"):
        # the issuer is reached by its address
        transport = httpx2.AsyncHTTPTransport(verify=trust, proxy=asked["proxy"])
        options["mounts"] = {f"https://{urlsplit(asked['url']).hostname}": transport}
    if "client_id" in asked:
        options["auth"] = login(asked, trust)
    elif asked.get("token"):
        options["headers"] = {"Authorization": f"Bearer {asked['token']}"}
    async with httpx2.AsyncClient(trust_env=False, **options) as http:
        transport = streamable_http_client(asked["url"], http_client=http)
        async with Client(transport, mode=asked.get("mode", "auto"), read_timeout_seconds=30) as client:
            tools = sorted(tool.name for tool in (await client.list_tools()).tools)
            results = []
            for name, arguments in asked["calls"]:
                try:
                    called = await client.call_tool(name, arguments)
                    results.append({"text": called.content[0].text, "structured": called.structured_content})
                except Exception as exc:
                    results.append({"error": reason(exc)})
            return {"version": client.protocol_version, "tools": tools, "results": results}


def reason(exc: BaseException) -> str:
    """Errors of tasks come in groups."""
    while inner := getattr(exc, "exceptions", ()):
        exc = inner[0]
    return f"{type(exc).__name__}: {exc}"


async def main() -> None:
    try:
        told = await conversation(json.load(sys.stdin))
    except Exception as exc:
        told = {"error": reason(exc)}
    print(json.dumps(told))


asyncio.run(main())
