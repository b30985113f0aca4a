# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A deadline for everything that one request waits for, kept from outside of the thread that waits.

The timeout of a socket bounds one read: who sends a byte now and then (headers, 1xx answers, trailers) is never
late. A timer shuts the connection down instead, whereupon the blocked read comes to an end.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from ansible_collections.mcpops.platform.plugins.module_utils import waiting

_of_thread = threading.local()
T = TypeVar("T")


class Deadline(waiting.Deadline):
    """Begins when it is made; whoever makes it ends it. It is over with the one that watches then, if not before.

    Hence what is asked in the middle of an answer gets no time beyond that of the answer.
    """

    def __init__(self, seconds: float) -> None:
        around: Deadline | None = getattr(_of_thread, "deadline", None)
        if around is not None:
            seconds = max(0.0, min(seconds, around.left))
        limit: waiting.Deadline | None = getattr(_of_thread, "limit", None)
        if limit is not None:
            seconds = max(0.0, min(seconds, limit.left))
        super().__init__(seconds)
        self._lock = threading.Lock()
        self._held: socket.socket | None = None
        self._over = False
        self._timer = threading.Timer(seconds, self._strike)
        self._timer.daemon = True
        self._timer.start()

    @property
    def passed(self) -> bool:
        return self._over or super().passed

    @contextmanager
    def watching(self) -> Iterator[None]:
        """What this thread begins to read from meanwhile is shut down when the time is over."""
        before = getattr(_of_thread, "deadline", None)
        _of_thread.deadline = self
        try:
            yield
        finally:
            _of_thread.deadline = before

    def watch(self, sock: Any) -> None:
        """The socket that is read from now on, by a descriptor of its own: TLS sockets are for one thread."""
        with self._lock, contextlib.suppress(OSError):
            self._let_go()
            self._held = socket.socket(fileno=os.dup(sock.fileno()))
            if self._over:
                self._held.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """From here on the connection is somebody else's."""
        self._timer.cancel()
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def _strike(self) -> None:
        with self._lock:
            self._over = True
            if self._held is not None:
                # the other side may have ended it already
                with contextlib.suppress(OSError):
                    self._held.shutdown(socket.SHUT_RDWR)


def watch(sock: Any) -> None:
    """Put a socket under the deadline of this thread, if it has one."""
    deadline = getattr(_of_thread, "deadline", None)
    if deadline is not None and sock is not None:
        cast(Deadline, deadline).watch(sock)


@contextmanager
def unwatched() -> Iterator[None]:
    """For requests in between that have a time of their own."""
    before = getattr(_of_thread, "deadline", None), getattr(_of_thread, "limit", None)
    _of_thread.deadline = _of_thread.limit = None
    try:
        yield
    finally:
        _of_thread.deadline, _of_thread.limit = before


@contextmanager
def until(seconds: float) -> Iterator[None]:
    """No deadline that begins in this thread meanwhile is later than that."""
    _of_thread.limit = waiting.Deadline(seconds)
    try:
        yield
    finally:
        _of_thread.limit = None


def over() -> bool:
    """Whether such a limit is over: then a timeout says nothing of the request that met it."""
    return left() <= 0


def left() -> float:
    """The seconds until such a limit is over."""
    limit: waiting.Deadline | None = getattr(_of_thread, "limit", None)
    return math.inf if limit is None else limit.left


def shared(work: Callable[..., T]) -> Callable[..., T]:
    """The work for other threads, within the limit of this one."""
    limit: waiting.Deadline | None = getattr(_of_thread, "limit", None)

    def limited(*given: Any) -> T:
        if limit is None:
            return work(*given)
        with until(limit.left):
            return work(*given)

    return limited


class _Watched:
    """Before a connection of http.client."""

    sock: Any = None

    def _new_conn(self) -> Any:
        """From the first byte on: the answer of a proxy may drip as well."""
        made = super()._new_conn()  # type: ignore[misc]
        watch(made)
        return made

    def getresponse(self) -> Any:
        watch(self.sock)
        return super().getresponse()  # type: ignore[misc]


def watched(manager: Any) -> Any:
    """A pool manager of urllib3 whose answers are under the deadline of the thread that asks."""
    manager.pool_classes_by_scheme = {
        scheme: _watching(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
    }
    return manager


def _watching(pool: Any) -> Any:
    """The names stay, because messages show them."""
    connection = type(pool.ConnectionCls.__name__, (_Watched, pool.ConnectionCls), {})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})
