# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent of the Microsoft Agent Framework as a service: it answers questions with what tools of MCP servers tell it.

Its configuration is a file of TOML (AGENT_CONFIG, else /app/config/agent.toml); the key of its model is a variable.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import tomllib
import uvicorn
from agent_framework import Agent, MCPStreamableHTTPTool
from agent_framework_openai import OpenAIChatCompletionClient
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

FILE = Path(os.environ.get("AGENT_CONFIG", "/app/config/agent.toml"))
PORT = int(os.environ.get("PORT", "8000"))
PATIENCE = 10.0
"""Seconds for what a look at the health waits for."""

QUESTIONS = Counter("agent_requests", "Questions that were asked", ["status"])
SECONDS = Histogram("agent_request_seconds", "How long answers took", buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300))
TOKENS = Counter("agent_tokens", "Tokens of the model", ["kind"])
TOOL_CALLS = Counter("agent_tool_calls", "Calls of tools", ["tool"])
HEALTHY = Gauge("agent_component_healthy", "Whether a component is healthy, as the last look found it", ["component"])


def settings() -> dict[str, Any]:
    """The table `agent` of the file; what is lacking is said at the start, before anybody asks."""
    found: dict[str, Any] = tomllib.loads(FILE.read_text(encoding="utf-8")).get("agent", {})
    lacking = [name for name in ("base_url", "model") if not found.get("openai", {}).get(name)]
    if lacking:
        raise SystemExit(f"{FILE}: [agent.openai] lacks {' and '.join(lacking)}")
    for index, server in enumerate(found.get("mcp", [])):
        if not server.get("name") or not server.get("url") or server.get("type", "http") != "http":
            raise SystemExit(f"{FILE}: [[agent.mcp]] {index + 1} needs name, url, and type http")
    return found


SETTINGS = settings()
MODEL: dict[str, Any] = SETTINGS["openai"]
SERVERS: list[dict[str, Any]] = [one for one in SETTINGS.get("mcp", []) if one.get("enabled", True)]
PROMPT = Path(SETTINGS["system_prompt_file"]).read_text(encoding="utf-8") if "system_prompt_file" in SETTINGS else ""


def tools_of(server: dict[str, Any]) -> MCPStreamableHTTPTool:
    return MCPStreamableHTTPTool(
        name=server["name"],
        url=server["url"],
        load_prompts=False,
        approval_mode="never_require",
        static_headers=server.get("headers"),
        request_timeout=int(SETTINGS.get("tool_timeout", 60)),
    )


async def answer(question: str) -> dict[str, Any]:
    """One answer; tools are connected for each question, so that servers may come and go."""
    async with AsyncExitStack() as stack:
        tools = [await stack.enter_async_context(tools_of(server)) for server in SERVERS]
        client = OpenAIChatCompletionClient(
            model=MODEL["model"], base_url=MODEL["base_url"], api_key=os.environ.get("OPENAI_API_KEY", "none")
        )
        agent = Agent(client=client, name="agent", instructions=PROMPT or SETTINGS.get("system_prompt"), tools=tools)
        said = await agent.run(question)
    called = [one.name for message in said.messages for one in message.contents if one.type == "function_call"]
    for name in called:
        TOOL_CALLS.labels(name).inc()
    usage = said.usage_details or {}
    for kind in ("input", "output"):
        TOKENS.labels(kind).inc(usage.get(f"{kind}_token_count") or 0)
    return {"answer": said.text, "tools": called}


async def chat(request: Request) -> Response:
    try:
        question = (await request.json())["message"]
    except (ValueError, KeyError, TypeError):
        return JSONResponse({"error": 'the body is JSON: {"message": TEXT}'}, 400)
    start, status = time.monotonic(), "error"
    try:
        found = await answer(str(question))
        status = "ok"
        return JSONResponse(found)
    except Exception as failed:
        logging.exception("no answer")
        return JSONResponse({"error": f"{type(failed).__name__}: {failed}"}, 502)
    finally:
        SECONDS.observe(time.monotonic() - start)
        QUESTIONS.labels(status).inc()


async def model_answers() -> None:
    headers = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', 'none')}"}
    async with httpx2.AsyncClient(timeout=PATIENCE, headers=headers) as client:
        (await client.get(f"{MODEL['base_url'].rstrip('/')}/models")).raise_for_status()


async def has_tools(server: dict[str, Any]) -> None:
    async with tools_of(server) as tool:
        if not tool.functions:
            raise RuntimeError("it has no tools")


async def looked_at(name: str, look: Awaitable[None]) -> tuple[str, dict[str, str]]:
    try:
        await asyncio.wait_for(look, PATIENCE)
        found = {"status": "ok"}
    except Exception as failed:
        found = {"status": "down", "message": f"{type(failed).__name__}: {failed}"[:200]}
    HEALTHY.labels(name).set(found["status"] == "ok")
    return name, found


async def health(_request: Request) -> Response:
    """How all that is behind the agent is. No probe: a model that is away is no reason to restart an agent."""
    looks = [looked_at("model", model_answers()), *(looked_at(f"mcp/{one['name']}", has_tools(one)) for one in SERVERS)]
    components = dict(await asyncio.gather(*looks))
    well = all(one["status"] == "ok" for one in components.values())
    return JSONResponse({"status": "ok" if well else "degraded", "components": components}, 200 if well else 503)


async def alive(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def metrics(_request: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@asynccontextmanager
async def life(_app: Starlette) -> AsyncIterator[None]:
    logging.info("%s", json.dumps({"tools of": [one["name"] for one in SERVERS], "model": MODEL["model"]}))
    yield


ROUTES = [
    Route("/chat", chat, methods=["POST"]),
    Route("/health", health),
    Route("/health/live", alive),
    Route("/health/ready", alive),
    Route("/metrics", metrics),
]

if __name__ == "__main__":
    logging.basicConfig(level=SETTINGS.get("log_level", "INFO"))
    uvicorn.run(Starlette(routes=ROUTES, lifespan=life), host="0.0.0.0", port=PORT, log_config=None)
