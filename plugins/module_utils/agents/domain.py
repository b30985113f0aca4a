# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The row of agent workloads in the registry of domains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..domain import COLLECTION, Answers, Diagnosis, Domain, HostVars, Right, Role, Row, unknown_calls
from ..kube.readiness.reasons import ERROR, WARNING, ReasonCode
from .health_readiness import UNHEALTHY, UNREACHABLE

if TYPE_CHECKING:
    from ..site.inventory import Host

NAME = "agents"
STAGE = "agents"
AGENTS, COMMON_AGENTS = "agent_workload_agents", "mcpops_agents"
CALLS = "agent_workload_calls"
VERIFIED = "agent_workload_verified"
"""What roles/agent_workload/tasks/verify.yml registers."""
LONGEST_ANSWER = 32
LONGEST_NAMES = 40

REASONS: Mapping[str, ReasonCode] = {
    UNREACHABLE: ReasonCode(
        ERROR,
        "no ready pod of an agent answers",
        "See why its pods are not ready, and whether its network policy lets in the API server.",
        30.0,
    ),
    UNHEALTHY: ReasonCode(
        ERROR,
        "an agent says that something behind it does not work",
        "See what the agent is told of it (address, credentials), and whether its network policy lets it out there.",
        30.0,
    ),
    "IdentityLabelMissing": ReasonCode(
        ERROR,
        "a pod of an agent has no workload identity, although its ServiceAccount names one",
        "Only pods with the label azure.workload.identity/use get a token. The role agent_workload sets it where "
        "identity is declared.",
    ),
    "ClientSecretBesideIdentity": ReasonCode(
        WARNING,
        "a client secret stands beside the workload identity of a pod, which is then never used",
        "Leave AZURE_CLIENT_SECRET out of its variables: the Azure SDKs take it first.",
    ),
}


def _rows(host: HostVars) -> list[Row]:
    answers = {(one["namespace"], one["agent"]): one for one in _verified(host, "answers")}
    rows: list[Row] = []
    for one in _verified(host, "agents"):
        place, name = str(one["namespace"]), str(one["name"])
        rows.append((name, place, _components(one), *_answer(answers.get((place, name)))))
    return rows


def _verified(host: HostVars, key: str) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = (host.get(VERIFIED) or {}).get(key) or ()
    return found


def _components(row: Mapping[str, Any]) -> str:
    text = ",".join(f"{name}={state}" for name, state in sorted(row["components"].items())) or "-"
    return _short(text, LONGEST_NAMES)


def _answer(answer: Mapping[str, Any] | None) -> tuple[str, str]:
    if answer is None:
        return "-", "-"
    return str(answer["duration_ms"]), _short(" ".join(str(answer["answer"] or "-").split()), LONGEST_ANSWER)


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _facts(host: HostVars) -> dict[str, Any]:
    if VERIFIED not in host:
        return {}
    answers = {(one["namespace"], one["agent"]): one for one in _verified(host, "answers")}
    found = {}
    for one in _verified(host, "agents"):
        answer = answers.get((one["namespace"], one["name"]))
        found[f"{one['namespace']}/{one['name']}"] = {
            "healthy": bool(one["healthy"]),
            "components": dict(one["components"]),
            "answers": None if answer is None else bool(answer["as_expected"]),
            "milliseconds": None if answer is None else answer["duration_ms"],
        }
    return {"agents": found}


def _missing(host: HostVars) -> str:
    if VERIFIED not in host:
        return ""
    ill = [str(one["name"]) for one in _verified(host, "agents") if not one["healthy"]]
    wrong = [str(one["agent"]) for one in _verified(host, "answers") if not one["as_expected"]]
    if ill:
        return f"agents that are not healthy: {', '.join(ill)}"
    if wrong:
        return f"agents that did not answer as declared: {', '.join(dict.fromkeys(wrong))}"
    return "its agents are not as declared" if host[VERIFIED].get("failed") else ""


def _calls(host: Host) -> Iterator[tuple[str, str]]:
    return unknown_calls(host, "agent_workload", CALLS, AGENTS, ("agent", "an agent"))


def _diagnosis() -> Diagnosis:
    from . import agent_workload_info, diagnosis

    return Diagnosis(diagnosis.workload_findings, agent_workload_info.observe)


_KEPT = ("get", "list", "create", "patch", "delete")
# the objects of agents; how their readiness is judged, and how they are asked
RIGHTS = (
    *(Right(resource, _KEPT, place=STAGE) for resource in ("serviceaccounts", "secrets", "configmaps", "services")),
    Right("deployments", _KEPT, "apps", STAGE),
    Right("poddisruptionbudgets", _KEPT, "policy", STAGE),
    Right("horizontalpodautoscalers", _KEPT, "autoscaling", STAGE),
    Right("networkpolicies", _KEPT, "networking.k8s.io", STAGE),
    Right("pods", ("list",), place=STAGE),
    Right("pods/log", ("get",), place=STAGE),
    Right("events", ("list",), place=STAGE),
    Right("services/proxy", ("get", "create"), place=STAGE),
)

DOMAIN = Domain(
    name=NAME,
    roles=(
        Role(
            f"{COLLECTION}.agent_workload",
            stage=STAGE,
            unless_empty=(AGENTS, COMMON_AGENTS, "agent_workload_prune"),
        ),
    ),
    rights=RIGHTS,
    kinds=(("v1", "ServiceAccount"),),
    reasons=REASONS,
    diagnosis=_diagnosis,
    modules=("agent_*",),
    answers=Answers(("agent", "namespace", "components", "ms", "answer"), _rows, _missing, _facts),
    host_rules=(_calls,),
)
