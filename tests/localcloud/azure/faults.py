# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on demand: `localcloud fault add throttle --seconds 2 --count 3 --path managedClusters`.

They live in the local Azure's database, so the command, the tests and the server need no channel between them,
and a fault survives a restart of the server until it is used up or cleared.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .store import Store

DATABASE = "azure.sqlite3"


@dataclass(frozen=True)
class Kind:
    """One kind of fault: what it does, how often by default (None: until cleared) and what it can be told."""

    help: str
    count: int | None = 1
    method: str = ".*"
    path: str = ".*"
    options: dict[str, Any] = field(default_factory=dict)
    required: tuple[str, ...] = ()


WRITES = "PUT|PATCH|POST|DELETE"
CLUSTERS = "/managedClusters(/|$)"

KINDS: dict[str, Kind] = {
    "throttle": Kind("answer 429 with Retry-After", options={"seconds": 1}),
    "unavailable": Kind("answer 503 (with Retry-After when seconds are given)", options={"seconds": 0}),
    "reset": Kind("close the connection without an answer"),
    "slow": Kind("answer only after some seconds", options={"seconds": 1}),
    "token-expired": Kind("refuse the bearer token as expired"),
    "missing": Kind("answer 404 as a replica does that lags behind", method="GET"),
    "busy": Kind("answer 409 OperationNotAllowed", method=WRITES, path=CLUSTERS),
    "etag-race": Kind(
        "answer 409 EtagMismatch, or 412 when told", method="PUT|DELETE", path=CLUSTERS, options={"status": 409}
    ),
    "forbidden": Kind("answer 403 for actions that match a pattern", count=None, options={"action": "*"}),
    "operation-failed": Kind(
        "let the next operation end as Failed",
        options={"operation": ".*", "code": "SkuNotAvailable", "message": ""},
    ),
    "operation-slow": Kind("let the next operation take some seconds more", options={"operation": ".*", "seconds": 1}),
    "quota": Kind(
        "set a limit of a family, of cores or lowPriorityCores, in a location ('*': everywhere)",
        count=None,
        options={"name": "", "limit": 0, "location": "*"},
        required=("name", "limit"),
    ),
    "restrict-sku": Kind(
        "restrict a size in a location ('*': everywhere), or only in zones '1,2'",
        count=None,
        options={"size": "", "location": "*", "zones": ""},
        required=("size",),
    ),
    "principal-unknown": Kind(
        "let the directory not know a principal ('*': none) yet, when a role is assigned to it",
        options={"principal": "*"},
    ),
    "role-late": Kind(
        "let roles that are assigned at a scope take effect only after some seconds",
        count=None,
        options={"seconds": 5},
    ),
    "federation-busy": Kind(
        "answer 409 to a write of a federated credential, as if another one of its identity were being written",
        method="PUT|DELETE",
        path="/federatedIdentityCredentials/",
    ),
    "unregistered": Kind(
        "make a resource provider unregistered until it is registered",
        count=None,
        options={"namespace": ""},
        required=("namespace",),
    ),
}


@dataclass(frozen=True)
class Fault:
    id: int
    kind: str
    method: str
    path: str
    remaining: int | None
    options: dict[str, Any]

    def matches(self, method: str, path: str) -> bool:
        return bool(re.fullmatch(self.method, method, re.IGNORECASE) and re.search(self.path, path, re.IGNORECASE))


class FaultError(ValueError):
    """A fault that cannot be set; the message says what would be right."""


class Faults:
    """Set and take faults. Tests use `with Faults.at(state).during("throttle", seconds=1): ...`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    def at(cls, state: Path) -> Faults:
        """The faults of the local Azure that keeps its state in this directory."""
        return cls(Store(state / DATABASE))

    def add(
        self,
        kind: str,
        *,
        method: str | None = None,
        path: str | None = None,
        count: int | None = None,
        **options: Any,
    ) -> int:
        known = KINDS.get(kind)
        if known is None:
            raise FaultError(f"There is no fault {kind!r}. Known: {', '.join(sorted(KINDS))}.")
        if unknown := sorted(set(options) - set(known.options)):
            raise FaultError(f"Fault {kind!r} has no option {unknown[0]!r}. It has: {', '.join(known.options) or '-'}.")
        if missing := [name for name in known.required if options.get(name, "") == ""]:
            raise FaultError(f"Fault {kind!r} needs {' and '.join(missing)}.")
        for pattern in (method, path):
            try:
                re.compile(pattern or "")
            except re.error as exc:
                raise FaultError(f"{pattern!r} is not a valid regular expression: {exc}.") from exc
        return self._store.change(
            "INSERT INTO faults (kind, method, path, remaining, options) VALUES (?, ?, ?, ?, ?)",
            kind,
            method or known.method,
            path or known.path,
            count if count is not None else known.count,
            json.dumps({**known.options, **options}),
        )

    def active(self, kind: str = "") -> list[Fault]:
        rows = self._store.rows("SELECT id, kind, method, path, remaining, options FROM faults ORDER BY id")
        return [
            Fault(fault_id, name, method, path, remaining, json.loads(options))
            for fault_id, name, method, path, remaining, options in rows
            if kind in ("", name)
        ]

    def remove(self, fault_id: int) -> None:
        self._store.change("DELETE FROM faults WHERE id = ?", fault_id)

    def clear(self) -> None:
        self._store.change("DELETE FROM faults")

    def take(self, kind: str, method: str, path: str) -> Fault | None:
        """The first fault of this kind that matches, counted as used once."""
        return next((self.use(fault) for fault in self.active(kind) if fault.matches(method, path)), None)

    def use(self, fault: Fault) -> Fault:
        if fault.remaining is not None and fault.remaining <= 1:
            self.remove(fault.id)
        elif fault.remaining is not None:
            self._store.change("UPDATE faults SET remaining = remaining - 1 WHERE id = ?", fault.id)
        return fault

    @contextmanager
    def during(self, kind: str, **options: Any) -> Iterator[int]:
        fault_id = self.add(kind, **options)
        try:
            yield fault_id
        finally:
            self.remove(fault_id)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="localcloud fault", description="Let the local Azure fail on demand.")
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="add a fault")
    kinds = add.add_subparsers(dest="kind", required=True)
    for name, kind in KINDS.items():
        sub = kinds.add_parser(name, help=kind.help, description=kind.help)
        sub.add_argument("--method", help=f"regular expression for the whole method (default {kind.method})")
        sub.add_argument("--path", help=f"regular expression found in the path or resource id (default {kind.path})")
        sub.add_argument("--count", type=int, help=f"how often (default {kind.count or 'until cleared'})")
        for option, default in kind.options.items():
            sub.add_argument(
                f"--{option}",
                type=type(default),
                default=None if option in kind.required else default,
                required=option in kind.required,
                help=None if option in kind.required else f"default {default!r}",
            )
    commands.add_parser("list", help="list the faults that are set")
    clear = commands.add_parser("clear", help="remove all faults, or those named by id")
    clear.add_argument("ids", nargs="*", type=int)
    return parser


def main(argv: Sequence[str], state: Path | None = None) -> int:
    """The command line. `state` is the local Azure's directory; without it the one of the settings."""
    arguments = vars(_parser().parse_args(argv))
    if state is None:
        from localcloud.settings import Settings

        state = Settings.load().state / "azure"
    faults = Faults.at(state)
    command = arguments.pop("command")
    if command == "add":
        try:
            print(faults.add(arguments.pop("kind"), **arguments))
        except FaultError as exc:
            print(exc)
            return 2
    elif command == "list":
        for fault in faults.active():
            left = "until cleared" if fault.remaining is None else f"{fault.remaining} left"
            options = " ".join(f"{name}={value}" for name, value in fault.options.items())
            print(f"{fault.id}\t{fault.kind}\t{fault.method}\t{fault.path}\t{left}\t{options}")
    else:
        for fault_id in arguments["ids"]:
            faults.remove(fault_id)
        if not arguments["ids"]:
            faults.clear()
    return 0
