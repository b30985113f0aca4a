# SPDX-License-Identifier: GPL-3.0-or-later
"""An SSH server for one test: commands run on this machine as this user, so Ansible's own ssh connection is used."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh


@contextmanager
def ssh_server(directory: Path) -> Iterator[dict[str, Any]]:
    """The variables of a host that is reached through it. Its keys are made for it, and it listens here only."""
    own, client = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    key = directory / "client-key"
    client.write_private_key(str(key))
    key.chmod(0o600)
    authorized = asyncssh.import_authorized_keys(client.export_public_key().decode())
    loop = asyncio.new_event_loop()
    started = threading.Event()
    port: list[int] = []

    servers: list[Any] = []

    async def serve() -> None:
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[own],
            authorized_client_keys=authorized,
            process_factory=_run,
            sftp_factory=True,
            encoding=None,
        )
        servers.append(server)
        port.append(server.get_port())
        started.set()

    def work() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert started.wait(30), "the SSH server did not start"
    try:
        yield {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": port[0],
            "ansible_ssh_private_key_file": str(key),
            "ansible_ssh_common_args": "-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
            "-o LogLevel=ERROR -o IdentitiesOnly=yes",
        }
    finally:
        asyncio.run_coroutine_threadsafe(_close(servers[0]), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


async def _run(process: Any) -> None:
    command = process.command or "exec /bin/sh"
    child = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
    process.exit(await child.wait())


async def _close(server: Any) -> None:
    """Connections included: Ansible's ssh keeps one open for a minute after its last command."""
    server.close()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0.2)
