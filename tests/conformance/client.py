# SPDX-License-Identifier: GPL-3.0-or-later
"""What the suite starts as the client: hands its task and its output to clients.py, and ends as the real client ends.

Run with `python -I -S`, which takes a tenth of the time that loading the collection's client takes.
"""

from __future__ import annotations

import json
import os
import socket
import sys

SOCKET = "CONFORMANCE_SOCKET"


def main(url: str) -> int:
    task = {
        "url": url,
        "scenario": os.environ["MCP_CONFORMANCE_SCENARIO"],
        "context": json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}")),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as clients:
        clients.connect(os.environ[SOCKET])
        socket.send_fds(clients, [json.dumps(task).encode()], [1, 2])
        ended = clients.recv(1)
    return ended[0] if ended else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[-1]))
