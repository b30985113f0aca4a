# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about agent workloads: what pods and Services do not show by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..kube.diagnosis.pods import pod_findings
from ..kube.diagnosis.snapshot import CALL, STATUS, Evidence, Finding, Snapshot, of_reason
from ..kube.readiness.reasons import Object, make_reason, subject_of
from .domain import NAME, REASONS
from .health_readiness import UNHEALTHY, UNREACHABLE, Health
from .workload_spec import AGENT, CLIENT_ID, COMPONENT_LABEL, IDENTITY_LABEL, NAME_LABEL, OWNER_LABEL
from .workload_validate import CLIENT_SECRETS

Key = tuple[str, str]


def workload_findings(snapshot: Snapshot) -> list[Finding]:
    """Of the agents themselves, and of every workload that has an identity: those that others made are no better."""
    found = [one for service in services_of(snapshot) for one in _of_health(snapshot, service)]
    if snapshot.knows("ServiceAccount"):
        for workload in snapshot.of("Deployment"):
            found += _of_identity(snapshot, workload)
    return found


def services_of(snapshot: Snapshot) -> list[Object]:
    """The Services of agents in the namespaces that are asked about."""
    return [one for one in snapshot.of("Service") if _labels(one["metadata"]).get(OWNER_LABEL)]


def ports_of(service: Object) -> list[int]:
    """The port at which an agent is asked, if its Service has one."""
    ports = (service.get("spec") or {}).get("ports") or ()
    return [int(one["port"]) for one in ports if one.get("name") == "http"][:1]


def _labels(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = metadata.get("labels") or {}
    return found


def _key(item: Object) -> Key:
    return str(item["metadata"].get("namespace")), str(item["metadata"]["name"])


def _of_health(snapshot: Snapshot, service: Object) -> Iterator[Finding]:
    health: Health | None = (snapshot.facts.get(NAME) or {}).get(_key(service))
    if health is None:
        return
    causes = tuple(one.identifier for one in pod_findings(snapshot) if _pods_of(snapshot, service) & set(one.pods))
    for reason in health.reasons:
        if reason.code not in (UNHEALTHY, UNREACHABLE) or not snapshot.lasting(reason.code, service):
            continue
        part = reason.message.partition(" is ")[0] if reason.code == UNHEALTHY else ""
        advice = REASONS[reason.code].advice
        stated = make_reason(subject_of(service), reason.code, reason.message, hint=reason.hint or advice)
        evidence = (Evidence(CALL, reason.message),)
        yield of_reason(service, stated, part=part, evidence=evidence, caused_by=causes)


def _pods_of(snapshot: Snapshot, service: Object) -> set[str]:
    namespace, name = _key(service)
    wanted = {NAME_LABEL: name, COMPONENT_LABEL: AGENT}
    return {
        str(pod["metadata"]["name"])
        for pod in snapshot.all("Pod")
        if pod["metadata"].get("namespace") == namespace and wanted.items() <= _labels(pod["metadata"]).items()
    }


def _of_identity(snapshot: Snapshot, workload: Object) -> Iterator[Finding]:
    template = (workload.get("spec") or {}).get("template") or {}
    pod = template.get("spec") or {}
    labelled = _labels(template.get("metadata") or {}).get(IDENTITY_LABEL) == "true"
    account = (_key(workload)[0], str(pod.get("serviceAccountName") or "default"))
    names = [one for one in snapshot.all("ServiceAccount") if _key(one) == account]
    annotated = any((one["metadata"].get("annotations") or {}).get(CLIENT_ID) for one in names)
    if annotated and not labelled:
        said = f"its ServiceAccount {account[1]} names an identity, and its pods lack the label {IDENTITY_LABEL}"
        yield _found(workload, "IdentityLabelMissing", said)
    variables = _variables(pod.get("containers") or ())
    beside = sorted(set(CLIENT_SECRETS) & variables)
    if labelled and beside:
        yield _found(workload, "ClientSecretBesideIdentity", f"its pods have {', '.join(beside)} beside an identity")


def _found(workload: Object, code: str, said: str) -> Finding:
    reason = make_reason(subject_of(workload), code, said, hint=REASONS[code].advice)
    return of_reason(workload, reason, evidence=(Evidence(STATUS, said),))


def _variables(containers: Sequence[Mapping[str, Any]]) -> set[str]:
    return {str(one.get("name")) for container in containers for one in container.get("env") or ()}
