# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What acr_image declares, what is wrong with it, and what it changes in a repository. Nothing here makes a request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Check, Problem, Rule, check
from ..plan import ABSENT, Change, Plan, join
from ..waiting import wait_timeout_problems
from . import names
from .acr_context import BuildSpec, build_problems, build_spec

# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
_REPOSITORY = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
_TAG = r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"
DIGEST = r"sha256:[0-9a-f]{64}"
_HOST = r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d{1,5})?"
_REFERENCE = re.compile(
    rf"(?:(?P<host>{_HOST})/)?(?P<repository>{_REPOSITORY})(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{DIGEST}))?"
)
_LONGEST_REPOSITORY = 255
# which file of the distribution answers for Docker Hub, and what its short names stand for
_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
_DOCKER_HUB_API = "registry-1.docker.io"
_OFFICIAL = "library/"


@dataclass(frozen=True)
class ImageName:
    """An image of some registry; `host` is empty where the registry is named otherwise."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def reference(self) -> str:
        """What picks it in its repository: the digest where there is one."""
        return self.digest or self.tag

    @property
    def in_repository(self) -> str:
        """As importImage names it."""
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"

    @property
    def api_host(self) -> str:
        """Where its registry answers."""
        return _DOCKER_HUB_API if self.host.lower() in _DOCKER_HUB else self.host

    def __str__(self) -> str:
        return f"{self.host}/{self.in_repository}" if self.host else self.in_repository


def parse_image(text: str) -> ImageName | None:
    """The parts of an image's name, None where it is none. A first part without dot and colon belongs to the path."""
    first, slash, rest = text.partition("/")
    has_host = bool(slash) and (any(sign in first for sign in ".:") or first == "localhost")
    found = _REFERENCE.fullmatch(text) if has_host else _REFERENCE.fullmatch(f"none/{text}")
    if found is None or (has_host and not (rest and found["host"])):
        # `my_host.io/x`: dots make a host of it, and no host has that
        return None
    host, repository = found["host"] if has_host else "", found["repository"]
    if host.lower() in _DOCKER_HUB and "/" not in repository:
        repository = f"{_OFFICIAL}{repository}"
    return ImageName(host, repository, found["tag"] or "", found["digest"] or "")


@dataclass(frozen=True)
class ImageSpec:
    """One repository's tags, all of which are to name one image."""

    registry: str
    registry_id: str
    repository: str
    tags: tuple[str, ...]
    source: ImageName | None = None
    source_registry_id: str = ""
    username: str = ""
    password: str = ""
    follow_source: bool = True
    build: BuildSpec | None = None

    @property
    def subject(self) -> str:
        return f"image {self.registry}/{self.repository}"


def image_spec(params: Mapping[str, Any], subscription_id: str) -> ImageSpec:
    """Of options without problems."""
    source: Mapping[str, Any] = params.get("source") or {}
    return ImageSpec(
        registry=params["registry"],
        registry_id=names.resource_id(subscription_id, params["resource_group"], names.REGISTRIES, params["registry"]),
        repository=params["repository"],
        tags=tuple(dict.fromkeys(params["tags"])),
        source=parse_image(source["image"]) if source else None,
        source_registry_id=source.get("registry_id") or "",
        username=source.get("username") or "",
        password=source.get("password") or "",
        follow_source=params["follow_source"],
        build=build_spec(params["build"]) if params.get("build") else None,
    )


# --- what is wrong with the options


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of acr_image."""
    return check(_RULES, params)


def _repository(params: Mapping[str, Any]) -> Iterator[Problem]:
    name = params["repository"]
    if not re.fullmatch(_REPOSITORY, name) or len(name) > _LONGEST_REPOSITORY:
        yield Problem(
            "repository",
            f"{name!r} is not a valid repository name: up to {_LONGEST_REPOSITORY} lower-case letters and digits in "
            "parts that / divides, with . _ or - between them, without registry and tag, for example tools/echo-mcp",
        )


def _tags(params: Mapping[str, Any]) -> Iterator[Problem]:
    for index, tag in enumerate(params["tags"]):
        if not re.fullmatch(_TAG, tag):
            yield Problem(
                f"tags[{index}]",
                f"{tag!r} is not a valid tag: 1 to 128 letters, digits, _ . and -, not starting with . or -",
            )


def _source(params: Mapping[str, Any]) -> Iterator[Problem]:
    source = params.get("source")
    if not source:
        return
    image = parse_image(source["image"])
    if image is None:
        yield Problem(
            "source.image",
            f"{source['image']!r} is not a valid image reference such as ghcr.io/team/server:1.4.2 or "
            "ghcr.io/team/server@sha256:<64 hexadecimal digits>",
        )
    elif not image.reference:
        yield Problem("source.image", f"{source['image']!r} names no version: add a tag or a digest")
    if image is not None:
        yield from _registry_of(image, source.get("registry_id") or "")
    if source.get("registry_id") and (source.get("username") or source.get("password")):
        yield Problem(
            "source.username", "is for registries that are not named by source.registry_id, which this identity reads"
        )
    if bool(source.get("username")) != bool(source.get("password")):
        missing = "password" if source.get("username") else "username"
        yield Problem(f"source.{missing}", "is missing: source.username and source.password are needed together")


def _registry_of(image: ImageName, registry_id: str) -> Iterator[Problem]:
    if registry_id:
        parsed = names.parse_id(registry_id)
        if parsed is None or parsed.type.lower() != names.REGISTRIES.lower() or not parsed.group:
            example = f"/subscriptions/<id>/resourceGroups/<group>/providers/{names.REGISTRIES}/<name>"
            yield Problem("source.registry_id", f"{registry_id!r} is not the id of a container registry: {example}")
        if image.host:
            yield Problem("source.image", f"names the registry {image.host}, which source.registry_id says already")
    elif not image.host:
        yield Problem(
            "source.image", "names no registry: begin with its host (docker.io/...), or set source.registry_id"
        )


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    names.name_rule("registry", names.REGISTRIES),
    names.name_rule("resource_group", names.RESOURCE_GROUPS),
    _repository,
    _tags,
    _source,
    Check("tags", lambda params: not params["tags"], "name at least one"),
    Check(
        "source",
        lambda params: params["state"] == "present" and not params.get("source") and not params.get("build"),
        "is missing: source or build says what the tags are to name",
    ),
    lambda params: build_problems(params["build"]) if params.get("build") else (),
    lambda params: wait_timeout_problems(params["wait_timeout"]),
)


# --- what changes

Tags = Mapping[str, "str | None"]
"""Tag -> the digest of what it names, None where there is no such tag."""


def wanted_digest(spec: ImageSpec, tags: Tags) -> str | None:
    """The digest that the declaration says by itself: pinned, or that of the tags that are there already and stay."""
    if spec.source is not None and spec.source.digest:
        return spec.source.digest
    if spec.follow_source or spec.build is not None:
        return None
    return next((digest for tag in spec.tags if (digest := tags.get(tag))), None)


def plan_present(spec: ImageSpec, tags: Tags, digest: str | None) -> Plan:
    """Every declared tag names the image `digest`; None where that is known only after the import."""
    after = digest or str(spec.source or spec.build)
    changes = [
        Change(join("tags", tag), tags.get(tag) or ABSENT, after)
        for tag in spec.tags
        if tags.get(tag) is None or tags.get(tag) != digest
    ]
    is_new = all(tags.get(tag) is None for tag in spec.tags)
    return Plan(spec.subject, tuple(changes), is_new=is_new and bool(changes))


def plan_absent(spec: ImageSpec, tags: Tags) -> Plan:
    found = [(tag, digest) for tag in spec.tags if (digest := tags.get(tag))]
    return Plan(spec.subject, tuple(Change(join("tags", tag), digest, ABSENT) for tag, digest in found))


def import_body(spec: ImageSpec, source: Mapping[str, Any], changed: Sequence[str], force: bool) -> dict[str, Any]:
    """The request of importImage for the tags that change."""
    return {
        "source": dict(source),
        "targetTags": [f"{spec.repository}:{tag}" for tag in changed],
        "mode": "Force" if force else "NoForce",
    }


def import_source(spec: ImageSpec, digest: str | None, here: bool) -> dict[str, Any]:
    """Where the image is copied from: this repository, where it is there already, or the declared source.

    A digest that is known is what is imported, not a tag that may have moved meanwhile.
    """
    if here and digest:
        return {"resourceId": spec.registry_id, "sourceImage": f"{spec.repository}@{digest}"}
    image = spec.source or ImageName("", spec.repository)
    named = f"{image.repository}@{digest}" if digest else image.in_repository
    if spec.source_registry_id:
        return {"resourceId": spec.source_registry_id, "sourceImage": named}
    login = {"username": spec.username, "password": spec.password}
    return {
        "registryUri": image.host,
        "sourceImage": named,
        **({"credentials": login} if spec.password else {}),
    }
