# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the objects of a bundle come from: inline, files and directories, rendered templates, kustomizations."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.kube import conditions, objects
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ignored import ignored_differences
from ansible_collections.mcpops.platform.plugins.module_utils.kube.prune import BUNDLE_LABEL, labelled
from ansible_collections.mcpops.platform.plugins.module_utils.masking import declared_values, protect
from ansible_collections.mcpops.platform.plugins.module_utils.names import QUALIFIED, namespace_problems, wrong_name
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task, run_within
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import wait_timeout_problems

SUBJECT = "k8s_objects"
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
        documents, problems = objects.read(source, text)
        self.problems += problems
        for number, document in enumerate(documents, 1):
            self.documents.append((source if len(documents) == 1 else f"{source} document {number}", document))


def read_declared(task: Task) -> list[objects.Object]:
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
    found.problems += objects.problems([item for _place, item in items], [place for place, _item in items])
    if not items and not found.problems:
        found.wrong("definitions", "hold no object; leave the task out, or name what it is about")
    _options(params, found)
    found.problems += ignored_differences(params.get("ignore_differences"))[1]
    bundle = params.get("bundle")
    if bundle is not None and not found.problems:
        _other_label(items, bundle, found)
    if found.problems:
        raise InvalidInput(SUBJECT, found.problems)
    return [labelled(item, bundle) if bundle is not None else item for _place, item in items]


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
        flat = objects.flatten([document])
        for number, item in enumerate(flat):
            yield place if len(flat) == 1 else f"{place} item {number}", item


def _files(sources: Sequence[str], found: _Found) -> Iterator[Path]:
    for number, source in enumerate(sources):
        place = f"src[{number}]"
        path = Path(source)
        if _URL.match(source):
            # a text that may change during a run, without a checksum, is not a declaration
            found.wrong(place, f"{source} is a URL: fetch it with ansible.builtin.get_url and its checksum first")
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
            told = (
                f"{name} is not rendered: the action plugin of k8s_objects renders templates, and this module was run "
                "without it. Call it by its full name, mcpops.platform.k8s_objects, or use definitions with "
                "lookup('ansible.builtin.template', ...)"
            )
            found.wrong(f"template[{number}]", told)


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


def _options(params: Mapping[str, Any], found: _Found) -> None:
    """Options that are wrong in themselves, or contradict each other."""
    if params.get("namespace") is not None:
        found.problems += namespace_problems("namespace", params["namespace"])
    bundle = params.get("bundle")
    if bundle is not None and (wrong := wrong_name(bundle, "label value", QUALIFIED)):
        found.wrong("bundle", wrong)
    if params.get("prune") and bundle is None:
        found.wrong("prune", "needs bundle: the name by which objects of earlier runs are known again")
    if params.get("prune") and params.get("state") == "absent":
        found.wrong("prune", "belongs to state: present; state: absent deletes what is declared")
    percent = params.get("prune_max_percent")
    if percent is not None and not 0 <= percent <= 100:
        found.wrong("prune_max_percent", f"{percent} is not a percentage (0 to 100)")
    if params.get("wait_conditions") and not params.get("wait"):
        found.wrong("wait_conditions", "needs wait: true; without it nothing is waited for")
    found.problems += wait_timeout_problems(params.get("wait_timeout"), zero=True)
    try:
        conditions.parse(params.get("wait_conditions"))
    except InvalidInput as invalid:
        found.problems += invalid.problems


def _other_label(items: Sequence[tuple[str, objects.Object]], bundle: str, found: _Found) -> None:
    for place, item in items:
        declared = (item["metadata"].get("labels") or {}).get(BUNDLE_LABEL)
        if declared not in (None, bundle):
            found.wrong(f"{place}.metadata.labels", f"{BUNDLE_LABEL} is {declared!r}, and bundle is {bundle!r}")
