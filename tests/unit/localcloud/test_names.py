# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
import json

import pytest

from localcloud import names
from localcloud.settings import Settings, SettingsError

NAMES = {"mcp.test": "10.213.1.65", "b.mcp.test": "10.213.2.65"}


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("mcp.test", "10.213.1.65"),
        ("a.MCP.test.", "10.213.1.65"),
        ("b.mcp.test", "10.213.2.65"),
        ("x.b.mcp.test", "10.213.2.65"),
        ("notmcp.test", None),
        ("test", None),
        ("example.com", None),
        ("", None),
    ],
)
def test_a_name_and_what_is_below_it(host: str, address: str | None) -> None:
    assert names.address_of(host, NAMES) == address


def test_names_are_added_replaced_and_forgotten() -> None:
    assert names.changed(NAMES, ["B.mcp.test=10.213.3.65", "mcp.test=", "gone.test=", "c.test=10.213.1.66"]) == {
        "b.mcp.test": "10.213.3.65",
        "c.test": "10.213.1.66",
    }


@pytest.mark.parametrize(
    "pair", ["mcp.test", "=10.0.0.1", "a b.test=10.0.0.1", "mcp.test=there", "mcp.test=10.0.0", "x=1"]
)
def test_what_is_no_name_or_no_address_is_refused(pair: str) -> None:
    with pytest.raises(SettingsError, match="Write "):
        names.changed({}, [pair])


async def _exchange(port: str, head: str, more: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    writer.write(head.encode() + b"\r\n\r\n" + more)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


def test_connections_are_joined_and_anything_else_is_refused(cloud_settings: Settings) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"got " + await reader.read())
        writer.close()

    async def check() -> None:
        there = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = there.sockets[0].getsockname()[1]
        proxy = asyncio.create_task(names.serve(cloud_settings))
        while not names.port_file(cloud_settings).exists():
            await asyncio.sleep(0.01)
        at = names.port_file(cloud_settings).read_text()
        # learned while it runs
        names.names_file(cloud_settings).write_text(json.dumps({"here.test": "127.0.0.1"}))
        answer = await _exchange(at, f"CONNECT a.here.test:{port} HTTP/1.1", b"hello")
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"got hello")
        refused = (
            "CONNECT other.test:443 HTTP/1.1",
            f"GET here.test:{port} HTTP/1.1",
            "CONNECT here.test:1 HTTP/1.1",
            "x",
        )
        for head in refused:
            assert (await _exchange(at, head)).startswith(b"HTTP/1.1 502"), head
        proxy.cancel()
        there.close()

    asyncio.run(asyncio.wait_for(check(), 20))
