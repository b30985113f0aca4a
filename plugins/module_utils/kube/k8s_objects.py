# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operations of k8s_objects and k8s_objects_info.

A bundle from inline manifests, files, templates or kustomizations; and what is there, without secrets.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ..domain import Domain, judges_of, writers_of
from ..errors import Check, InvalidInput, Problem, Rule, check, refuse
from ..masking import declared_values, protect
from ..names import QUALIFIED, namespace_problems, wrong_name
from ..plan import Plan
from ..run_cache import ClusterPending
from ..task import Result, Task, run_within
from ..waiting import wait_timeout_problems
from . import manifests
from .apply.bundle import BUNDLE_LABEL, apply_bundle, labelled, plan_without_cluster
from .apply.options import BundleOptions, BundleOutcome, Pruning, object_options
from .client import Kube
from .discovery import is_mistaken, not_installed, not_served
from .kubeconfig import CONNECTION
from .manifests import Object, holds_secrets, object_ref
from .readiness import judge
from .readiness.judge import JUDGES, Condition, parse_conditions, unmet_conditions
from .writers import ignored_differences

SUBJECT = "k8s_objects"
NOTHING = "hold no object; leave the task out, or name what it is about"
EXTENSIONS = (".yaml", ".yml", ".json")
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
LONGEST_REASON = 400
# remote bases are fetched meanwhile
BUILD_SECONDS = 300
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass
class _Found:
    """Documents with the place each came from, and what went wrong on the way."""

    documents: list[tuple[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, place: str, message: str) -> None:
        self.problems.append(Problem(place, message))

    def text(self, source: str, text: str) -> None:
        documents, problems = manifests.read_manifests(source, text)
        self.problems += problems
        for number, document in enumerate(documents, 1):
            self.documents.append((source if len(documents) == 1 else f"{source} document {number}", document))


def file_options(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The options of a task whose relative paths are searched for on the controller."""
    return ("src", "kustomize")


def read_declared(task: Task) -> list[manifests.Object]:
    """The objects of all sources in the order of the options; everything wrong with them in one error."""
    params = task.params
    found = _Found()
    _definitions(params.get("definitions"), found)
    for path in _files(params.get("src") or [], found):
        _file(path, found)
    _templates(params.get("template") or [], found)
    for directory in params.get("kustomize") or []:
        _kustomize(task, str(directory), found)
    # before anything is said about them: a problem, a refusal or a difference may repeat what they hold
    protect(task, declared_values([document for _place, document in found.documents]))
    items = list(_flat(found.documents))
    bundle = params.get("bundle")
    wrong = [*found.problems, *_object_problems(items, bundle)]
    if not items and not wrong:
        wrong.append(Problem("definitions", NOTHING))
    wrong += check(_OPTIONS, params)
    refuse(SUBJECT, wrong)
    return [labelled(item, bundle) if bundle is not None else item for _place, item in items]


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of k8s_objects, as far as it shows without reading what they name."""
    return check((_declared, _addresses, *_OPTIONS), params)


def _declared(params: Mapping[str, Any]) -> Iterator[Problem]:
    found = _Found()
    _definitions(params.get("definitions"), found)
    items = list(_flat(found.documents))
    yield from found.problems
    yield from _object_problems(items, params.get("bundle"))
    elsewhere = any(params.get(option) for option in ("src", "template", "kustomize"))
    if not items and not found.problems and not elsewhere:
        yield Problem("definitions", NOTHING)


def _addresses(params: Mapping[str, Any]) -> Iterator[Problem]:
    for number, source in enumerate(params.get("src") or []):
        if _URL.match(source):
            yield Problem(f"src[{number}]", _fetch_first(source))


def _object_problems(items: Sequence[tuple[str, Any]], bundle: str | None) -> list[Problem]:
    wrong = manifests.manifest_problems([item for _place, item in items], [place for place, _item in items])
    return wrong or ([] if bundle is None else list(_other_labels(items, bundle)))


def _definitions(definitions: Any, found: _Found) -> None:
    given = definitions if isinstance(definitions, (list, tuple)) else [] if definitions is None else [definitions]
    for number, one in enumerate(given):
        place = f"definitions[{number}]"
        if isinstance(one, str):
            found.text(place, one)
        else:
            found.documents.append((place, one))


def _flat(documents: Sequence[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    for place, document in documents:
        flat = manifests.flatten_lists([document])
        for number, item in enumerate(flat):
            yield place if len(flat) == 1 else f"{place} item {number}", item


def _files(sources: Sequence[str], found: _Found) -> Iterator[Path]:
    for number, source in enumerate(sources):
        place = f"src[{number}]"
        path = Path(source)
        if _URL.match(source):
            found.wrong(place, _fetch_first(source))
        elif path.is_dir():
            files = sorted(one for one in path.iterdir() if one.suffix in EXTENSIONS and one.is_file())
            if any((path / name).is_file() for name in KUSTOMIZATIONS):
                found.wrong(place, f"{path} is a kustomization: name it in kustomize instead")
            elif files:
                yield from files
            else:
                found.wrong(
                    place, f"{path} holds no {', '.join(EXTENSIONS)} file; directories below are not looked into"
                )
        elif path.exists():
            yield path
        else:
            found.wrong(place, f"{path} does not exist")


def _fetch_first(source: str) -> str:
    # a text that may change during a run, without a checksum, is not a declaration
    return f"{source} is a URL: fetch it with ansible.builtin.get_url and its checksum first"


def _file(path: Path, found: _Found) -> None:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        found.wrong("src", f"{path} cannot be read: {getattr(exc, 'strerror', None) or 'not text'}")
        return
    if "{{" in text and path.suffix == ".j2":
        found.wrong("src", f"{path} is a template: name it in template instead")
        return
    found.text(str(path), text)


def _templates(rendered: Sequence[Any], found: _Found) -> None:
    """What the action plugin rendered on the controller; nobody else has the variables to do so."""
    for number, one in enumerate(rendered):
        if isinstance(one, Mapping) and isinstance(one.get("rendered"), str):
            found.text(str(one.get("path")), one["rendered"])
        else:
            name = one.get("path") if isinstance(one, Mapping) else one
            reported = (
                f"{name} is not rendered: the action plugin of k8s_objects renders templates, and this module was run "
                "without it. Call it by its full name, mcpops.platform.k8s_objects, or use definitions with "
                "lookup('ansible.builtin.template', ...)"
            )
            found.wrong(f"template[{number}]", reported)


def _kustomize(task: Task, directory: str, found: _Found) -> None:
    """The output of `kustomize build`; it reads and writes nothing but its standard output."""
    if not Path(directory).is_dir():
        found.wrong("kustomize", f"{directory} is not a directory")
        return
    kustomize, kubectl = shutil.which("kustomize"), shutil.which("kubectl")
    if kustomize is None and kubectl is None:
        found.wrong("kustomize", "neither kustomize nor kubectl is in PATH, and one of them builds kustomizations")
        return
    argv = [kustomize, "build", directory] if kustomize else [str(kubectl), "kustomize", directory]
    try:
        done = run_within(task, BUILD_SECONDS, argv)
    except TimeoutError as over:
        found.wrong(f"kustomize {directory}", f"cannot be built: {over}")
        return
    if done.returncode != 0:
        found.wrong(f"kustomize {directory}", f"cannot be built: {_reason(done.stderr) or 'no reason given'}")
        return
    found.text(f"kustomize {directory}", done.stdout)


def _reason(stderr: str) -> str:
    """What a build failed at, without the prefixes of kustomize, of kubectl, and of programs that log their errors."""
    text = " ".join(line.strip() for line in stderr.splitlines() if line.strip() and not line.startswith("#"))
    text = re.sub(r"^(?:Error: |error: |E\d{4} .*?err=)", "", text).strip('"<> ')
    return text if len(text) <= LONGEST_REASON else text[:LONGEST_REASON] + "..."


def _conditions(params: Mapping[str, Any]) -> Sequence[Problem]:
    try:
        judge.parse_conditions(params.get("wait_conditions"))
    except InvalidInput as invalid:
        return invalid.problems
    return ()


def _namespace(params: Mapping[str, Any]) -> list[Problem]:
    given = params.get("namespace")
    return [] if given is None else namespace_problems("namespace", given)


def _bundle(params: Mapping[str, Any]) -> list[Problem]:
    bundle = params.get("bundle")
    wrong = "" if bundle is None else wrong_name(bundle, "label value", QUALIFIED)
    return [Problem("bundle", wrong)] if wrong else []


# options that are wrong in themselves, or contradict each other
_OPTIONS: tuple[Rule[Mapping[str, Any]], ...] = (
    *CONNECTION,
    _namespace,
    _bundle,
    Check(
        "prune",
        lambda params: params.get("prune") and params.get("bundle") is None,
        "needs bundle: the name by which objects of earlier runs are known again",
    ),
    Check(
        "prune",
        lambda params: params.get("prune") and params.get("state") == "absent",
        "belongs to state: present; state: absent deletes what is declared",
    ),
    Check(
        "prune_max_percent",
        lambda params: params.get("prune_max_percent") is not None and not 0 <= params["prune_max_percent"] <= 100,
        "{prune_max_percent} is not a percentage (0 to 100)",
    ),
    Check(
        "wait_conditions",
        lambda params: params.get("wait_conditions") and not params.get("wait"),
        "needs wait: true; without it nothing is waited for",
    ),
    lambda params: wait_timeout_problems(params.get("wait_timeout"), zero=True),
    _conditions,
    lambda params: ignored_differences(params.get("ignore_differences"))[1],
)


def _other_labels(items: Sequence[tuple[str, manifests.Object]], bundle: str) -> Iterator[Problem]:
    for place, item in items:
        declared = (item["metadata"].get("labels") or {}).get(BUNDLE_LABEL)
        if declared not in (None, bundle):
            yield Problem(f"{place}.metadata.labels", f"{BUNDLE_LABEL} is {declared!r}, and bundle is {bundle!r}")


def converge(task: Task, domains: Sequence[Domain] = ()) -> Result:
    """Apply or delete the declared objects."""
    declared = read_declared(task)
    conditions = parse_conditions(task.params.get("wait_conditions"))
    absent = task.params["state"] == "absent"
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        if absent:
            return Result(False, "nothing to delete", values={"objects": []})
        return _result(plan_without_cluster(declared, pending.reason))
    return _delete(kube, task, declared) if absent else _apply(kube, task, declared, conditions, domains)


def _apply(
    kube: Kube,
    task: Task,
    declared: Sequence[Object],
    conditions: Sequence[Condition],
    domains: Sequence[Domain],
) -> Result:
    params = task.params
    options = BundleOptions(
        subject=SUBJECT,
        namespace=params.get("namespace"),
        force_conflicts=params["force_conflicts"],
        exclusive=params["exclusive"],
        recreate=params["recreate"],
        roll_on_config_change=params["roll_on_config_change"],
        per_object=object_options(params.get("object_options")),
        wait_timeout=float(params["wait_timeout"]),
        wait_conditions=tuple(conditions),
        propagation=params["delete_propagation"],
        bundle=params.get("bundle"),
        ignored=ignored_differences(params.get("ignore_differences"))[0],
        writers=writers_of(domains),
        pruning=Pruning(params["prune_max_percent"], wait=params["wait"]) if params["prune"] else None,
    )

    judges = {**JUDGES, **judges_of(domains)}

    def settle(applied: BundleOutcome) -> Sequence[Object]:
        # most bundles wait for nothing
        from .readiness.wait import wait_ready

        unmet_by = partial(unmet_conditions, conditions, judges=judges)
        waited_for = [item for item in applied.objects if options.settings(object_ref(item)).wait]
        return wait_ready(kube, task, waited_for, options.wait_timeout, unmet_by, judges)

    outcome = apply_bundle(kube, task, declared, options, settle if params["wait"] else None)
    outcome.raise_failures("apply objects")
    return _result(outcome)


def _delete(kube: Kube, task: Task, declared: Sequence[Object]) -> Result:
    # what applies need not have it
    from .apply.delete import DeleteOptions, delete_objects

    params = task.params
    options = DeleteOptions(
        subject=SUBJECT,
        namespace=params.get("namespace"),
        propagation=params["delete_propagation"],
        wait=params["wait"],
        wait_timeout=float(params["wait_timeout"]),
    )
    outcome = delete_objects(kube, task, declared, options)
    outcome.raise_failures("delete objects")
    return _result(outcome, deleted=True)


def _result(outcome: BundleOutcome, deleted: bool = False) -> Result:
    msg = outcome.summary(deleted=deleted)
    return Result(outcome.changed, msg, plans=outcome.plans, values={"objects": outcome.rows()})


LIST_SUBJECT = "k8s_objects_info"
REDACTED_ANNOTATIONS = ("kubectl.kubernetes.io/last-applied-configuration",)


def list_problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of k8s_objects_info; the rest is known when the cluster was asked for the kind."""
    return check(CONNECTION, params)


def info(task: Task) -> Result:
    """The objects that the options choose."""
    params = task.params
    refuse(LIST_SUBJECT, list_problems(params))
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        return Result(False, f"no objects: {pending.reason}", values={"objects": []})
    api_version, kind = str(params["api_version"]), str(params["kind"])
    resource = kube.resource_type(api_version, kind)
    if resource is None:
        if is_mistaken(kube.kinds(), api_version, kind):
            raise InvalidInput(LIST_SUBJECT, [Problem("kind", not_served(kube.kinds(), api_version, kind))])
        # a kind that is not installed has no objects: a question with an answer
        reported = not_installed(api_version, kind)
        return Result.of(Plan("objects", notes=(f"{reported}.",)), {"objects": []}, f"no objects: {reported}")
    name, namespace = params.get("name"), params.get("namespace")
    if name and resource.namespaced and not namespace:
        raise InvalidInput(LIST_SUBJECT, [Problem("namespace", f"is needed to read one {kind} by name")])
    if name:
        one = kube.get(resource.path(namespace, name), action=f"read {kind} {name}")
        found = [one] if one is not None else []
    else:
        found = kube.list_objects(
            resource,
            namespace,
            label_selector=",".join(params.get("label_selectors") or []) or None,
            field_selector=",".join(params.get("field_selectors") or []) or None,
        )
    shown = [presentable(item) for item in found]
    return Result(False, f"{len(shown)} {resource.plural}", values={"objects": shown})


def presentable(item: Mapping[str, Any]) -> Object:
    """An object without the bookkeeping of managers and without the data of a Secret."""
    metadata = {key: value for key, value in (item.get("metadata") or {}).items() if key != "managedFields"}
    shown: Object = {**item, "metadata": metadata}
    if holds_secrets(item):
        # names tell whether a key is there; values are nobody's to read through here
        shown["data"] = dict.fromkeys(item.get("data") or {}, "")
        annotations = metadata.get("annotations")
        if annotations:
            kept = {key: value for key, value in annotations.items() if key not in REDACTED_ANNOTATIONS}
            metadata["annotations"] = kept
    return shown
