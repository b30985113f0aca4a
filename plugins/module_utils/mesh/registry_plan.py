# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What another declaration of a registry takes: volumes that grow, versions that must not fall, what goes. Pure.

Kubernetes changes no template of a claim in a StatefulSet: the claim is grown itself, and the StatefulSet made anew
around its pods, which do not notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..domain import ReleaseStep
from ..errors import Reason
from ..kube.apply.owned_objects import CLAIM, named_object
from ..kube.manifests import Object
from ..kube.readiness.reasons import condition_of, condition_text, is_condition_true
from ..kube.syntax import parse_quantity
from ..plan import Refusal
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

    The Secret of a database is kept: its volume stays as well, and lets in by the password that it was made with only.
    """
    present = {(str(item["kind"]), str(item["metadata"]["name"])) for item in declared}
    present |= {("Secret", registry.secret_name), ("Secret", f"{registry.name}-database")}
    return [one for one in every_object(registry) if one not in present]


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
    """What is to be done for the declared Job, with the one of its name that stands.

    That one has restored its dump, or does so, and what it was made for is read off its pod template, which Kubernetes
    never changes: tolerations, an image or another version of the collection must not overwrite a database again.
    """
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


def _restores(job: Mapping[str, Any]) -> tuple[str, str, str]:
    """(the dump, the claim that holds it, the container or folder in Blob storage that does)"""
    pod = job["spec"]["template"]["spec"]
    containers = [*(pod.get("initContainers") or ()), *pod["containers"]]
    variables = {one["name"]: str(one.get("value") or "") for part in containers for one in part.get("env") or ()}
    claims = [one["persistentVolumeClaim"] for one in pod.get("volumes") or () if one.get("persistentVolumeClaim")]
    claim = str(claims[0]["claimName"]) if claims else ""
    return variables.get("FILE", ""), claim, variables.get("BLOB_URL", "")


def _instead_of(failed: Object, declared: Object, why: str) -> Object:
    """Another template than that of the Job that failed, so that it is made anew, in check mode as well."""
    template = declared["spec"]["template"]
    metadata = template["metadata"]
    again = {AGAIN_ANNOTATION: f"{failed['metadata'].get('uid', '')}: {why}"}
    metadata = {**metadata, "annotations": {**(metadata.get("annotations") or {}), **again}}
    return {**declared, "spec": {**declared["spec"], "template": {**template, "metadata": metadata}}}


# helm/mcp-mesh-core/README.md ("Existing releases") and issue 1382 of dhyansraj/mcp-mesh: up to 3.3 the chart has the
# namespace among its objects, 3.4 marks it as one to keep, and from 3.5 on it has it no more unless namespaceCreate
# says so. docs/upgrading.md: an older registry drops from its tables what it does not know. That other databases than
# PostgreSQL are taken for a file, and that nobody waits for less than one: templates of mcp-mesh-registry 3.6.
CORE, REGISTRY_CHART, POSTGRES_CHART = "mcp-mesh-core", "mcp-mesh-registry", "mcp-mesh-postgres"
CHARTS = (CORE, REGISTRY_CHART, POSTGRES_CHART, "mcp-mesh-agent")
_WITH_REGISTRY = (CORE, REGISTRY_CHART)
_WITHOUT_NAMESPACE = (3, 5, 0)
_POLICY = "helm.sh/resource-policy=keep"
_DATABASES = ("postgres", "sqlite")


def official_chart(chart: str) -> str:
    """The name of an official chart in a reference; empty where it is none."""
    name = chart.rstrip("/").rpartition("/")[2].partition(":")[0]
    return name if name in CHARTS else ""


def chart_refusals(step: ReleaseStep) -> Iterator[Refusal]:
    """What helm must not do with a release of an official chart."""
    standing, wanted = official_chart(step.chart), official_chart(step.wanted_chart)
    if standing:
        yield from _of_namespaces(step)
        yield from _of_versions(step)
    if wanted:
        yield from _of_values(wanted, step.values)


def _of_namespaces(step: ReleaseStep) -> Iterator[Refusal]:
    for name in step.own_namespaces:
        what = f"namespace {name}"
        if not step.wanted_chart:
            yield Refusal.because(
                what,
                f"is an object of this release (chart {step.version}): removing it deletes the namespace with all that "
                "is in it",
                f"First run kubectl annotate namespace {name} {_POLICY}, then upgrade to chart 3.4 or newer: of that, "
                "the namespace stays.",
            )
        elif _drops_namespace(step):
            yield Refusal.because(
                what,
                f"is an object of this release (chart {step.version}), and is none in chart "
                f"{step.wanted_version or '3.5 or newer'}: helm would delete it with all that is in it, and report "
                "success",
                f"First run kubectl annotate namespace {name} {_POLICY}; or upgrade to 3.4 before, which does that; or "
                "set namespaceCreate: true in the values.",
            )


def _drops_namespace(step: ReleaseStep) -> bool:
    """A version that is not known may be any."""
    if step.values.get("namespaceCreate") is True:
        return False
    wanted = parse_version(step.wanted_version)
    return wanted is None or wanted.release >= _WITHOUT_NAMESPACE


def _has_registry(chart: str, values: Mapping[str, Any]) -> bool:
    """Whether a chart makes a registry: an agent or a database has nothing of one, and the core may go without."""
    return chart == REGISTRY_CHART or (chart == CORE and _at(values, "registry").get("enabled") is not False)


def _of_versions(step: ReleaseStep) -> Iterator[Refusal]:
    before, after = parse_version(step.version), parse_version(step.wanted_version)
    # versions of other charts, of which one may have the registry's place, say nothing of the registry's
    holds = official_chart(step.chart) in _WITH_REGISTRY and _has_registry(
        official_chart(step.wanted_chart), step.values
    )
    if holds and before is not None and after is not None and after.key < before.key:
        yield Refusal(
            "chart_version",
            step.version,
            step.wanted_version,
            "An older registry drops from its tables what it does not know: dump its database, then go back with helm "
            "rollback",
        )


def _of_values(chart: str, values: Mapping[str, Any]) -> Iterator[Refusal]:
    if not _has_registry(chart, values):
        return
    below = f"{REGISTRY_CHART}." if chart == CORE else ""
    own = _at(values, REGISTRY_CHART) if chart == CORE else values
    kind = _at(_at(own, "registry"), "database").get("type", "postgres")
    if str(kind).lower() not in _DATABASES:
        yield Refusal.because(
            f"values.{below}registry.database.type",
            f"is {kind}, for which the chart sets no DATABASE_URL: the registry would keep its agents in a file of the "
            "container, and lose them with it",
            "Use postgres, or sqlite for one pod.",
        )
    if chart == CORE and _at(values, "postgres").get("enabled") is False and str(kind).lower() == "postgres":
        elsewhere = _at(_at(values, "global"), "postgres")
        if not any(elsewhere.get(key) for key in ("host", "existingSecret")):
            yield Refusal.because(
                "values.postgres.enabled",
                "is false, and no other database is named: the registry would wait for one for ever",
                f"Set global.postgres.existingSecret, or {below}registry.database.type: sqlite for one pod.",
            )


def _at(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = values.get(key)
    return found if isinstance(found, Mapping) else {}
