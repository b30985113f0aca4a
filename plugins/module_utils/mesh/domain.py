# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The row of MCP Mesh in the registry of domains."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..domain import (
    COLLECTION,
    Answers,
    Diagnosis,
    Domain,
    HostVars,
    Object,
    ReleaseStep,
    Right,
    Role,
    Row,
    unknown_calls,
)
from ..errors import Reason
from ..kube.readiness.reasons import ERROR, WARNING, ReasonCode, reason_about
from ..names import IMAGE

if TYPE_CHECKING:
    from ..plan import Refusal
    from ..site.inventory import Host

NAME = "mesh"
STAGE = "mesh"
AGENT_VERSION, AGENT_KIND = "mesh.mcp.io/v1alpha1", "MCPAgent"
VERIFIED, CALLED = "mcp_mesh_agents_verified", "mcp_mesh_agents_called"
"""What roles/mcp_mesh_agents/tasks/verify.yml registers: the registry's word, and the answers of agents."""
NAMESPACE, COMMON_NAMESPACE = "mcp_mesh_namespace", "mcpops_mesh_namespace"
"""One of them says that a host has a mesh."""
AGENTS, COMMON_AGENTS = "mcp_mesh_agents_agents", "mcpops_mesh_agents"
CALLS = "mcp_mesh_agents_calls"
ELSEWHERE = ("mcp_mesh_agents_registry_url", "mcp_mesh_agents_registry_namespace")
AZURE_DATABASE = "mcp_mesh_azure_database"
_AZURE_PARTS = {
    "server": (r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", "the name of a server: 3 to 63 lower-case letters, digits and -"),
    "host": (r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", "the name of a host, without a port"),
    "database": (r"[A-Za-z_][A-Za-z0-9_-]{0,62}", "the name of a database: letters, digits, _ and -"),
    "login": (r".{1,63}", "a login, which has 63 signs at most"),
    "image": (IMAGE.pattern, "a valid image reference such as postgres:17"),
}
_REGISTRY, _AGENTS = f"{COLLECTION}.mcp_mesh", f"{COLLECTION}.mcp_mesh_agents"
_HEALTHY, _AVAILABLE = "healthy", "available"
# Callbacks that print YAML fold a line at its first single blank behind the 80th column.
LONGEST_ANSWER = 32
LONGEST_NAMES = 40

REASONS: Mapping[str, ReasonCode] = {
    "RegistryNotReady": ReasonCode(
        ERROR,
        "no ready pod of a mesh registry answers",
        "See why its pods are not ready; agents keep calling the providers that they know, and find no new ones.",
        30.0,
    ),
    "RegistryDatabaseDown": ReasonCode(
        ERROR,
        "a mesh registry runs and cannot read its agents",
        "See whether its database runs, and whether it is reached with DATABASE_URL; /health says healthy "
        "all the same.",
    ),
    "NotARegistry": ReasonCode(
        ERROR, "what answers behind the Service of a mesh registry is not one", "Check the Service's selector and port."
    ),
    "AgentNotRegistered": ReasonCode(
        ERROR,
        "an agent runs, and the mesh registry does not know it",
        "Read its log, and see whether it reaches the registry: MCP_MESH_REGISTRY_URL and network policies.",
        30.0,
    ),
    "AgentUnhealthy": ReasonCode(
        ERROR,
        "the mesh registry takes fewer pods of an agent for healthy than run",
        "See why the others do not run, or do not reach the registry.",
        30.0,
    ),
    "AgentSilent": ReasonCode(
        WARNING,
        "an agent is registered as healthy and gives no sign of life",
        "The registry has not noticed yet that it is gone, or it has lost the registry: read its log.",
    ),
    "RemoteAgentSilent": ReasonCode(
        ERROR,
        "an agent of another cluster gives the registry no sign of life",
        "See whether it runs there, and whether its cluster still reaches this registry: the load balancer "
        "NAME-exposed and its source_ranges here, MCP_MESH_REGISTRY_URL and remote_cidrs there.",
    ),
    "RemoteAgentUnreachable": ReasonCode(
        ERROR,
        "an agent of another cluster is registered, and this cluster does not reach it",
        "Whoever depends on it calls in vain. See its load balancer NAME-exposed and source_ranges there, and routes "
        "and firewalls between the clusters.",
    ),
    "WrongEndpoint": ReasonCode(
        ERROR,
        "an agent announces another address than its Service",
        "Other agents call what is announced: set MCP_MESH_HTTP_HOST to the Service's name. The role mcp_mesh_agents "
        "(module mesh_agent) does.",
    ),
    "CapabilityUnavailable": ReasonCode(
        ERROR,
        "an agent does not offer a capability, for a dependency that it requires",
        "Start an agent that offers what its function depends on.",
        30.0,
    ),
    "DependencyUnresolved": ReasonCode(
        WARNING,
        "nobody offers what an agent depends on",
        "Deploy an agent that offers it, in the version and with the tags that are asked for; where the agent does "
        "without it, this is as it should be.",
        30.0,
    ),
    "NamespaceOfRelease": ReasonCode(
        WARNING,
        "a Helm release owns the namespace of a mesh",
        "Removing that release deletes the namespace with all that is in it, and so does an upgrade of the official "
        "chart from 3.3 to 3.5 or later. First run kubectl annotate namespace NAME helm.sh/resource-policy=keep.",
    ),
    "RegistryWithoutDatabase": ReasonCode(
        WARNING,
        "a mesh registry has no database, and loses its agents with the pod",
        "Give it DATABASE_URL from a Secret; DATABASE_TYPE and the like are read by nothing. The role mcp_mesh (module "
        "mesh_registry) does.",
    ),
    "AdminExposed": ReasonCode(
        WARNING,
        "whoever reaches a mesh registry may drain it and rotate its keys",
        "Set MCP_MESH_ADMIN_PORT to a port that no Service leads to. The role mcp_mesh (module mesh_registry) does.",
    ),
    "InertAgent": ReasonCode(
        WARNING,
        "a resource MCPAgent stands, and nothing makes anything of it",
        "No release of MCP Mesh has a controller for MCPAgent. Declare the agent with the module mesh_agent, whose "
        "options are those of its spec, and delete the resource; a record of it is kept with wait: false.",
    ),
    "RegistryNotFound": ReasonCode(
        ERROR,
        "the address of the mesh registry that an agent is given leads nowhere",
        "Set MCP_MESH_REGISTRY_URL to the registry's Service and port: http://mcp-mesh-registry.NAMESPACE:8000. The "
        "role mcp_mesh_agents (module mesh_agent) does.",
    ),
}


def _rows(host: HostVars) -> list[Row]:
    called = _called(host)
    names = {str(row.get("id")): str(row.get("name")) for row in _registered(host)}
    return [
        (name, str(len(rows)), _offered(rows), _needed(rows, names), *_answer(called.get(name)))
        for name, rows in _by_name(host).items()
    ]


def _facts(host: HostVars) -> dict[str, Any]:
    called = _called(host)
    agents = {
        name: {
            "healthy": len(rows),
            "capabilities": _capabilities(rows),
            "resolved": sorted({need["capability"] for row in rows for need in _needs(row) if _is_resolved(need)}),
            "answers": _answers(called[name]) if name in called else None,
            "milliseconds": called.get(name, {}).get("duration_ms"),
        }
        for name, rows in _by_name(host).items()
    }
    return {"mesh_agents": agents} if VERIFIED in host else {}


def _missing(host: HostVars) -> str:
    if VERIFIED not in host:
        return ""
    silent = [name for name, answer in _called(host).items() if not _answers(answer)]
    if silent:
        return f"agents of the mesh that did not answer as declared: {', '.join(silent)}"
    return "the mesh is not as declared" if host[VERIFIED].get("failed") else ""


def _registered(host: HostVars) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = (host.get(VERIFIED) or {}).get("agents") or ()
    return found


def _by_name(host: HostVars) -> dict[str, list[Mapping[str, Any]]]:
    """The healthy pods of each registered agent; one whose pods are all gone has none."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in _registered(host):
        alive = found.setdefault(str(row["name"]), [])
        if row.get("status") == _HEALTHY:
            alive.append(row)
    return found


def _called(host: HostVars) -> dict[str, Mapping[str, Any]]:
    """The last answer of each agent that was called; of one that failed, the failure."""
    found: dict[str, Mapping[str, Any]] = {}
    for answer in (host.get(CALLED) or {}).get("servers") or ():
        name = str(answer["name"])
        if name not in found or _answers(found[name]):
            found[name] = answer
    return found


def _answers(answer: Mapping[str, Any]) -> bool:
    return bool(answer.get("reachable", True)) and not answer.get("error")


def _capabilities(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    offered = (one for row in rows for one in row.get("capabilities") or () if one.get("available", True))
    return sorted({str(one["name"]) for one in offered})


def _needs(row: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = row.get("dependencies") or ()
    return found


def _is_resolved(need: Mapping[str, Any]) -> bool:
    return need.get("status") == _AVAILABLE


def _offered(rows: Sequence[Mapping[str, Any]]) -> str:
    return _short(",".join(_capabilities(rows)) or "-", LONGEST_NAMES)


def _needed(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> str:
    """Each resolved dependency with the agent that was found for it."""
    found = {
        f"{need['capability']}={names.get(str(need.get('provider')), '?')}"
        for row in rows
        for need in _needs(row)
        if _is_resolved(need)
    }
    return _short(",".join(sorted(found)) or "-", LONGEST_NAMES)


def _answer(answer: Mapping[str, Any] | None) -> tuple[str, str]:
    if answer is None:
        return "-", "-"
    text = " ".join(str(answer.get("answer") or "-").split())
    return str(answer.get("duration_ms", "-")), _short(text, LONGEST_ANSWER)


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _without_mesh(host: Host) -> Iterator[tuple[str, str]]:
    """What is declared of a mesh on a host that has none: it would be passed over."""
    declares = {NAMESPACE, COMMON_NAMESPACE} & host.written
    if "mcp_mesh" not in host.roles or declares:
        return
    beside = f"the role mcp_mesh runs where {COMMON_NAMESPACE} (or {NAMESPACE}) is set"
    for variable in sorted(host.written):
        if variable.startswith("mcp_mesh_") and not variable.startswith("mcp_mesh_agents_"):
            yield variable, f"says something of a mesh that is not declared: {beside}"
    if host.get(AGENTS) and host.written.isdisjoint(ELSEWHERE):
        yield AGENTS, f"has no registry: {beside}, and {ELSEWHERE[0]} names one that is elsewhere"


def _calls(host: Host) -> Iterator[tuple[str, str]]:
    return unknown_calls(host, "mcp_mesh_agents", CALLS, AGENTS, ("agent", "an agent"))


def _azure_database(host: Host) -> Iterator[tuple[str, str]]:
    """The role makes an address of these, in which a mistake would be seen by the registry alone."""
    database = host.get(AZURE_DATABASE)
    if "mcp_mesh" not in host.roles or not isinstance(database, Mapping) or not database:
        return
    named = [key for key in ("server", "host") if database.get(key)]
    if len(named) != 1:
        yield AZURE_DATABASE, f"takes exactly one of server and host: it has {' and '.join(named) or 'none'}"
    for key, (pattern, what) in _AZURE_PARTS.items():
        value = database.get(key)
        if value not in (None, "") and not re.fullmatch(pattern, str(value)):
            yield f"{AZURE_DATABASE}.{key}", f"{value!r} is not {what}"
    for key in ("database", "login", "password"):
        if database.get(key) in (None, ""):
            yield f"{AZURE_DATABASE}.{key}", "is needed"
    if "mcp_mesh_database" in host.written:
        yield "mcp_mesh_database", f"is another database than {AZURE_DATABASE} names: leave one of them out"


def judge_agent(item: Object) -> list[Reason]:
    """Not ready for good: who declares one and waits for it would wait for a controller that was never written."""
    advice = REASONS["InertAgent"].advice
    return reason_about(item, "InertAgent", "is stored, and nothing runs for it", hint=advice, terminal=True)


def _release_rule(step: ReleaseStep) -> Iterator[Refusal]:
    from .registry_plan import chart_refusals

    return chart_refusals(step)


def _diagnosis() -> Diagnosis:
    from . import diagnosis, mesh_registry_info

    return Diagnosis(diagnosis.mesh_findings, mesh_registry_info.observe)


_KEPT = ("get", "list", "create", "patch", "delete")
# the objects of a registry, its database and agents; how their readiness is judged, and how both are asked
RIGHTS = (
    *(Right(resource, _KEPT, place=STAGE) for resource in ("serviceaccounts", "secrets", "configmaps", "services")),
    *(Right(resource, _KEPT, place=STAGE) for resource in ("persistentvolumeclaims", "resourcequotas", "limitranges")),
    *(Right(resource, _KEPT, "apps", STAGE) for resource in ("deployments", "statefulsets")),
    *(Right(resource, _KEPT, "batch", STAGE) for resource in ("cronjobs", "jobs")),
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
        Role(_REGISTRY, stage=STAGE, unless_empty=(NAMESPACE, COMMON_NAMESPACE)),
        Role(_AGENTS, stage=STAGE, unless_empty=(AGENTS, COMMON_AGENTS, "mcp_mesh_agents_prune")),
    ),
    rights=RIGHTS,
    kinds=((AGENT_VERSION, AGENT_KIND),),
    reasons=REASONS,
    release_rules=(_release_rule,),
    judges={(AGENT_VERSION.partition("/")[0], AGENT_KIND): judge_agent},
    diagnosis=_diagnosis,
    modules=("mesh_*",),
    answers=Answers(("mesh agent", "healthy", "offers", "depends on", "ms", "answer"), _rows, _missing, _facts),
    host_rules=(_without_mesh, _calls, _azure_database),
)
