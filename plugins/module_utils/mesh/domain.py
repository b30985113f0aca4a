# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The row of MCP Mesh in the registry of domains."""

from __future__ import annotations

from collections.abc import Mapping

from ..domain import Diagnosis, Domain, Object
from ..errors import Reason
from ..kube.readiness.reasons import ERROR, WARNING, ReasonCode, reason_about

NAME = "mesh"
AGENT_VERSION, AGENT_KIND = "mesh.mcp.io/v1alpha1", "MCPAgent"

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
        "See whether its database runs, and whether it is reached with DATABASE_URL; /health says healthy all the "
        "same.",
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


def judge_agent(item: Object) -> list[Reason]:
    """Not ready for good: who declares one and waits for it would wait for a controller that was never written."""
    advice = REASONS["InertAgent"].advice
    return reason_about(item, "InertAgent", "is stored, and nothing runs for it", hint=advice, terminal=True)


def _diagnosis() -> Diagnosis:
    from . import diagnosis, observe

    return Diagnosis(diagnosis.mesh_findings, observe.observe)


DOMAIN = Domain(
    name=NAME,
    kinds=((AGENT_VERSION, AGENT_KIND),),
    reasons=REASONS,
    judges={(AGENT_VERSION.partition("/")[0], AGENT_KIND): judge_agent},
    diagnosis=_diagnosis,
    modules=("mesh_*",),
)
