# SPDX-License-Identifier: GPL-3.0-or-later
"""What the local Azure asks of whatever holds the images of its container registries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class RegistryFailure(Exception):
    """A registry could not be started, or an image could not be copied; the message is for who asked."""


class AccessRefused(Exception):
    """The credentials are not good for this registry."""


class Access(Protocol):
    """Who may do what in one registry: the local Azure's half of the token flow."""

    def principal_of(self, entra_token: str) -> str:
        """The object id behind an Entra token, or AccessRefused."""

    def signs_in(self, user: str, password: str) -> str:
        """The subject of a user and password (the admin user, or an application and its secret), or AccessRefused."""

    def actions(self, subject: str) -> frozenset[str]:
        """What a subject may do with repositories, in the words of the token flow; an empty subject is anybody."""

    def identity_token(self, address: str, resource: str) -> str:
        """An Entra token for the identity of the node at this address, or AccessRefused."""


@dataclass(frozen=True)
class ImageSource:
    """An image to copy: of a registry of ours (`registry`), or of any at an address."""

    repository: str
    reference: str  # a tag or a digest
    registry: str = ""
    address: str = ""
    user: str = ""
    password: str = ""


@dataclass(frozen=True)
class BuildRequest:
    """What a run builds: an uploaded context, and the (repository, tag) names that its image gets."""

    source: str
    dockerfile: str
    tags: tuple[tuple[str, str], ...]
    log: str
    arguments: Mapping[str, str] = field(default_factory=dict)


class RegistryBackend(Protocol):
    """Every call blocks until it is done and may be repeated."""

    def reserve(self, name: str) -> str:
        """The login server of a registry, which stays the same; nothing runs yet."""

    def open(self, name: str, access: Access) -> None:
        """Let the registry answer at its login server."""

    def delete(self, name: str) -> None:
        """End it and remove its images; absent is fine."""

    def close(self) -> None:
        """End all of them and keep their images."""

    def has_tag(self, name: str, repository: str, tag: str) -> bool: ...

    def copy(self, source: ImageSource, name: str, tags: Sequence[tuple[str, str]], untagged: Sequence[str]) -> str:
        """Copy an image under (repository, tag) names, and into repositories without a tag; its digest."""

    def blob_url(self, name: str, path: str) -> str:
        """Where a client may write and read this blob of the registry, without any other credentials."""

    def write_log(self, name: str, path: str, text: str) -> None: ...

    def build(self, name: str, request: BuildRequest) -> str:
        """Build an image and push it; its digest. What happens is in the log."""


class NoImages:
    """Registries that exist for Resource Manager only: they hold no image, and none can be copied to them."""

    def reserve(self, name: str) -> str:
        return f"{name.lower()}.azurecr.io"

    def open(self, name: str, access: Access) -> None:
        """There is nothing to open."""

    def delete(self, name: str) -> None:
        """There is nothing to delete."""

    def close(self) -> None:
        """There is nothing to close."""

    def has_tag(self, name: str, repository: str, tag: str) -> bool:
        return False

    def copy(self, source: ImageSource, name: str, tags: Sequence[tuple[str, str]], untagged: Sequence[str]) -> str:
        raise RegistryFailure("Error copying blobs: this registry has no data plane.")

    def blob_url(self, name: str, path: str) -> str:
        return f"https://{self.reserve(name)}/{path}"

    def write_log(self, name: str, path: str, text: str) -> None:
        """Nobody reads it."""

    def build(self, name: str, request: BuildRequest) -> str:
        raise RegistryFailure("This registry has no data plane.")
