# SPDX-License-Identifier: GPL-3.0-or-later
"""Two logs of what reached the local Azure: every request, and every write or attempted write.

`python -m localcloud.azure.requestlog [--writes] [--since LINE]` prints them; tests read them with `RequestLog`.
A write is anything but GET and HEAD on Resource Manager that is not a read in disguise (`list…Credential`).
Bodies and tokens are never logged.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

REQUESTS = "azure-requests.jsonl"
WRITES = "azure-writes.jsonl"


class RequestLog:
    def __init__(self, state: Path) -> None:
        self.requests_file = state / REQUESTS
        self.writes_file = state / WRITES
        self._lock = threading.Lock()

    def record(self, *, write: bool, **entry: Any) -> None:
        line = json.dumps({"time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"), **entry}) + "\n"
        with self._lock:
            for file in (self.requests_file, self.writes_file) if write else (self.requests_file,):
                with open(file, "a", encoding="utf-8") as out:
                    out.write(line)

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """All requests after the first `since` ones."""
        return _read(self.requests_file, since)

    def writes(self, since: int = 0) -> list[dict[str, Any]]:
        return _read(self.writes_file, since)


def _read(file: Path, since: int) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()[since:]]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Print what reached the local Azure.")
    parser.add_argument("--writes", action="store_true", help="only writes and attempted writes")
    parser.add_argument("--since", type=int, default=0, help="leave out the first lines")
    parser.add_argument("--state", type=Path, help="the local Azure's directory (default: as the settings say)")
    arguments = parser.parse_args(argv)
    state = arguments.state
    if state is None:
        from localcloud.settings import Settings

        state = Settings.load().state / "azure"
    log = RequestLog(state)
    for entry in (log.writes if arguments.writes else log.requests)(arguments.since):
        print(entry["time"], entry["method"], entry["path"], entry["status"], f"{entry['milliseconds']} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
