# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a release's chart, version and values would change, from the record and the declaration."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..compare import overlay
from ..masking import forms
from ..plan import ABSENT, Change, Plan, leaves
from ..secrets import looks_secret, name_beside
from . import content
from .release_record import DEPLOYED, UNINSTALLED, Release, is_kept_on_uninstall
from .spec import ReleaseSpec, is_number, stored_number


def plan_release(
    spec: ReleaseSpec, release: Release | None, namespace_missing: bool = False, known: Collection[str] = ()
) -> Plan:
    """The changes that only helm can make. `body` is the user values for helm, `known` the secrets that stand."""
    subject = f"release {spec.namespace}/{spec.name}"
    changes: list[Change] = []
    notes: list[str] = []
    if namespace_missing and spec.create_namespace:
        changes.append(Change("namespace", ABSENT, spec.namespace))
    if release is None:
        changes.append(Change("chart", ABSENT, spec.chart.name))
        changes.append(Change("version", ABSENT, spec.chart.shown_version))
        notes.append(f"The objects of {subject} come from chart {spec.chart.name} {spec.chart.shown_version}.")
    else:
        if release.chart_name != spec.chart.name:
            changes.append(Change("chart", release.chart_name, spec.chart.name))
        if release.chart_version != spec.chart.version:
            changes.append(Change("version", release.chart_version, spec.chart.version))
        elif spec.content is not None and release.chart_name == spec.chart.name:
            changes.extend(content.content_changes(spec.content, release))
        elif spec.digest and release.chart_name == spec.chart.name:
            changes.extend(content.digest_changes(spec.digest, release))
        if release.status != DEPLOYED:
            changes.append(Change("status", release.status, DEPLOYED))
    existing = release.values if release is not None else {}
    values = effective_values(spec, release)
    before_secret = release is not None and release.values_secret
    changes.extend(
        document_changes(existing, values, "values", spec.values_secret, known, before_secret, secret_leaves(spec))
    )
    return Plan(subject, tuple(changes), body=dict(values), notes=tuple(notes), is_new=release is None)


def effective_values(spec: ReleaseSpec, release: Release | None) -> Mapping[str, Any]:
    """The whole of the user values that helm is to be given."""
    existing = release.values if release is not None else {}
    if spec.values is None:
        return existing
    return spec.values if spec.purge_values else overlay(existing, spec.values)


def secret_leaves(spec: ReleaseSpec) -> frozenset[str]:
    """Where the values are that the task declares as secret ones."""
    return (
        frozenset(path for path, _value in leaves(spec.secret_values, "values")) if spec.secret_values else frozenset()
    )


def plan_removal(spec_name: str, namespace: str, release: Release, objects: Sequence[Mapping[str, Any]]) -> Plan:
    """Everything an uninstall takes away."""
    changes = [Change("release", f"{release.chart_name} {release.chart_version}", ABSENT)]
    notes = []
    # a kept record lists objects that went with the uninstallation
    for item in objects if release.status != UNINSTALLED else ():
        metadata = item.get("metadata") or {}
        place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
        called = f"{item.get('kind')} {place}{metadata.get('name')}"
        if is_kept_on_uninstall(item):
            notes.append(f"{called} stays: its chart asks to keep it.")
        else:
            changes.append(Change(f"objects[{called}]", "present", ABSENT))
    return Plan(f"release {namespace}/{spec_name}", tuple(changes), notes=tuple(notes))


def document_changes(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    path: str,
    secret: bool = False,
    known: Collection[str] = (),
    before_secret: bool = False,
    hidden: Collection[str] = (),
) -> list[Change]:
    """Two whole documents leaf by leaf: unlike a merge, what is not in `after` goes, and null is a value.

    What is at one of the places `hidden` is secret. With `before_secret` nothing of `before` is shown, nor what comes
    in its place.
    """
    existing = dict(leaves(before, path)) if before else {}
    wanted = dict(leaves(after, path)) if after else {}
    both = {**existing, **wanted}
    secrets = _Secrets(existing if before_secret else _places(existing, known))
    return [
        Change(
            leaf,
            existing.get(leaf, ABSENT),
            wanted.get(leaf, ABSENT),
            secret or leaf in hidden or _hidden(leaf, existing, wanted) or secrets.cover(leaf),
        )
        for leaf in sorted(both)
        if not _same(existing.get(leaf, ABSENT), wanted.get(leaf, ABSENT))
    ]


def successors(before: Release, after: Mapping[str, Any], known: Collection[str]) -> list[str]:
    """What comes in place of a secret that stands: as secret as that, though its name says nothing."""
    existing = dict(leaves(before.values)) if before.values else {}
    secrets = _Secrets(existing if before.values_secret else _places(existing, known))
    wanted = leaves(after) if after and secrets else []
    return [str(value) for leaf, value in wanted if isinstance(value, (str, int, float)) and secrets.cover(leaf)]


def _places(existing: Mapping[str, Any], known: Collection[str]) -> list[str]:
    """Where one of the known secrets stands, whatever that is called, in any of its forms."""
    secrets = {form for one in known for form in forms(one)}
    texts = {leaf: str(value) for leaf, value in existing.items() if isinstance(value, (str, int, float))}
    return [leaf for leaf, text in texts.items() if secrets and not secrets.isdisjoint(forms(text))]


class _Secrets:
    """Places of secrets, to ask what comes there: the same place, one below it, or one instead of what it was in."""

    def __init__(self, places: Iterable[str]) -> None:
        self._places = frozenset(places)
        self._above = frozenset(above for place in self._places for above in _above(place))

    def __bool__(self) -> bool:
        return bool(self._places)

    def cover(self, leaf: str) -> bool:
        return leaf in self._places or leaf in self._above or not self._places.isdisjoint(_above(leaf))


def _above(leaf: str) -> Iterator[str]:
    return (leaf[:index] for index, sign in enumerate(leaf) if sign in ".[")


def _hidden(leaf: str, *sides: Mapping[str, Any]) -> bool:
    """A leaf that is secret on one side at least, where it stands or by the name beside it."""
    return any(leaf in side and looks_secret(leaf, side[leaf], name_beside(leaf, side)) for side in sides)


def _same(before: Any, after: Any) -> bool:
    """JSON equality: 1 and 1.0 are one number, 1 and true are not, and numbers are as exact as helm keeps them."""
    if is_number(before) and is_number(after):
        return stored_number(before) == stored_number(after)
    return bool(before == after) and isinstance(before, bool) == isinstance(after, bool)
