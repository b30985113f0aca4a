# SPDX-License-Identifier: GPL-3.0-or-later
"""An SSH server for one test: commands run on this machine as this user, so Ansible's own ssh connection is used."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh

TESTS = Path(__file__).parents[1]


@contextmanager
def ssh_server(directory: Path) -> Iterator[dict[str, Any]]:
    """The variables of a host that is reached through it. Its keys are made for it, and it listens here only."""
    client = asyncssh.generate_private_key("ssh-ed25519")
    key = directory / "client-key"
    client.write_private_key(str(key))
    key.chmod(0o600)
    server = subprocess.Popen(
        [sys.executable, "-m", "support.ssh_server", client.export_public_key().decode()],
        cwd=TESTS,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": int(server.stdout.readline()),
            "ansible_ssh_private_key_file": str(key),
            "ansible_ssh_common_args": "-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
            "-o LogLevel=ERROR -o IdentitiesOnly=yes",
        }
    finally:
        # with it go the connections that Ansible's ssh keeps for a minute
        server.kill()
        server.wait()


async def serve(authorized: str) -> None:
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        authorized_client_keys=asyncssh.import_authorized_keys(authorized),
        process_factory=_run,
        sftp_factory=True,
        encoding=None,
    )
    print(server.get_port(), flush=True)
    await asyncio.Event().wait()


async def _run(process: Any) -> None:
    child = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        process.command or "exec /bin/sh",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
    status = await child.wait()
    # The child can end before what it wrote is on its way: without this, now and then an answer was empty.
    await process.stdout.drain()
    await process.stderr.drain()
    process.exit(status)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
