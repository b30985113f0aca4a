# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another version of a registry, and releases of the official charts: what must not be done with them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..plan import Refusal
from .version_ranges import Version, parse_version

Object = Mapping[str, Any]
RELEASE, POLICY, KEEP = "meta.helm.sh/release-name", "helm.sh/resource-policy", "keep"


def image_version(image: str) -> Version | None:
    """The version that an image's tag names; None for one without, or with a word."""
    _repository, colon, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    return parse_version(tag) if colon else None


def downgrade_refusals(workload: Object | None, declared: Object, allowed: bool) -> Iterator[Refusal]:
    """An older registry drops the columns that it does not know from the tables that it finds."""
    before, after = _image(workload), _image(declared)
    old, new = image_version(before), image_version(after)
    if allowed or old is None or new is None or new.key >= old.key:
        return
    place = f"{declared['kind']} {declared['metadata']['namespace']}/{declared['metadata']['name']}"
    remedy = (
        "An older registry drops from its tables what it does not know. Dump the database first (pg_dump), then set "
        "allow_downgrade; agents register anew within seconds, so that an empty database does as well."
    )
    yield Refusal(f"{place}: image", before, after, remedy)


def release_of(item: Object) -> str:
    """The Helm release that an object belongs to; empty where it belongs to none."""
    return str((item["metadata"].get("annotations") or {}).get(RELEASE) or "")


def goes_with_its_release(namespace: Object) -> bool:
    """Whether a Namespace is an object of a Helm release, which may delete it with everything in it."""
    annotations = namespace["metadata"].get("annotations") or {}
    return bool(release_of(namespace)) and annotations.get(POLICY) != KEEP


def _image(workload: Object | None) -> str:
    template = ((workload or {}).get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or [{}]
    return str(containers[0].get("image") or "")
