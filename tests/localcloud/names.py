# SPDX-License-Identifier: GPL-3.0-or-later
"""Names for addresses of clusters, for clients that may edit neither /etc/hosts nor a name server: an HTTPS proxy on
loopback that knows the names it was told (`localcloud names NAME=ADDRESS`) and everything below them.

TLS stays between client and server: the proxy only joins two connections. A name it does not know it refuses.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from localcloud.files import write_atomically
from localcloud.processes import Server
from localcloud.settings import Settings, SettingsError

SOURCES = Path(__file__).resolve().parents[1]
NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
START_SECONDS = 15.0
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def server(settings: Settings) -> Server:
    return Server(settings, "names")


def names_file(settings: Settings) -> Path:
    return settings.state / "names.json"


def port_file(settings: Settings) -> Path:
    return settings.processes / "names.port"


def known(settings: Settings) -> dict[str, str]:
    try:
        names: dict[str, str] = json.loads(names_file(settings).read_text())
    except FileNotFoundError:
        return {}
    return names


def changed(names: Mapping[str, str], pairs: Sequence[str]) -> dict[str, str]:
    """The names with these NAME=ADDRESS among them; without an address a name goes."""
    found = dict(names)
    for pair in pairs:
        name, equals, address = pair.lower().partition("=")
        if not equals or not NAME.fullmatch(name):
            raise SettingsError(f"{pair!r} is no name with its address. Write NAME=ADDRESS, or NAME= to forget one.")
        if not address:
            found.pop(name, None)
            continue
        try:
            found[name] = str(ipaddress.IPv4Address(address))
        except ValueError as exc:
            raise SettingsError(f"{address!r} is no IPv4 address. Write {name}=ADDRESS.") from exc
    return found


def address_of(host: str, names: Mapping[str, str]) -> str | None:
    """That of the longest name that the host is, or is below."""
    parts = host.lower().rstrip(".").split(".")
    candidates = (".".join(parts[start:]) for start in range(len(parts)))
    return next((names[name] for name in candidates if name in names), None)


def ensure_running(settings: Settings) -> str:
    """The proxy's URL."""
    process = server(settings)
    sources = str(Path(__file__).stat().st_mtime_ns)
    if process.pid() is not None and process.record().get("sources") != sources:
        process.stop()
    if process.pid() is None:
        port_file(settings).unlink(missing_ok=True)
        argv = [sys.executable, "-m", "localcloud.names"]
        process.start(argv, {**os.environ, **settings.environment(), "PYTHONPATH": str(SOURCES)}, sources)
    deadline = time.monotonic() + START_SECONDS
    while not port_file(settings).exists():
        if process.pid() is None or time.monotonic() > deadline:
            raise process.failure("did not start")
        time.sleep(0.02)
    return f"http://127.0.0.1:{port_file(settings).read_text()}"


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()  # the other way may go on


async def _target(head: bytes, names: Mapping[str, str]) -> Streams | None:
    """A connection to who was asked for; None for what is no name of ours, or does not answer."""
    method, target, *_ = [*head.decode("latin-1").split(" "), "", ""]
    host, _, port = target.rpartition(":")
    address = address_of(host, names)
    if method != "CONNECT" or address is None or not port.isdigit():
        return None
    try:
        return await asyncio.wait_for(asyncio.open_connection(address, int(port)), 10)
    except (OSError, asyncio.TimeoutError):
        return None


async def _serve(settings: Settings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        writer.close()
        return
    target = await _target(head, known(settings))
    if target is None:
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()
        return
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    try:
        await asyncio.gather(_pump(reader, target[1]), _pump(target[0], writer))
    finally:
        writer.close()
        target[1].close()


async def serve(settings: Settings) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _serve(settings, reader, writer)

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        write_atomically(port_file(settings), str(listening.sockets[0].getsockname()[1]))
        await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Settings.load()))
