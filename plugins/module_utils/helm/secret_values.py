# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of a release's values are secret: declared ones, live ones, and those that were declared secret before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import Failure, ServiceError
from ..kube.apply.requests import MERGE_PATCH
from ..kube.client import Kube
from ..kube.manifests import Object, holds_secrets
from ..masking import declared_values
from ..masking import protect as mask_from_here
from ..plan import ABSENT, Change, Plan, leaves
from ..secrets import SHORTEST_SECRET, is_common
from ..task import Task
from . import release_record
from .plan import effective_values, successors
from .release_record import VALUES_LABEL, VALUES_SECRET, VALUES_SHOWN, History, Release
from .spec import ReleaseSpec

# also quoted, and in JSON: charts print objects with toJson and toPrettyJson. It begins with plain letters, which `re`
# finds many times as quickly; what it finds too much is read and left out
_OF_A_SECRET = re.compile(r"""kind["']?\s*:\s*["']?Secret(?:List)?\b""")


def protect_values(task: Task, spec: ReleaseSpec, found: History | None = None) -> list[str]:
    """From here on no secret value of this release, declared or as it stands, reaches a result or a message.

    What a chart makes of the values, its own Secrets among it, stands in the release's manifest. So does what a value
    with a name that says nothing is for: what is declared in its place is kept back as well. Returns what it is about.
    """
    existing = _current(found)
    secrets = _current_secrets(existing)
    secrets += declared_values([spec.values or {}])
    secrets += _texts([spec.secret_values])
    if spec.values_secret:
        secrets += _texts([spec.values or {}, *(release.values for release in existing)])
    for release in existing:
        following = successors(release, effective_values(spec, release), secrets)
        secrets += [text for text in following if _is_telling(text)]
    mask_from_here(task, secrets)
    return secrets


def protect_current(task: Task, found: History) -> None:
    """The same for a release of which nothing is declared."""
    mask_from_here(task, _current_secrets(_current(found)))


def value_labels(spec: ReleaseSpec, release: Release | None) -> dict[str, str]:
    """What the next record has to say of its values; helm would copy what stands."""
    if becomes_secret(spec, release):
        return {VALUES_LABEL: VALUES_SECRET}
    return {VALUES_LABEL: VALUES_SHOWN} if release is not None and VALUES_LABEL in release.labels else {}


def becomes_secret(spec: ReleaseSpec, release: Release | None) -> bool:
    """Whether values to be written are secret: declared so, or with some among them that stand and are."""
    keeps = spec.values is None or not spec.purge_values
    return spec.values_secret or (keeps and release is not None and release.values_secret)


def mark_kept_secret(task: Task, kube: Kube, spec: ReleaseSpec, plan: Plan, release: Release) -> Plan:
    """Values that stand, and are declared secret from now on: the record says so too, in its present revision."""
    if plan.changes or not spec.values_secret or release.values_secret or not release.values:
        # of a revision that this task has made it is known already whether it could be marked
        return plan
    marked = _may_mark(task, kube, release) if task.check_mode else with_mark(task, kube, release).values_secret
    return replace(plan, changes=(*plan.changes, Change("values_secret", ABSENT, True))) if marked else plan


def with_mark(task: Task, kube: Kube, release: Release) -> Release:
    """The release with the mark on its record. Only helm older than 3.13, which writes no labels, has left it off.

    The mark is for later tasks; this one has done its work, and a record that may not be marked is no reason to fail.
    """
    if release.values_secret:
        return release
    try:
        kube.request(
            "PATCH",
            f"/api/v1/namespaces/{release.namespace}/secrets/{release.secret_name}",
            body={"metadata": {"labels": {VALUES_LABEL: VALUES_SECRET}}},
            content_type=MERGE_PATCH,
            action=f"Marking the values of release {release.namespace}/{release.name} as secret",
        )
    except ServiceError as refused:
        if refused.status is None:
            raise
        task.warn(_unmarked(release, refused.reason))
        return release
    return replace(release, labels={**release.labels, VALUES_LABEL: VALUES_SECRET})


def _may_mark(task: Task, kube: Kube, release: Release) -> bool:
    """What check mode can find out of whether the record can be marked."""
    asked = {"namespace": release.namespace, "verb": "patch", "resource": "secrets", "name": release.secret_name}
    answer = kube.request(
        "POST",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        body={
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        },
        action=f"Asking whether the record of release {release.namespace}/{release.name} may be marked",
    ).json()
    allowed = bool((answer.get("status") or {}).get("allowed"))
    if not allowed:
        task.warn(_unmarked(release, f"this identity may not patch Secret {release.secret_name}"))
    return allowed


def _unmarked(release: Release, why: str) -> str:
    return (
        f"release {release.namespace}/{release.name}: its record cannot be marked as one with secret values ({why}), "
        "so a task without values_secret would show them. Allow patch of Secrets in namespace "
        f"{release.namespace}, or keep values_secret: true in every task of this release."
    )


def carry_mark(task: Task, kube: Kube, before: Release | None, now: Release | None) -> Release | None:
    """The revision that helm made of `before`, whose values it has."""
    return with_mark(task, kube, now) if before is not None and before.values_secret and now is not None else now


def mark_failed_revision(task: Task, kube: Kube, spec: ReleaseSpec, before: History) -> None:
    """The same for the revision of an upgrade that failed."""
    if not becomes_secret(spec, before.newest):
        return
    try:
        newest = release_record.read_history(kube, spec.namespace, spec.name).newest
        if newest is not None:
            with_mark(task, kube, newest)
    except Failure:
        # what is done after a failure must not hide it
        return


def _current(found: History | None) -> list[Release]:
    """The newest revision and the deployed one, which are one and the same for the most part."""
    if found is None or found.newest is None:
        return []
    return [found.newest] if found.deployed in (None, found.newest) else [found.newest, found.deployed]


def _current_secrets(existing: Iterable[Release]) -> list[str]:
    listed = list(existing)
    values = [release.values for release in listed]
    secrets = declared_values([*values, *(item for release in listed for item in _secrets_of(release))])
    return secrets + _texts(release.values for release in listed if release.values_secret)


def _texts(documents: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every value, whatever its name is, of which enough is left to look for."""
    found = [str(leaf) for one in documents for _path, leaf in leaves(one) if isinstance(leaf, (str, int, float))]
    return [text for text in found if _is_telling(text)]


def _is_telling(text: str) -> bool:
    return len(text) >= SHORTEST_SECRET and not is_common(text)


def _secrets_of(release: Release) -> list[Object]:
    """The Secrets of a manifest, without the time that it takes to read all of it."""
    texts = [text for text in release.manifest.split("\n---") if _OF_A_SECRET.search(text)]
    found = release_record.parse_manifest(replace(release, manifest="\n---\n".join(texts)))
    return [item for item in found if holds_secrets(item)]
