# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of a release's values are secret: what is declared, what stands, and what was declared secret before.

`values_secret` belongs to the values that were written with it, not to the task that looks at them later. So the record
of the release carries it as a label, which helm copies to the next revision and, going back, from the old one. A task
without the option that meets such a record shows nothing of its values either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import manifest, recovery
from ansible_collections.mcpops.platform.plugins.module_utils.helm.plan import effective_values, successors
from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import (
    VALUES_LABEL,
    VALUES_SECRET,
    VALUES_SHOWN,
    History,
    Release,
)
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import MERGE_PATCH
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object, holds_secrets
from ansible_collections.mcpops.platform.plugins.module_utils.masking import declared_values
from ansible_collections.mcpops.platform.plugins.module_utils.masking import protect as mask_from_here
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, Plan, leaves
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import SHORTEST_SECRET, is_common
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

# also quoted, and in JSON: charts print objects with toJson and toPrettyJson
_OF_A_SECRET = re.compile(r"""\bkind["']?\s*:\s*["']?Secret(?:List)?\b""")


def protect(task: Task, spec: ReleaseSpec, found: History | None = None) -> list[str]:
    """From here on no secret value of this release, declared or as it stands, reaches a result or a message.

    What a chart makes of the values, its own Secrets among it, stands in the release's manifest. So does what a value
    with a name that says nothing is for: what is declared in its place is kept back as well. Returns what it is about.
    """
    standing = _standing(found)
    secrets = _standing_secrets(standing)
    secrets += declared_values([spec.values or {}])
    if spec.values_secret:
        secrets += _texts([spec.values or {}, *(release.values for release in standing)])
    for release in standing:
        following = successors(release, effective_values(spec, release), secrets)
        secrets += [text for text in following if _is_telling(text)]
    mask_from_here(task, secrets)
    return secrets


def protect_standing(task: Task, found: History) -> None:
    """The same for a release of which nothing is declared."""
    mask_from_here(task, _standing_secrets(_standing(found)))


def labels(spec: ReleaseSpec, release: Release | None) -> dict[str, str]:
    """What the next record has to say of its values; helm would copy what stands."""
    if becomes_secret(spec, release):
        return {VALUES_LABEL: VALUES_SECRET}
    return {VALUES_LABEL: VALUES_SHOWN} if release is not None and VALUES_LABEL in release.labels else {}


def becomes_secret(spec: ReleaseSpec, release: Release | None) -> bool:
    """Whether values to be written are secret: declared so, or with some among them that stand and are."""
    keeps = spec.values is None or not spec.purge_values
    return spec.values_secret or (keeps and release is not None and release.values_secret)


def kept_secret(task: Task, kube: Kube, spec: ReleaseSpec, plan: Plan, release: Release) -> Plan:
    """Values that stand, and are declared secret from now on: the record says so too, in its present revision."""
    if plan.changes or not spec.values_secret or release.values_secret or not release.values:
        # of a revision that this task has made it is known already whether it could be marked
        return plan
    marked = _may_mark(task, kube, release) if task.check_mode else remembered(task, kube, release).values_secret
    return replace(plan, changes=(*plan.changes, Change("values_secret", ABSENT, True))) if marked else plan


def remembered(task: Task, kube: Kube, release: Release) -> Release:
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


def carried(task: Task, kube: Kube, before: Release | None, now: Release | None) -> Release | None:
    """The revision that helm made of `before`, whose values it has."""
    return remembered(task, kube, now) if before is not None and before.values_secret and now is not None else now


def remember_failed(task: Task, kube: Kube, spec: ReleaseSpec, before: History) -> None:
    """The same for the revision of an upgrade that failed."""
    if not becomes_secret(spec, before.newest):
        return
    try:
        newest = recovery.read(kube, spec.namespace, spec.name).newest
        if newest is not None:
            remembered(task, kube, newest)
    except Failure:
        # what is done after a failure must not hide it
        return


def _standing(found: History | None) -> list[Release]:
    return [release for release in (found.newest, found.deployed) if release is not None] if found else []


def _standing_secrets(standing: Iterable[Release]) -> list[str]:
    listed = list(standing)
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
    found = manifest.parse(replace(release, manifest="\n---\n".join(texts)))
    return [item for item in found if holds_secrets(item)]
