# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images by digest: behind the tag that is declared comes the digest that the tag has in its registry.

A node pulls a tag once, and pods do not follow one that moves; of `name:tag@sha256:...` a node takes the digest, and a
reader sees both. Who does not know the digest of a tag (a run of the later stages alone, or one in check mode) leaves
the one that this collection has put there. Who has looked, and found no such image, has it as it is declared. Check
mode cannot know the digest of what is still to be built, but that it will be another one: that is what the plan says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import Problem
from .fields import FIELD_MANAGER, Route, own_routes, value_at
from .manifests import Object

OPTION, KEEP = "image_digests", "keep_image_digests"
ARGUMENTS: dict[str, Any] = {OPTION: {"type": "dict"}, KEEP: {"type": "bool", "default": False}}
UNKNOWN = "unknown"
"""In place of a digest: it will be another one, known once the run has made the image."""
LATER = "(its digest is known once it is built)"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    for image, digest in (params.get(OPTION) or {}).items():
        name, tag = str(image).rpartition("/")[2].partition(":")[::2]
        if not name or not tag or "@" in str(image):
            yield Problem(
                f"{OPTION}.{image}", "is not an image with a tag, such as registry.example.com/tools/echo:1.0.0"
            )
        if digest not in (None, UNKNOWN) and not _DIGEST.fullmatch(str(digest)):
            yield Problem(f"{OPTION}.{image}", f"{digest!r} is not a digest: sha256: and 64 hexadecimal digits")


def pinned(image: str, params: Mapping[str, Any], live: Object | None, route: Route, check_mode: bool) -> str:
    """The image by digest, of an object that has it at `route`; as it is declared where nobody asks for digests."""
    digests = params.get(OPTION) or {}
    digest = digests.get(image)
    if digest == UNKNOWN:
        if check_mode:
            return f"{image}@{LATER}"
        digest = None
    if digest is None and (params.get(KEEP) or image in digests):
        # nobody knows which it is now
        digest = _standing(image, live, route)
    return f"{image}@{digest}" if image and digest else image


def _standing(image: str, live: Object | None, route: Route) -> str:
    """The digest behind this tag in the cluster, where it is ours and nobody else's."""
    if live is None:
        return ""
    tag, at, digest = str(value_at(live, route) or "").partition("@")
    return digest if at and tag == image and route in own_routes(live, FIELD_MANAGER) else ""
