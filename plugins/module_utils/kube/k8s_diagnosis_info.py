# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of k8s_diagnosis_info: what is wrong in a cluster, the evidence, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ..domain import Diagnosis, Domain
from ..errors import Check, Problem, Rule, ServiceError, check, refuse
from ..names import namespace_problems
from ..run_cache import ClusterPending
from ..task import Result, Task
from . import config_digest
from .apply.requests import FORBIDDEN, map_concurrently
from .apply.rotation import HELD
from .client import Kube
from .diagnosis import cluster, pods
from .diagnosis import snapshot as diagnosis_snapshot
from .diagnosis.snapshot import LOG, Evidence, Finding, Snapshot, in_order
from .kubeconfig import CONNECTION
from .readiness.evidence import last_log_lines
from .readiness.reasons import REASON_CODES, SEVERITIES, without_log

SUBJECT = "k8s_diagnosis_info"
SCHEMA_VERSION = 1
"""Of the result's structure: it grows when a key changes its meaning or goes, not when one comes."""
MOST_LINES = 100
MOST_CONTENTS = 20
"""How many Secrets and ConfigMaps are read to tell a changed value from a changed label."""
MOST_LOGS = 20
"""How many logs are read: enough for what a person reads, and a bound on the requests."""


def diagnose(task: Task, domains: Sequence[Domain] = ()) -> Result:
    """All findings, the worst first. Nothing is changed, and the number of requests does not grow with the objects."""
    refuse(SUBJECT, problems(task.params))
    namespaces, lines = list(task.params.get("namespaces") or []), int(task.params["log_lines"])
    try:
        kube = Kube.connect(task)
    except ClusterPending as pending:
        return _result([], Snapshot({}, datetime.now(timezone.utc)), f"nothing to look at: {pending.reason}")
    kinds = [kind for domain in domains for kind in domain.kinds]
    snapshot = diagnosis_snapshot.read_snapshot(kube, namespaces, task.params["cluster_scope"], kinds)
    _known(snapshot, namespaces)
    snapshot = _with_contents(kube, snapshot)
    for of_domain in _diagnoses(domains):
        snapshot = of_domain.observe(task, kube, snapshot)
    return _result(_with_logs(kube, classify(snapshot, domains), lines), snapshot)


def classify(snapshot: Snapshot, domains: Sequence[Domain] = ()) -> list[Finding]:
    """The findings of a snapshot, the worst first; pure."""
    codes = {**REASON_CODES, **{code: one for domain in domains for code, one in domain.reasons.items()}}
    snapshot = replace(snapshot, codes=codes)
    of_pods = pods.pod_findings(snapshot)
    diagnoses = _diagnoses(domains)
    for of_domain in diagnoses:
        of_pods = [of_domain.explain(one) for one in of_pods]
    found = [
        *of_pods,
        *pods.stale_config_findings(snapshot),
        *cluster.service_findings(snapshot, of_pods),
        *cluster.cluster_findings(snapshot),
        *(one for of_domain in diagnoses for one in of_domain.findings(snapshot)),
    ]
    return in_order(found, codes)


def _diagnoses(domains: Sequence[Domain]) -> list[Diagnosis]:
    return [domain.diagnosis() for domain in domains if domain.diagnosis is not None]


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of k8s_diagnosis_info; which namespaces there are, the cluster knows."""
    return check(_RULES, params)


def _namespaces(params: Mapping[str, Any]) -> Iterator[Problem]:
    for number, name in enumerate(params.get("namespaces") or []):
        yield from namespace_problems(f"namespaces[{number}]", name)


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    *CONNECTION,
    _namespaces,
    Check(
        "log_lines",
        lambda params: not 0 <= params["log_lines"] <= MOST_LINES,
        f"{{log_lines}} is outside 0 to {MOST_LINES}",
    ),
)


def _known(snapshot: Snapshot, namespaces: Sequence[str]) -> None:
    """A misspelt namespace has no faults: that must not read as a healthy one."""
    if not snapshot.knows("Namespace"):
        return
    there = sorted(str(one["metadata"]["name"]) for one in snapshot.all("Namespace"))
    missing = [
        Problem(f"namespaces[{number}]", f"there is no namespace {name}; there are {', '.join(there)}")
        for number, name in enumerate(namespaces)
        if name not in there
    ]
    refuse(SUBJECT, missing)


def _with_contents(kube: Kube, snapshot: Snapshot) -> Snapshot:
    """The snapshot with fingerprints of what a later label or a later value may have been written to."""
    wanted = pods.possibly_stale(snapshot)[:MOST_CONTENTS]

    def content(suspect: pods.Key) -> config_digest.Content | None:
        kind, namespace, name = suspect
        try:
            found = kube.get(HELD[kind].path(namespace, name), action=f"read {kind} {namespace}/{name}")
        except ServiceError as refused:
            if refused.status != FORBIDDEN:
                raise
            return None
        return None if found is None else config_digest.object_content(found)

    read = zip(wanted, map_concurrently(content, wanted))
    return replace(snapshot, contents={suspect: one for suspect, one in read if one is not None})


def _with_logs(kube: Kube, found: Sequence[Finding], lines: int) -> list[Finding]:
    wanted = [one for one in found if one.log_of is not None][:MOST_LOGS] if lines else []
    read = dict(zip((one.identifier for one in wanted), map_concurrently(lambda one: _log(kube, one, lines), wanted)))
    return [_with_log(one, read.get(one.identifier)) for one in found]


def _with_log(found: Finding, log: tuple[Evidence, ...] | None) -> Finding:
    """A finding with its log lines, or without the advice to read them where there are none; None: nobody looked."""
    if log is None:
        return found
    if not log:
        return replace(found, advice=without_log(found.code, found.advice))
    return replace(found, evidence=(*found.evidence, *log))


def _log(kube: Kube, found: Finding, lines: int) -> tuple[Evidence, ...]:
    of = found.log_of
    if of is None:
        return ()
    reported = last_log_lines(kube, of.namespace, of.pod, of.container, of.hidden, lines)
    return (Evidence(LOG, "\n".join(reported)),) if reported else ()


def _result(found: Sequence[Finding], snapshot: Snapshot, msg: str = "") -> Result:
    rows = [one.to_dict() for one in found]
    counted = Counter(row["severity"] for row in rows)
    looked_at = {kind: len(snapshot.of(kind)) for kind in sorted(snapshot.objects)}
    values = {
        "schema_version": SCHEMA_VERSION,
        "findings": rows,
        "counts": {severity: counted[severity] for severity in SEVERITIES},
        "looked_at": looked_at,
        "unread": [f"{kind} {why}" for kind, why in sorted(snapshot.unread.items())],
    }
    return Result(False, msg or _summary(counted, sum(looked_at.values())), values=values)


def _summary(counted: Counter[str], looked_at: int) -> str:
    named = {"error": ("error", "errors"), "warning": ("warning", "warnings"), "info": ("remark", "remarks")}
    reported = [f"{counted[one]} {named[one][counted[one] != 1]}" for one in SEVERITIES if counted[one]]
    return f"{', '.join(reported) or 'no findings'} in {looked_at} objects"
