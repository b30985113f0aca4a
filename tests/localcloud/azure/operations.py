# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-running operations: work in a thread, an outcome that is stored together with the resource it concerns.

An operation interrupted by the end of the server is run again from its beginning at the next start: the backends'
calls may be repeated, so a client that polls across a restart sees its operation end as it would have ended.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from .store import IN_PROGRESS, Operation, Store

Settle = Callable[[], None]


class OperationFailed(Exception):
    """The work ended with an error the client has to see."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Work:
    """What an operation of one kind does. `run` answers how to store the outcome; `failed` stores the failure."""

    run: Callable[[Operation], Settle]
    failed: Callable[[Operation], None]


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Operations:
    def __init__(self, store: Store, minimum_seconds: float, fault: Callable[[Operation], None]) -> None:
        self._store = store
        self._minimum = minimum_seconds
        self._fault = fault  # raises OperationFailed when a fault was asked for
        self._stopping = threading.Event()
        self._threads: set[threading.Thread] = set()
        self.works: dict[str, Work] = {}

    def begin(self, kind: str, resource_id: str, location: str) -> Operation:
        operation = Operation(str(uuid.uuid4()), kind, resource_id.lower(), location, IN_PROGRESS, now())
        self._store.put_operation(operation)
        self._start(operation)
        return operation

    def resume(self) -> None:
        for operation in self._store.running():
            self._start(operation)

    def close(self, timeout: float = 3.0) -> None:
        """Stop waiting operations; those that are at work end with the process and are resumed at its next start."""
        self._stopping.set()
        deadline = time.monotonic() + timeout
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start(self, operation: Operation) -> None:
        thread = threading.Thread(target=self._run, args=(operation,), name=f"operation-{operation.id}", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _run(self, operation: Operation) -> None:
        try:
            if self._stopping.wait(self._minimum):
                return
            work = self.works[operation.kind]
            try:
                self._fault(operation)
                settle = work.run(operation)
            except OperationFailed as exc:
                if not self._stopping.is_set():  # what fails while everything ends is tried again at the next start
                    self._fail(operation, work, exc.code, exc.message)
            except Exception as exc:
                if self._stopping.is_set():
                    return
                traceback.print_exc(file=sys.stderr)
                self._fail(operation, work, "InternalOperationError", f"Internal server error: {exc}")
            else:
                # One transaction: a client never sees a finished resource whose operation still blocks it.
                with self._store.transaction():
                    settle()
                    self._end(operation, "Succeeded", None)
        finally:
            self._threads.discard(threading.current_thread())

    def _fail(self, operation: Operation, work: Work, code: str, message: str) -> None:
        with self._store.transaction():
            work.failed(operation)
            self._end(operation, "Failed", {"code": code, "message": message, "details": []})

    def _end(self, operation: Operation, status: str, error: dict[str, Any] | None) -> None:
        self._store.put_operation(replace(operation, status=status, ended=now(), error=error))
