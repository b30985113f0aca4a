# SPDX-License-Identifier: GPL-3.0-or-later
"""The local Azure as an ASGI application."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import traceback
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import formatdate
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as PathRoute
from starlette.types import Receive, Scope, Send

from localcloud.clusters import ClusterBackend
from localcloud.databases import DatabaseBackend
from localcloud.registries import RegistryBackend

from . import data_plane, gate
from .bodies import read_body
from .cloud import Cloud
from .config import AzureConfig
from .data_routes import GRAPH, PLANES, graph
from .routes import OPEN_ROUTES, match
from .store import Resource
from .wire import ArmError, Call, Reply

HEADERS = {
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Expires": "-1",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}
REMAINING = {"GET": ("reads", 16499), "HEAD": ("reads", 16499), "DELETE": ("deletes", 14999)}


class Reset(Exception):
    """The connection has to end without an answer."""


def create_app(
    config: AzureConfig,
    backend: ClusterBackend,
    registries: RegistryBackend | None = None,
    databases: DatabaseBackend | None = None,
) -> Starlette:
    cloud = Cloud(config, backend, registries, databases)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        cloud.start()
        yield
        await asyncio.to_thread(cloud.close)

    def health(_: Request) -> Response:
        """For `localcloud up` and `status`: is it there, and which clusters are still being started again?"""
        starter = cloud.starter
        body = {"status": "ok", "starting": sorted(starter.pending), "failed": dict(starter.failed)}
        return JSONResponse(body)

    routes = [PathRoute("/localcloud/health", health, methods=["GET"]), PathRoute("/{path:path}", Door(cloud))]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.cloud = cloud
    return app


class Door:
    """Takes every request that is Azure's: answers it, logs it, or breaks the connection when asked to."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        began = time.monotonic()
        request_id = str(uuid.uuid4())
        write = False
        status = 0
        held = data_plane.addressed(self._cloud, PLANES, request.headers.get("host", ""), _port(scope))
        writes = held is None and _is_write(request)  # for requests that were refused
        try:
            if held is None:
                reply, write = await self._answer(request)
            else:
                reply = await self._answer_held(request, *held)
            status = reply.status
        except ArmError as exc:
            reply, write, status = exc.reply(), writes, exc.status
        except Reset:
            write = writes
            self._log(request, status, began, write)
            await _hang_up(request)
            return
        except ClientDisconnect:
            return
        except Exception as exc:
            traceback.print_exc(file=sys.stderr)
            reply = ArmError(500, "InternalServerError", f"The local cloud failed: {exc}").reply()
            write, status = writes, 500
        self._log(request, status, began, write)
        await _response(request, reply, request_id)(scope, receive, send)

    def _log(self, request: Request, status: int, began: float, write: bool) -> None:
        self._cloud.log.record(
            write=write,
            method=request.method,
            path=request.url.path,
            api_version=request.query_params.get("api-version", ""),
            status=status,
            milliseconds=round((time.monotonic() - began) * 1000, 1),
            client_request_id=request.headers.get("x-ms-client-request-id", ""),
            user_agent=request.headers.get("user-agent", ""),
        )

    async def _answer_held(self, request: Request, plane: data_plane.Plane, resource: Resource | None) -> Reply:
        """What a vault or a storage account answers, at its own host: Resource Manager has no part in it."""
        method, path = request.method, request.url.path
        if fault := self._cloud.faults.take("slow", method, path):
            await asyncio.sleep(fault.options["seconds"])
        if self._cloud.faults.take("reset", method, path):
            raise Reset
        if resource is None:
            raise ArmError(404, "NotFound", "No vault or storage account of this local cloud has this host.")
        body = await plane.read(request)
        call = self._call(request, path, {}, body)
        return plane.answer(replace(call, held=resource))

    async def _answer(self, request: Request) -> tuple[Reply, bool]:
        """The answer, and whether the request counts as a write."""
        cloud, method, path = self._cloud, request.method, request.url.path
        if path.startswith("//"):  # an endpoint with a trailing slash, joined carelessly
            path = path[1:]
        if fault := cloud.faults.take("slow", method, path):
            await asyncio.sleep(fault.options["seconds"])
        if cloud.faults.take("reset", method, path):
            raise Reset
        body = await read_body(request)
        opened = match(OPEN_ROUTES, method, path)
        if opened is not None:
            gate.answer_instead(cloud, method, path)
            route, params = opened
            return route.handler(self._call(request, path, params, body)), False
        if path.startswith(GRAPH):
            return graph(self._call(request, path, {}, body)), False
        caller = cloud.entra.authenticate(request.headers.get("authorization", ""))
        gate.answer_instead(cloud, method, path)
        route, params = gate.find_route(method, path)
        gate.check_version(request.query_params, route.namespace, path)
        gate.admit(cloud, route, params, gate.Asked(caller, body))
        call = self._call(request, path, params, body, caller)
        if route.blocking:
            return await asyncio.to_thread(route.handler, call), not route.reads
        return route.handler(call), not route.reads

    def _call(self, request: Request, path: str, params: dict[str, str], body: Any, caller: str = "") -> Call:
        host = request.headers.get("host", self._cloud.config.endpoint.removeprefix("https://"))
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = dict(request.query_params)
        return Call(self._cloud, request.method, path, params, query, headers, body, f"https://{host}", caller)


def _port(scope: Scope) -> int:
    """Where the request was received."""
    server = scope.get("server")
    return int(server[1] or 0) if server else 0


def _is_write(request: Request) -> bool:
    """For requests that were refused before or after their route was known."""
    path = request.url.path
    if request.method in ("GET", "HEAD") or path.startswith(GRAPH) or match(OPEN_ROUTES, request.method, path):
        return False
    return not path.rstrip("/").rsplit("/", 1)[-1].lower().startswith(("list", "check"))


async def _hang_up(request: Request) -> None:
    """Close the connection under the client, as a broken gateway does."""
    transport = request.scope.get("state", {}).get("transport")
    if transport is None:
        raise ConnectionResetError("the connection is reset on request of a test")
    transport.abort()
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _response(request: Request, reply: Reply, request_id: str) -> Response:
    headers = {**HEADERS, **{name: str(value) for name, value in reply.headers.items()}}
    correlation = request.headers.get("x-ms-correlation-request-id", request_id)
    headers["x-ms-request-id"] = request_id
    headers["x-ms-correlation-request-id"] = correlation
    headers["x-ms-routing-request-id"] = f"LOCALCLOUD:{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}:{request_id}"
    kind, remaining = REMAINING.get(request.method, ("writes", 1199))
    if not any(name.lower().startswith("x-ms-ratelimit") for name in headers):
        headers[f"x-ms-ratelimit-remaining-subscription-{kind}"] = str(remaining)
    if request.headers.get("x-ms-return-client-request-id", "").lower() == "true":
        headers["x-ms-client-request-id"] = request.headers.get("x-ms-client-request-id", "")
    headers["Date"] = formatdate(usegmt=True)
    content = reply.raw
    if content is None and reply.body is not None:
        content = json.dumps(reply.body).encode()
    if content is None or reply.status == 204:
        return Response(status_code=reply.status, headers=headers)
    return Response(content, reply.status, headers, reply.media)
