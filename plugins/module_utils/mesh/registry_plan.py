# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What another declaration of a registry takes: volumes that grow, versions that must not fall, what goes. Pure.

Kubernetes changes no template of a claim in a StatefulSet: the claim is grown itself, and the StatefulSet made anew
around its pods, which do not notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.manifests import Object
from ..kube.syntax import parse_quantity
from ..plan import Refusal
from .owned_objects import CLAIM, named_object
from .registry_spec import DeclaredRegistry, every_object
from .version_ranges import Version, parse_version


@dataclass(frozen=True)
class Growth:
    """What growing takes. `claims` are to be applied; `anew` are names of StatefulSets whose template changes."""

    claims: tuple[Object, ...] = ()
    anew: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    classes: tuple[str, ...] = ()
    """StorageClasses of the claims: they must allow it."""


def volume_growth(declared: Sequence[Object], live: Mapping[tuple[str, str], Object]) -> Growth:
    """What becomes of the volumes of these StatefulSets; `live` are StatefulSets and claims by kind and name."""
    claims: list[Object] = []
    anew: list[str] = []
    refused: list[Refusal] = []
    classes: list[str] = []
    for item in declared:
        name = str(item["metadata"]["name"])
        existing = live.get(("StatefulSet", name))
        for template in item["spec"].get("volumeClaimTemplates") or ():
            claim = live.get((CLAIM, f"{template['metadata']['name']}-{name}-0"))
            stands = _template(existing, str(template["metadata"]["name"]))
            wrong = list(_refusals(item, template, stands))
            refused += wrong
            if wrong:
                continue
            if stands is not None and _size(stands) < _size(template):
                anew.append(name)
            if claim is not None and _size(claim) < _size(template):
                claims.append(_grown(claim, template))
                classes.append(str((claim.get("spec") or {}).get("storageClassName") or ""))
    return Growth(tuple(claims), tuple(anew), tuple(refused), tuple(dict.fromkeys(filter(None, classes))))


def not_growing(classes: Iterable[Object]) -> list[Refusal]:
    """Those of the StorageClasses whose volumes stay as large as they are."""
    return [
        Refusal.because(
            f"StorageClass {one['metadata']['name']}",
            "does not let volumes grow (allowVolumeExpansion is not true)",
            "Set allowVolumeExpansion: true in it where its driver can do so (disks and shares of AKS can), or make it "
            "anew: state: absent with delete_data, then the larger size. The agents register within seconds.",
        )
        for one in classes
        if one.get("allowVolumeExpansion") is not True
    ]


def image_version(image: str) -> Version | None:
    """The version that an image's tag names; None for one without, or with a word."""
    _repository, colon, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    return parse_version(tag) if colon else None


def downgrade_refusals(
    workload: Mapping[str, Any] | None, declared: Mapping[str, Any], allowed: bool
) -> Iterator[Refusal]:
    """An older registry drops the columns that it does not know from the tables that it finds."""
    before, after = _image(workload), _image(declared)
    old, new = image_version(before), image_version(after)
    if allowed or old is None or new is None or new.key >= old.key:
        return
    place = f"{declared['kind']} {declared['metadata']['namespace']}/{declared['metadata']['name']}"
    remedy = (
        "An older registry drops from its tables what it does not know. Dump the database first (backup), then set "
        "allow_downgrade; agents register anew within seconds, so that an empty database does as well."
    )
    yield Refusal(f"{place}: image", before, after, remedy)


def unneeded(registry: DeclaredRegistry, declared: Sequence[Object]) -> list[tuple[str, str]]:
    """What a registry does not consist of now, and may have before.

    The Secret is kept: the volume of a database stays as well, and lets in by the password that it was made with only.
    """
    present = {(str(item["kind"]), str(item["metadata"]["name"])) for item in declared}
    return [one for one in every_object(registry) if one not in present and one[0] != "Secret"]


def _refusals(item: Object, template: Mapping[str, Any], stands: Mapping[str, Any] | None) -> Iterable[Refusal]:
    if stands is None:
        return
    place = f"StatefulSet {item['metadata']['namespace']}/{item['metadata']['name']}"
    anew = "Or make it anew: state: absent with delete_data, then this declaration. The agents register within seconds."
    before, after = (str(one["spec"]["resources"]["requests"]["storage"]) for one in (stands, template))
    if _size(template) < _size(stands):
        yield Refusal(f"{place}: database.size", before, after, f"A volume never shrinks: declare {before}. {anew}")
    declared = template["spec"].get("storageClassName")
    existing = stands["spec"].get("storageClassName")
    if declared != existing:
        usual = "(the cluster's default)"
        stay = f"declare {existing}" if existing else "leave it out"
        remedy = f"A volume stays in its class: {stay}. {anew}"
        yield Refusal(f"{place}: database.storage_class", existing or usual, declared or usual, remedy)


def _template(item: Object | None, name: str) -> Mapping[str, Any] | None:
    templates = ((item or {}).get("spec") or {}).get("volumeClaimTemplates") or ()
    return next((one for one in templates if one["metadata"]["name"] == name), None)


def _size(claim: Mapping[str, Any]) -> Any:
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return parse_quantity(str(requests.get("storage", "0"))) or 0


def _grown(claim: Object, template: Mapping[str, Any]) -> Object:
    metadata = claim["metadata"]
    size = {"resources": {"requests": {"storage": template["spec"]["resources"]["requests"]["storage"]}}}
    return {**named_object(CLAIM, str(metadata["name"]), str(metadata["namespace"])), "spec": size}


def _image(workload: Mapping[str, Any] | None) -> str:
    template = ((workload or {}).get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or [{}]
    return str(containers[0].get("image") or "")
