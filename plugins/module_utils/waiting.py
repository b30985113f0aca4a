# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting: deadlines, backoff and polling with an injectable clock, checks of timeouts.

And the watchdog that ends a request whose peer keeps the connection busy.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar, cast

from .errors import Problem

T = TypeVar("T")

_SHORTEST_SLEEP = 0.05
"""The last look before a deadline is not one of many in no time."""


@dataclass(frozen=True)
class Clock:
    """Time, replaceable in tests."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


CLOCK = Clock()
"""Of everything that is not given another one."""


def now() -> float:
    """Seconds since some moment; only differences mean anything."""
    return CLOCK.now()


def sleep(seconds: float) -> None:
    CLOCK.sleep(seconds)


class Deadline:
    """Begins when it is made, or begun again: where the operation begins, not where the waiting does."""

    def __init__(self, seconds: float, clock: Clock | None = None) -> None:
        self.seconds = seconds
        self._clock = clock or CLOCK
        self._start = self._clock.now()

    def begin(self) -> None:
        """Another operation: what went before it is not taken from its time."""
        self._start = self._clock.now()

    @property
    def elapsed(self) -> float:
        return self._clock.now() - self._start

    @property
    def left(self) -> float:
        return self.seconds - self.elapsed

    @property
    def passed(self) -> bool:
        return self.left <= 0

    def pause(self, seconds: float) -> bool:
        """Sleep, unless that would pass the deadline; whether it slept. For pauses that somebody asked for."""
        if seconds >= self.left:
            return False
        self._clock.sleep(seconds)
        return True

    def sleep(self, seconds: float) -> None:
        """Sleep, at most until the deadline: the last look is when the time is over, not before."""
        self._clock.sleep(min(seconds, max(_SHORTEST_SLEEP, self.left)))


@dataclass(frozen=True)
class Backoff:
    """Pauses that grow: quick for what is quick, cheap for what takes long."""

    first: float
    longest: float
    factor: float = 1.5
    spread: float = 0.0
    """How far a pause may be off, as a part of it: many that wait for one thing do not come back in step."""

    def after(self, attempt: int) -> float:
        """Seconds to stay away after this attempt, counted from 0."""
        # beyond 64 the longest is long reached, and the power of a float ends somewhere
        pause = min(self.longest, self.first * self.factor ** min(attempt, 64))
        return float(pause * random.uniform(1 - self.spread, 1 + self.spread)) if self.spread else float(pause)


POLLING = Backoff(first=0.2, longest=1.5, factor=1.3)
"""How often an API server is looked at while something is waited for."""


def poll(
    look: Callable[[], T],
    missing: Callable[[T], str | None],
    deadline: Deadline,
    progress: Callable[[str], None],
    backoff: Backoff = POLLING,
    seen: T | None = None,
) -> T:
    """Look until nothing is missing or the time is over, and return what was seen last.

    `missing` says in a few words what is waited for; nothing where waiting has come to its end, well or badly. One
    look at least, unless something was `seen` already, and one when the time is over.
    """
    for attempt in count():
        seen = look() if seen is None or attempt else seen
        words = missing(seen)
        if not words or deadline.passed:
            return seen
        progress(words)
        deadline.sleep(backoff.after(attempt))
    raise AssertionError("counting does not end")


def wait_timeout_problems(seconds: Any, *, option: str = "wait_timeout", zero: bool = False) -> list[Problem]:
    """What is wrong with a longest wait; `zero` says that it may be 0, which is one look and no wait."""
    if seconds is None or seconds > 0 or (zero and seconds == 0):
        return []
    return [Problem(option, f"must be {'0 or more' if zero else 'more than 0'} seconds, is {seconds}")]


_of_thread = threading.local()
Manager = TypeVar("Manager")


class Watchdog(Deadline):
    """Begins when it is made; whoever makes it ends it. It is over with the one that watches then, if not before.

    Hence what is asked in the middle of an answer gets no time beyond that of the answer.
    """

    def __init__(self, seconds: float) -> None:
        around = (getattr(_of_thread, "deadline", None), getattr(_of_thread, "limit", None))
        seconds = min([seconds, *(max(0.0, one.left) for one in around if one is not None)])
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


def watch_socket(sock: Any) -> None:
    """Put a socket under the deadline of this thread, if it has one."""
    deadline = getattr(_of_thread, "deadline", None)
    if deadline is not None and sock is not None:
        cast(Watchdog, deadline).watch(sock)


def time_is_over() -> bool:
    """Whether the deadline of this thread has passed: what breaks now was broken off by it."""
    deadline = getattr(_of_thread, "deadline", None)
    return deadline is not None and cast(Watchdog, deadline).passed


@contextmanager
def without_watchdog() -> Iterator[None]:
    """For requests in between that have a time of their own."""
    before = getattr(_of_thread, "deadline", None), getattr(_of_thread, "limit", None)
    _of_thread.deadline = _of_thread.limit = None
    try:
        yield
    finally:
        _of_thread.deadline, _of_thread.limit = before


@contextmanager
def deadlines_within(seconds: float) -> Iterator[None]:
    """No deadline that begins in this thread meanwhile is later than that."""
    _of_thread.limit = Deadline(seconds)
    try:
        yield
    finally:
        _of_thread.limit = None


def outer_deadline_passed() -> bool:
    """Whether such a limit is over: then a timeout says nothing of the request that met it."""
    return left() <= 0


def left() -> float:
    """The seconds until such a limit is over."""
    limit: Deadline | None = getattr(_of_thread, "limit", None)
    return math.inf if limit is None else limit.left


def shared(work: Callable[..., Manager]) -> Callable[..., Manager]:
    """The work for other threads, within the limit of this one."""
    limit: Deadline | None = getattr(_of_thread, "limit", None)

    def limited(*given: Any) -> Manager:
        if limit is None:
            return work(*given)
        with deadlines_within(limit.left):
            return work(*given)

    return limited


class _Watched:
    """Before a connection of http.client."""

    sock: Any = None

    def _new_conn(self) -> Any:
        """From the first byte on: the answer of a proxy may drip as well."""
        made = super()._new_conn()  # type: ignore[misc]
        watch_socket(made)
        return made

    def getresponse(self) -> Any:
        watch_socket(self.sock)
        return super().getresponse()  # type: ignore[misc]


def watched_pool(manager: Any) -> Any:
    """A pool manager of urllib3 whose answers are under the deadline of the thread that asks."""
    manager.pool_classes_by_scheme = {
        scheme: _watching(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
    }
    return manager


def _watching(pool: Any) -> Any:
    """The names stay, because messages show them."""
    connection = type(pool.ConnectionCls.__name__, (_Watched, pool.ConnectionCls), {})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})
