# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of acr_image: the tags of one repository of a container registry name one image, or are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ServiceError, refuse
from ..plan import ABSENT, Plan
from ..run_cache import cached_resource
from ..task import Result, Task
from . import names, reconcile
from .acr_build import Build
from .acr_context import build_spec, context_problems, is_fingerprint
from .acr_plan import (
    ImageSpec,
    Tags,
    image_spec,
    import_body,
    import_source,
    plan_absent,
    plan_present,
    problems,
    wanted_digest,
)
from .acr_registry import Login, Registries, Registry
from .client import Arm, Body, LostRace, Reading
from .options import resolve_identity
from .reconcile import Outcome, converge_resource

__all__ = ["converge", "problems"]

_VERSION = names.api_version_of(names.REGISTRIES)
# a tag that was just made may be unknown to a replica of the registry
_UNKNOWN_FOR_SECONDS = 30.0


def converge(task: Task) -> Result:
    params = task.params
    # before anything can fail, with the options in its result
    password = (params.get("source") or {}).get("password")
    if password:
        task.secret(str(password))
    wrong = problems(params)
    if params.get("build") and params["state"] == "present":
        wrong = [*wrong, *context_problems(build_spec(params["build"]))]
    refuse(f"image {params['registry']}/{params['repository']}", wrong)
    spec = image_spec(params, resolve_identity(params).subscription_id)
    arm = Arm.connect(task, params["wait_timeout"])
    target = _Target(task, arm, spec)
    outcome = target.absent() if params["state"] == "absent" else target.present()
    return Result.of(outcome.plan, target.values(outcome), _headline(outcome, task.check_mode))


def are_there(task: Task, arm: Arm, registry_id: str, images: Sequence[str]) -> bool:
    """Whether a registry has all of these (repository:tag); what may not be read does not count."""
    try:
        reading = arm.read(registry_id, f"Reading {registry_id}", _VERSION)
        if reading.body is None:
            return False
        registry = Registries(task, arm).azure(reading.body.get("properties") or {})
        named = (image.rpartition(":") for image in images)
        return all(registry.digest_of(repository, tag) for repository, _colon, tag in named)
    except ServiceError:
        return False


def _headline(outcome: Outcome, check_mode: bool) -> str:
    """One line for `msg`: what became of the tags."""
    if not outcome.plan.changed:
        return ""
    gone = all(change.after is ABSENT for change in outcome.plan.changes)
    verb = "removed" if gone else "put in place"
    tags = ", ".join(_tag_of(change.path) for change in outcome.plan.changes)
    return f"{outcome.plan.subject}: {'would be ' if check_mode else ''}{verb} ({tags})"


def _tag_of(path: str) -> str:
    return path.partition(".")[2].strip('"')


class _Target:
    """The declared tags of one repository, as they are read and written."""

    def __init__(self, task: Task, arm: Arm, spec: ImageSpec) -> None:
        self._task = task
        self._arm = arm
        self._spec = spec
        self._registries = Registries(task, arm)
        self._registry: Registry | None = None
        building = spec.build if task.params["state"] == "present" else None
        storage = self._registries.storage()
        self._build = Build(arm, storage, spec.registry_id, building, task.secret) if building else None
        self._digest: str | None = None  # of what the tags are to name, once that is known

    # --- the two states

    def present(self) -> Outcome:
        return converge_resource(self._arm, self._spec.subject, self._read, self._plan, self._make)

    def absent(self) -> Outcome:
        return converge_resource(
            self._arm,
            self._spec.subject,
            self._read,
            lambda reading: plan_absent(self._spec, _tags(reading)),
            self._remove,
        )

    def values(self, outcome: Outcome) -> dict[str, Any]:
        """What later tasks use. In check mode it is what a run would lead to, as far as that is known before it."""
        spec, host = self._spec, self._registry.host if self._registry is not None else ""
        after: dict[str, str | None] = dict((outcome.after or {}).get("tags") or dict.fromkeys(spec.tags))
        if self._task.check_mode:
            after.update(dict.fromkeys(spec.tags, None if self._task.params["state"] == "absent" else self._digest))
        digest = next((found for tag in spec.tags if (found := after.get(tag))), None)
        image = f"{host}/{spec.repository}{f'@{digest}' if digest else f':{spec.tags[0]}'}" if host else None
        gone = self._task.params["state"] == "absent"
        if gone:
            digest = image = None
        return {
            "registry_id": spec.registry_id,
            "login_server": host or None,
            "repository": spec.repository,
            "tags": after,
            "digest": digest,
            "image": image,
            # in check mode nobody knows what a build comes to, but that it is another image
            "is_new": outcome.plan.changed and digest is None and not gone,
        }

    # --- reading

    def _read(self) -> Reading:
        reading = self._open(self._spec.registry_id, self._spec.registry)
        if isinstance(reading, Reading):
            return reading
        self._registry = reading
        found = {tag: reading.digest_of(self._spec.repository, tag) for tag in self._spec.tags}
        return Reading({"tags": found})

    def _open(self, registry_id: str, name: str) -> Registry | Reading:
        """The registry's own API; where the registry is not there, what is missing."""
        subject = f"container registry {name}"
        known = cached_resource(self._task, registry_id, keep=True)
        if known is not None and str((known.get("properties") or {}).get("provisioningState")) == "Succeeded":
            return self._registries.azure(known.get("properties") or {})
        reading = self._arm.read(registry_id, f"Reading {subject}", _VERSION)
        if not self._arm.check_mode:
            reading = reconcile.await_idle(self._arm, reading, registry_id, _VERSION, subject)
        if reading.body is None:
            if self._arm.check_mode or self._task.params["state"] == "absent":
                return Reading({"tags": {}}, reading.missing or subject)
            where = (names.parse_id(registry_id) or names.ResourceId("", "", "", "", "")).group
            hint = (
                "Create it first (mcpops.platform.azure_resource), or check registry, resource_group and subscription."
            )
            raise ServiceError(
                f"Reading {subject}", f"there is none in resource group {where}", code="NoRegistry", hint=hint
            )
        return self._registries.azure(reading.body.get("properties") or {})

    def _source_digest(self) -> str | None:
        """What the declared source names now; None in check mode where its registry does not exist yet."""
        spec, image = self._spec, self._spec.source
        if image is None:
            raise AssertionError("only what is imported has a source")
        if spec.source_registry_id:
            parsed = names.parse_id(spec.source_registry_id)
            found = self._open(spec.source_registry_id, parsed.name if parsed else "")
            if isinstance(found, Reading):
                return None
            registry = found
        else:
            registry = self._registries.foreign(image.api_host, Login(spec.username, spec.password))
        digest = registry.digest_of(image.repository, image.reference)
        if digest is None:
            hint = "Check source.image: the registry has no such repository, or no such tag."
            raise ServiceError(f"Reading {image}", "there is no such image", code="NoImage", hint=hint)
        return digest

    def _plan(self, reading: Reading) -> Plan:
        spec, tags = self._spec, _tags(reading)
        self._digest = wanted_digest(spec, tags)
        if self._build is not None:
            known = self._registry
            self._digest = known.digest_of(spec.repository, self._build.tag) if known is not None else None
        elif self._digest is None and spec.follow_source:
            self._digest = self._source_digest()
        return plan_present(spec, tags, self._digest)

    # --- writing

    @property
    def _reached(self) -> Registry:
        if self._registry is None:
            raise AssertionError("nothing is written where the registry was not reached")
        return self._registry

    def _make(self, plan: Plan, reading: Reading) -> Body:
        """What was built of the same files before only gets its tags."""
        if self._build is None or self._digest is not None:
            return self._import(plan, reading)
        tags, spec = _tags(reading), self._spec
        self._build.run(spec.subject, spec.repository, spec.tags, self._task.params["wait_timeout"])
        return {"tags": self._imported(tags, list(spec.tags))}

    def _import(self, plan: Plan, reading: Reading) -> Body:
        spec, tags = self._spec, _tags(reading)
        changed = [tag for tag in spec.tags if tags.get(tag) is None or tags.get(tag) != self._digest]
        # what lies in the repository need not be fetched again, and its source may be gone
        here = bool(self._digest) and self._reached.digest_of(spec.repository, str(self._digest)) is not None
        source = import_source(spec, self._digest, here)
        body = import_body(spec, source, changed, force=any(tags.get(tag) for tag in changed))
        action = f"Importing {spec.source or source['sourceImage']} as {spec.repository}:{', '.join(changed)}"
        try:
            response = self._arm.write("POST", f"{spec.registry_id}/importImage", action, _VERSION, body)
            reconcile.await_operation(self._arm, response, spec.subject, action)
        except ServiceError as failure:
            if failure.code == "Conflict":
                # somebody made the tag between our look and the import
                raise LostRace from failure
            failure.hint = failure.hint or _import_hint(spec)
            raise
        return {"tags": self._imported(tags, changed)}

    def _imported(self, tags: Tags, changed: list[str]) -> dict[str, str | None]:
        """All tags once the registry knows the new ones; one that names another image was moved by somebody else."""
        attempt, began = 0, self._arm.deadline.elapsed
        found = dict(tags)
        for tag in changed:
            while (digest := self._reached.digest_of(self._spec.repository, tag)) is None:
                if self._arm.deadline.elapsed - began > _UNKNOWN_FOR_SECONDS:
                    raise LostRace
                self._arm.progress(f"{self._spec.subject}: the tag {tag} is not found yet")
                self._arm.deadline.sleep(min(5.0, 0.5 * 2**attempt))
                attempt += 1
            if self._digest is not None and digest != self._digest:
                raise LostRace
            found[tag] = digest
            self._digest = digest
        return found

    def _remove(self, plan: Plan, reading: Reading) -> Body:
        """The tags go, and with the last tag of a manifest the manifest."""
        spec, tags, registry = self._spec, _tags(reading), self._reached
        for tag in (tag for tag in spec.tags if tags.get(tag)):
            registry.untag(spec.repository, tag)
        for digest in dict.fromkeys(digest for digest in tags.values() if digest):
            left = registry.tags_of(spec.repository, digest)
            if all(map(is_fingerprint, left)):
                registry.delete_manifest(spec.repository, digest)
        return {"tags": dict.fromkeys(spec.tags)}


def _tags(reading: Reading) -> Mapping[str, str | None]:
    return (reading.body or {}).get("tags") or {}


def _import_hint(spec: ImageSpec) -> str:
    if spec.source_registry_id:
        return "The registry copies it for this identity, which needs AcrPull at the source registry as well."
    if spec.password:
        return "The registry itself fetches it: check source.image, source.username and source.password."
    return (
        "The registry itself fetches it: check source.image; a private source needs source.username and "
        "source.password, one of Azure source.registry_id."
    )
