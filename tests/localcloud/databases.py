# SPDX-License-Identifier: GPL-3.0-or-later
"""What the local Azure asks of whatever runs the servers of its Azure Database for PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class DatabaseFailure(Exception):
    """A server could not be started, or did not do what it was told; the message is for who asked."""


@dataclass(frozen=True)
class Admission:
    """Who may connect: ranges of addresses (first, last), where those of Azure count as 0.0.0.0; and if without TLS."""

    ranges: tuple[tuple[str, str], ...]
    plain: bool = False


class DatabaseBackend(Protocol):
    """Every call blocks until it is done and may be repeated."""

    def versions(self) -> tuple[str, ...]:
        """The major versions that can be had, the oldest first."""

    def host(self, name: str) -> str:
        """Where a server of this name answers, at port 5432; DatabaseFailure where there is no place for it."""

    def open(self, name: str, login: str, password: str, admission: Admission) -> None:
        """Let it run with this administrator; an empty password leaves the one that it has."""

    def admit(self, name: str, admission: Admission) -> None: ...

    def databases(self, name: str, wanted: Sequence[str], unwanted: Sequence[str] = ()) -> None:
        """Let it have the wanted databases, and drop the others."""

    def delete(self, name: str) -> None:
        """End it and remove its data; absent is fine."""

    def close(self) -> None:
        """End all of them and keep their data."""


class NoDatabases:
    """Servers that exist for Resource Manager only."""

    def versions(self) -> tuple[str, ...]:
        return ("14", "15", "16", "17")

    def host(self, name: str) -> str:
        return f"{name}.postgres.database.azure.com"

    def open(self, name: str, login: str, password: str, admission: Admission) -> None:
        """There is nothing to open."""

    def admit(self, name: str, admission: Admission) -> None:
        """Nobody connects."""

    def databases(self, name: str, wanted: Sequence[str], unwanted: Sequence[str] = ()) -> None:
        """There is nothing to make."""

    def delete(self, name: str) -> None:
        """There is nothing to delete."""

    def close(self) -> None:
        """There is nothing to close."""
