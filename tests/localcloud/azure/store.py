# SPDX-License-Identifier: GPL-3.0-or-later
"""State that survives a restart: resources, operations, faults and provider registrations in one SQLite file."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    id TEXT PRIMARY KEY, type TEXT NOT NULL, subscription TEXT NOT NULL, resource_group TEXT NOT NULL,
    name TEXT NOT NULL, body TEXT NOT NULL, private TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS resources_by_type ON resources (type, subscription, resource_group);
CREATE TABLE IF NOT EXISTS operations (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, resource_id TEXT NOT NULL, location TEXT NOT NULL,
    status TEXT NOT NULL, started TEXT NOT NULL, ended TEXT, error TEXT);
CREATE INDEX IF NOT EXISTS operations_by_resource ON operations (resource_id, status);
CREATE TABLE IF NOT EXISTS registrations (
    subscription TEXT NOT NULL, namespace TEXT NOT NULL, since REAL, PRIMARY KEY (subscription, namespace));
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    remaining INTEGER, options TEXT NOT NULL);
"""

IN_PROGRESS = "InProgress"


@dataclass(frozen=True)
class Resource:
    """A stored resource: what the service answers, and beside it what it keeps to itself."""

    id: str  # canonical spelling; the key is its lower case
    type: str
    subscription: str
    group: str
    name: str
    body: dict[str, Any]
    private: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.id.lower()


@dataclass(frozen=True)
class Operation:
    id: str
    kind: str
    resource_id: str
    location: str
    status: str
    started: str
    ended: str | None = None
    error: dict[str, Any] | None = None


class Store:
    """Every call is one statement under a lock; `transaction` groups several so that no reader sees half of them."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Created with its final mode: the file holds client data that nobody else needs to read.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._lock:
            if self._db.in_transaction:
                yield  # nested: the outermost one commits
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def rows(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, arguments).fetchall()

    def change(self, sql: str, *arguments: Any) -> int:
        """Run a write; the answer is the new row's id."""
        with self._lock:
            return self._db.execute(sql, arguments).lastrowid or 0

    # --- resources

    def get(self, resource_id: str) -> Resource | None:
        found = self._resources("WHERE id = ?", resource_id.lower())
        return found[0] if found else None

    def put(self, resource: Resource) -> None:
        self.change(
            "INSERT INTO resources VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body, private = excluded.private",
            resource.key,
            resource.type.lower(),
            resource.subscription.lower(),
            resource.group.lower(),
            resource.name,
            json.dumps({"id": resource.id, "type": resource.type, "group": resource.group, "body": resource.body}),
            json.dumps(resource.private),
        )

    def update(self, resource: Resource, **changes: Any) -> Resource:
        changed = replace(resource, **changes)
        self.put(changed)
        return changed

    def delete(self, resource_id: str) -> None:
        self.change("DELETE FROM resources WHERE id = ?", resource_id.lower())

    def find(self, *, kind: str = "", subscription: str = "", group: str = "") -> list[Resource]:
        clauses, arguments = [], []
        for column, value in (("type", kind), ("subscription", subscription), ("resource_group", group)):
            if value:
                clauses.append(f"{column} = ?")
                arguments.append(value.lower())
        return self._resources(("WHERE " + " AND ".join(clauses)) if clauses else "", *arguments)

    def _resources(self, where: str, *arguments: Any) -> list[Resource]:
        rows = self.rows(f"SELECT body, private, subscription, name FROM resources {where} ORDER BY id", *arguments)
        found = []
        for text, private, subscription, name in rows:
            kept = json.loads(text)
            found.append(
                Resource(kept["id"], kept["type"], subscription, kept["group"], name, kept["body"], json.loads(private))
            )
        return found

    # --- operations

    def put_operation(self, operation: Operation) -> None:
        self.change(
            "INSERT INTO operations VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " status = excluded.status, ended = excluded.ended, error = excluded.error",
            operation.id,
            operation.kind,
            operation.resource_id.lower(),
            operation.location,
            operation.status,
            operation.started,
            operation.ended,
            json.dumps(operation.error),
        )

    def operation(self, operation_id: str) -> Operation | None:
        found = self._operations("WHERE id = ?", operation_id.lower())
        return found[0] if found else None

    def running_on(self, resource_id: str) -> Operation | None:
        found = self._operations("WHERE resource_id = ? AND status = ?", resource_id.lower(), IN_PROGRESS)
        return found[0] if found else None

    def running(self) -> list[Operation]:
        return self._operations("WHERE status = ? ORDER BY started", IN_PROGRESS)

    def _operations(self, where: str, *arguments: Any) -> list[Operation]:
        rows = self.rows(
            f"SELECT id, kind, resource_id, location, status, started, ended, error FROM operations {where}",
            *arguments,
        )
        return [
            Operation(identity, kind, resource_id, location, status, started, ended, json.loads(error))
            for identity, kind, resource_id, location, status, started, ended, error in rows
        ]
