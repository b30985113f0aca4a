# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of gateway_trial: tries every way to the servers behind a gateway, and fails where one is open."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ..errors import Check, InvalidInput, NotReady, Problem, Reason, Rule, ServiceError, check, refuse
from ..intent import guard
from ..kube.apply.owned_objects import TYPES as KUBERNETES_TYPES
from ..kube.apply.requests import map_concurrently
from ..kube.client import Kube
from ..kube.discovery import ResourceType
from ..kube.kubeconfig import CONNECTION
from ..kube.manifests import Object
from ..kube.readiness.evidence import PODS, SLICES
from ..names import LABEL, namespace_problems, wrong_label_name, wrong_label_value, wrong_name
from ..plan import Plan
from ..run_cache import ClusterPending
from ..task import Result, SilentTask, Task
from ..waiting import wait_timeout_problems
from . import observe, trial_calls, trial_pods
from .gateway_spec import TYPES
from .gateway_validate import owner_problems
from .trial_cluster import Seen, control_of, label_of, policies_of
from .trial_judge import NOT_PROVEN, REFUSED_TOKENS, Row, judged, notes_of, open_reasons, summary_of, unproven
from .trial_plan import FOREIGN, OUTSIDE, Credentials, Source, Trial, control_call, controls_of, sources_of, trials_of
from .trial_samples import SIGNED_KINDS, other_fault
from .trial_ways import addresses_of, protected_namespaces, ways_of

SUBJECT = "gateway_trial"
EVIDENCE_SCHEMA = 1
_LONGEST_CALL = 60
_LONGEST_TOKEN = 48 * 1024
"""Envoy takes 60 KiB of headers, and a Secret for pods a mebibyte."""
_LONGEST_AUTHORITY = 256 * 1024
_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_NODES = ResourceType("v1", "Node", "nodes", False)
_INGRESSES = ResourceType("networking.k8s.io/v1", "Ingress", "ingresses", True)
_LISTED: Mapping[str, ResourceType] = {
    "gateways": TYPES["Gateway"],
    "routes": TYPES["HTTPRoute"],
    "services": KUBERNETES_TYPES["Service"],
    "slices": SLICES,
    "pods": PODS,
    "nodes": _NODES,
    "policies": KUBERNETES_TYPES["NetworkPolicy"],
    "ingresses": _INGRESSES,
    "namespaces": trial_pods.NAMESPACES,
}
_OTHER_ROUTES = tuple(
    (f"gateway.networking.k8s.io/{version}", kind)
    for kind, versions in (
        ("GRPCRoute", ("v1", "v1alpha2")),
        ("TLSRoute", ("v1", "v1alpha3", "v1alpha2")),
        ("TCPRoute", ("v1", "v1alpha2")),
    )
    for version in versions
)


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options, whatever stands."""
    return check(_RULES, params)


def converge(task: Task) -> Result:
    params = task.params
    refuse(SUBJECT, problems(params))
    ca_pem = _ca(params)
    # what is made for a trial is gone when it ends: nothing has changed
    quiet = SilentTask(task, params, check_mode=task.check_mode, tells_progress=True)
    try:
        kube = Kube.connect(quiet)
    except ClusterPending as pending:
        return _result(task, [], [f"Nothing was tried: {pending.reason}."])
    name = f"{params['namespace']}/{params['name']}"
    lacking = observe.unserved(kube, ("Gateway", "HTTPRoute"))
    seen = Seen() if lacking else _look(kube)
    own = [one for one in seen.gateways if label_of(one) == name]
    if not any(addresses_of(one) for one in own):
        why = f"the cluster does not serve {', '.join(lacking)}" if lacking else "is missing or has no address"
        if task.check_mode:
            return _result(task, [], [f"Nothing was tried: Gateway {name}: {why}."])
        hint = "Run site.yml with the tag gateway first; ansible-playbook mcpops.platform.diagnose says what is wrong."
        raise NotReady(SUBJECT, [Reason(f"Gateway {name}", NOT_PROVEN, why, hint)], probe=True)
    foreign = trial_pods.new_name()
    ways = ways_of(seen, name, anonymous_routes(params))
    sources = [
        replace(one, policies=policies_of(seen, one.namespace, one.labels, "Egress"))
        for one in sources_of(params.get("callers") or (), protected_namespaces(seen, name), foreign)
    ]
    trials = trials_of(ways, sources, _credentials(params), control_of(seen))
    options = _pod_options(params, ca_pem)
    found, missing = _tried(task, kube, trials, sources, options)
    rows = judged(trials, found, missing)
    return _concluded(task, rows, {} if task.check_mode else missing)


def anonymous_routes(params: Mapping[str, Any]) -> list[str]:
    """Those that are declared open, as namespace/name."""
    # as gateway_route takes it: also as text
    return [label for label, one in _routes(params) if boolean(one.get("anonymous") or False, strict=False)]


def _routes(params: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    own = params.get("route_namespace") or params["namespace"]
    for one in params.get("routes") or ():
        yield f"{one.get('namespace') or own}/{one['name']}", one


def _look(kube: Kube) -> Seen:
    def listed(resource: ResourceType) -> list[Object]:
        return kube.list_objects(resource)

    kube.kinds()
    others = {
        kind: found
        for version, kind in reversed(_OTHER_ROUTES)
        if (found := kube.resource_type(version, kind, refresh=False))
    }
    listing = {**_LISTED, **others}
    answers = dict(zip(listing, map_concurrently(listed, list(listing.values())), strict=True))
    return Seen(**{key: answers[key] for key in _LISTED}, others=[one for kind in others for one in answers[kind]])


def _credentials(params: Mapping[str, Any]) -> Credentials:
    refused = {kind: text for kind, text in (params.get("refused_tokens") or {}).items() if text}
    declared = frozenset(label for label, _one in _routes(params))
    limited = frozenset(label for label, one in _routes(params) if one.get("source_ranges"))
    return Credentials(params.get("access_token") or "", refused, params.get("auth") or (), declared, limited)


def _pod_options(params: Mapping[str, Any], ca_pem: str) -> trial_pods.PodOptions:
    return trial_pods.PodOptions(
        owner=f"{params['namespace']}.{params['name']}",
        image=params["image"],
        timeout=float(params["timeout"]),
        wait_timeout=float(params["wait_timeout"]),
        ca_pem=ca_pem,
        resources=params["resources"],
    )


def _ca(params: Mapping[str, Any]) -> str:
    found = _authority(params)
    if len(found) > _LONGEST_AUTHORITY:
        text = f"is longer than {_LONGEST_AUTHORITY} characters: give the one authority of the gateway's certificate"
        raise InvalidInput(SUBJECT, [Problem("gateway_ca", text)])
    return found


def _authority(params: Mapping[str, Any]) -> str:
    given = str(params.get("gateway_ca") or "").strip()
    if not given or _CERTIFICATE in given:
        return given
    try:
        text = Path(given).expanduser().read_text(encoding="ascii")
    except (OSError, ValueError) as exc:
        raise InvalidInput(SUBJECT, [Problem("gateway_ca", f"{given} cannot be read: {exc}")]) from exc
    if _CERTIFICATE not in text:
        raise InvalidInput(SUBJECT, [Problem("gateway_ca", f"{given} holds no certificate (PEM)")])
    return text


# --- the calls

Found = dict[int, Mapping[str, Any]]


def _tried(
    task: Task, kube: Kube, trials: Sequence[Trial], sources: Sequence[Source], options: trial_pods.PodOptions
) -> tuple[Found, dict[str, str]]:
    """What came of each call, and why there is none from some places."""
    found: Found = {}
    missing: dict[str, str] = {}
    by_source: dict[str, list[Mapping[str, Any]]] = {}
    for one in trials:
        if one.call is not None:
            by_source.setdefault(one.source.name, []).append(one.call)
    pods = [one for one in sources if one.name in by_source and one.kind != OUTSIDE]
    from_here = by_source.get(OUTSIDE, [])

    def from_outside() -> None:
        task.progress(f"trying {len(from_here)} calls from here")
        _keep(found, _from_here(task, from_here, options))
        doubtful = controls_of(trials, found)
        controls = [control_call(some[0]) for some in doubtful.values()]
        answers = {row["id"]: row["connected"] for row in _from_here(task, controls, options)}
        for some in doubtful.values():
            for one in some:
                found[one.number] = {**found[one.number], "elsewhere": answers[some[0].number]}

    if task.check_mode:
        from_outside()
        return found, {one.name: "check mode: no pod is made" for one in pods}

    def from_pod(source: Source) -> None:
        task.progress(f"trying {len(by_source[source.name])} calls from {source.name}")
        try:
            with _place_of(kube, source, options):
                _keep(found, trial_pods.calls_from(kube, task, source, by_source[source.name], options))
        except (trial_pods.PodsFailed, ServiceError) as failed:
            # other places are tried all the same
            missing[source.name] = str(failed)

    # most of the time is spent waiting for who does not answer, and for pods to start
    work: list[Callable[[], None]] = [from_outside, *(partial(from_pod, one) for one in pods)]
    map_concurrently(lambda one: one(), work)
    return found, missing


def _place_of(kube: Kube, source: Source, options: trial_pods.PodOptions) -> AbstractContextManager[None]:
    if source.kind == FOREIGN:
        return trial_pods.foreign_namespace(kube, options, source.namespace)
    return nullcontext()


def _keep(found: Found, rows: Sequence[Mapping[str, Any]]) -> None:
    found.update({int(row["id"]): row for row in rows})


def _from_here(task: Task, calls: Sequence[Mapping[str, Any]], options: trial_pods.PodOptions) -> list[dict[str, Any]]:
    for one in calls:
        guard(task.check_mode, "mcp", one["method"], one["path"])
    return trial_calls.make_calls(calls, options.timeout, ca_pem=options.ca_pem or None)


# --- what is reported


def _concluded(task: Task, rows: Sequence[Row], missing: Mapping[str, str]) -> Result:
    reasons = [*open_reasons(rows), *unproven(rows, missing)]
    notes = notes_of(rows)
    if task.check_mode:
        notes.append("Check mode: nothing was tried from pods.")
        for reason in reasons:
            task.warn(f"{reason} A run that repairs it may come first.")
    result = _result(task, rows, notes)
    if reasons and not task.check_mode:
        raise NotReady(SUBJECT, reasons, values=dict(result.values), apart=True, probe=True)
    return result


def _result(task: Task, rows: Sequence[Row], notes: Sequence[str]) -> Result:
    counted = summary_of(rows)
    values: dict[str, Any] = {
        "trials": [row.to_dict() for row in rows],
        "summary": counted,
        "open": list(dict.fromkeys(row.trial.way.name for row in rows if row.outcome == "open")),
    }
    if task.params.get("evidence") and not task.check_mode:
        values["evidence"] = str(_write_evidence(task.params, values, notes))
    shown = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in counted.items() if count)
    msg = f"{len(rows)} trials: {shown}" if rows else "nothing was tried"
    return Result(False, msg, plans=(Plan(SUBJECT, notes=tuple(notes)),), values=values)


def _write_evidence(params: Mapping[str, Any], values: Mapping[str, Any], notes: Sequence[str]) -> Path:
    """Whole or not at all: who reads it while it is written sees the last one."""
    path = Path(params["evidence"]).expanduser()
    document = {
        "schema": EVIDENCE_SCHEMA,
        "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "gateway": f"{params['namespace']}/{params['name']}",
        "summary": values["summary"],
        "open": values["open"],
        "notes": list(notes),
        "trials": values["trials"],
    }
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as exc:
        raise InvalidInput(SUBJECT, [Problem("evidence", f"{path} cannot be written: {exc}")]) from exc
    return path


# --- what is refused


def _names(params: Mapping[str, Any]) -> Iterator[Problem]:
    yield from owner_problems(params["namespace"], params["name"])


def _declared(params: Mapping[str, Any]) -> Iterator[Problem]:
    for index, one in enumerate(params.get("routes") or ()):
        if not one.get("name"):
            yield Problem(f"routes[{index}].name", "is needed: the HTTPRoute's")
    for index, one in enumerate(params.get("auth") or ()):
        for key in ("name", "issuer", "audiences"):
            if not one.get(key):
                yield Problem(f"auth[{index}].{key}", "is needed, as gateway_route has it")


def _callers(params: Mapping[str, Any]) -> Iterator[Problem]:
    for index, one in enumerate(params.get("callers") or ()):
        where = f"callers[{index}]"
        yield from namespace_problems(f"{where}.namespace", one["namespace"])
        for key, value in (one.get("pod_labels") or {}).items():
            if wrong := wrong_label_name(str(key)) or wrong_label_value(str(value)):
                yield Problem(f"{where}.pod_labels", wrong)
        for number, service in enumerate(one.get("services") or ()):
            for part in service.split("/", 1):
                if wrong := wrong_name(part, "NAME or NAMESPACE/NAME of a Service", LABEL):
                    yield Problem(f"{where}.services[{number}]", wrong)
                    break


def _tokens(params: Mapping[str, Any]) -> Iterator[Problem]:
    given = {"access_token": params.get("access_token")}
    given |= {f"refused_tokens.{kind}": (params.get("refused_tokens") or {}).get(kind) for kind in SIGNED_KINDS}
    for path, text in given.items():
        if text and len(text) > _LONGEST_TOKEN:
            yield Problem(path, f"is longer than {_LONGEST_TOKEN} characters: no proxy takes a header of this length")
        elif text and (not text.isascii() or any(character.isspace() for character in text)):
            yield Problem(path, "is not a token: it has spaces, or more than ASCII; leave the word Bearer out")
        elif text and path != "access_token":
            kind = path.partition(".")[2]
            if why := other_fault(kind, text, params.get("auth") or (), time.time()):
                yield Problem(path, f"{why}: give one that is {REFUSED_TOKENS[kind.replace('_', ' ')]}, or none")


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    *CONNECTION,
    _names,
    _declared,
    _callers,
    _tokens,
    Check(
        "image",
        lambda params: not params["image"] or any(character.isspace() for character in params["image"]),
        "is not the name of an image; it must have python3",
    ),
    Check(
        "timeout",
        lambda params: not 1 <= params["timeout"] <= _LONGEST_CALL,
        f"is not between 1 and {_LONGEST_CALL} seconds",
    ),
    lambda params: wait_timeout_problems(params["wait_timeout"]),
)
