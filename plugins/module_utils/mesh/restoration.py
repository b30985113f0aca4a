# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a dump is restored in this run: it overwrites what the database holds, so once is enough. Pure.

A Job that stands has restored its dump, or does so. What it was made for is read off its pod template, which Kubernetes
never changes; tolerations, an image or a collection of another version are no reason to overwrite a database again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import Reason
from ..kube.manifests import Object
from ..kube.readiness.reasons import condition_of, condition_text, is_condition_true

AGAIN_ANNOTATION = "mcpops.io/restored-again-after"
"""In the pod template of a Job that takes the place of one that failed: which one, and why."""
_FAILED = "JobFailed"
_HINT = (
    "Correct what its log names: the dump (restore.file, restore.claim), the version of database.image, or the "
    "database. The next run makes the Job anew. Nothing of the dump was written; without restore, the registry is made "
    "without it."
)


@dataclass(frozen=True)
class Restoration:
    """The Job that is to be applied; or one that stands and has not ended, to be waited for."""

    job: Object | None = None
    running: tuple[Object, ...] = ()
    notes: tuple[str, ...] = ()


def restoration(declared: Object | None, live: Object | None) -> Restoration:
    """What is to be done for the declared Job, with the one of its name that stands."""
    if declared is None or live is None or _restores(declared) != _restores(live):
        return Restoration(declared)
    for name in ("Failed", "FailureTarget"):
        if is_condition_true(live, name):
            why = condition_text(condition_of(live, name) or {})
            place = f"Job {live['metadata']['namespace']}/{live['metadata']['name']}"
            note = f"{place}: has failed ({why}), and is made anew"
            return Restoration(_instead_of(live, declared, why), notes=(note,))
    return Restoration(running=() if is_condition_true(live, "Complete") else (live,))


def with_way_out(reasons: Sequence[Reason], namespace: str, job: str) -> list[Reason]:
    """The reasons with what to do about a Job that failed: unlike others, it is tried again."""
    pods = f"Pod {namespace}/{job}-"
    return [
        replace(one, hint=_HINT)
        if one.code == _FAILED
        # a pod has a hint of its own, such as for its image
        else replace(one, hint=f"{one.hint} {_HINT}".strip())
        if one.terminal and one.subject.startswith(pods)
        else one
        for one in reasons
    ]


def _restores(job: Mapping[str, Any]) -> tuple[str, str]:
    """(the dump, the claim that holds it)"""
    pod = job["spec"]["template"]["spec"]
    variables = [one for container in pod["containers"] for one in container.get("env") or ()]
    file = next((str(one.get("value") or "") for one in variables if one["name"] == "FILE"), "")
    claims = [one["persistentVolumeClaim"] for one in pod.get("volumes") or () if one.get("persistentVolumeClaim")]
    return file, str(claims[0]["claimName"]) if claims else ""


def _instead_of(failed: Object, declared: Object, why: str) -> Object:
    """Another template than that of the Job that failed, so that it is made anew, in check mode as well."""
    template = declared["spec"]["template"]
    metadata = template["metadata"]
    again = {AGAIN_ANNOTATION: f"{failed['metadata'].get('uid', '')}: {why}"}
    metadata = {**metadata, "annotations": {**(metadata.get("annotations") or {}), **again}}
    return {**declared, "spec": {**declared["spec"], "template": {**template, "metadata": metadata}}}
