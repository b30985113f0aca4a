# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images by digest: behind the tag that a server declares comes the digest that the tag has in its registry.

A node pulls a tag once, and pods do not follow one that moves; of `name:tag@sha256:...` a node takes the digest, and a
reader sees both. Who does not know the digest of a tag (a run of the later stages alone, or one in check mode) leaves
the one that this collection has put there. Who has looked, and found no such image, has it as it is declared.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import Problem
from ..kube.fields import FIELD_MANAGER, field_step, own_routes
from ..kube.manifests import Object, ObjectRef
from .observe import SERVERS, target_by_name
from .server_spec import Declared

OPTION, KEEP = "image_digests", "keep_image_digests"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_IMAGE = tuple(map(field_step, ("spec", "deployment", "image")))


def digest_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    for image, digest in (params.get(OPTION) or {}).items():
        name, tag = str(image).rpartition("/")[2].partition(":")[::2]
        if not name or not tag or "@" in str(image):
            yield Problem(
                f"{OPTION}.{image}", "is not an image with a tag, such as registry.example.com/tools/echo:1.0.0"
            )
        if digest is not None and not _DIGEST.fullmatch(str(digest)):
            yield Problem(f"{OPTION}.{image}", f"{digest!r} is not a digest: sha256: and 64 hexadecimal digits")


def with_digests(
    servers: Sequence[Declared], params: Mapping[str, Any], live: Mapping[ObjectRef, Object]
) -> list[Declared]:
    """The servers with their images by digest; as they are declared where nobody asks for digests."""
    digests, keep = params[OPTION] or {}, bool(params[KEEP])
    if not digests and not keep:
        return list(servers)
    return [_pinned(server, digests, keep, live.get(target_by_name(SERVERS, server.key).ref)) for server in servers]


def _pinned(server: Declared, digests: Mapping[str, str | None], keep: bool, live: Object | None) -> Declared:
    image = str(server.deployment.get("image") or "")
    digest = digests.get(image)
    if digest is None and (keep or image in digests):
        # nobody knows which it is now
        digest = _standing(image, live)
    if not digest:
        return server
    resource = copy.deepcopy(dict(server.resource))
    resource["spec"]["deployment"]["image"] = f"{image}@{digest}"
    return replace(server, resource=resource)


def _standing(image: str, live: Object | None) -> str:
    """The digest behind this tag in the cluster, where it is ours and nobody else's."""
    deployment = ((live or {}).get("spec") or {}).get("deployment") or {}
    tag, at, digest = str(deployment.get("image") or "").partition("@")
    ours = live is not None and at and tag == image and _IMAGE in own_routes(live, FIELD_MANAGER)
    return digest if ours else ""
