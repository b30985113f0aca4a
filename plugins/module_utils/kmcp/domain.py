# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The row of KMCP in the registry of domains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..domain import Answers, Column, Diagnosis, Domain, HostVars, Object, Right, Role, Row, unknown_calls
from ..kube.readiness.reasons import ERROR, WARNING, ReasonCode

if TYPE_CHECKING:
    from ..site.inventory import Host

NAME = "kmcp"
VERIFIED = "mcp_servers_verified"
"""What roles/mcp_servers/tasks/verify.yml registers."""
CALLS, SERVERS = "site_verify_calls", "site_verify_servers"
DECLARED = "mcp_servers_servers"
# Callbacks that print YAML fold a line at its first single blank behind the 80th column.
LONGEST_ANSWER = 24
LONGEST_TOOLS = 60

REASONS: Mapping[str, ReasonCode] = {
    "ControllerDown": ReasonCode(
        ERROR, "the KMCP controller does not run", "Run kmcp_install, or look at the pods of its Deployment."
    ),
    "ControllerBehind": ReasonCode(
        ERROR,
        "the KMCP controller has not looked at the latest change",
        "Read the controller's log; when it failed to list MCPServers, one of them blocks all others.",
        15.0,
    ),
    "UnreadableServer": ReasonCode(
        ERROR,
        "an MCPServer holds a value that the KMCP controller cannot read, so that it reconciles none in the cluster",
        "Correct or delete this one; the others then go on by themselves.",
    ),
    "StickyReady": ReasonCode(
        ERROR,
        "an MCPServer is Ready=True, and what it consists of is not there or does not run",
        "Run the role mcp_servers (module mcp_server): it judges the objects themselves and makes KMCP put back what "
        "is missing. By hand, any change of a label of the MCPServer does.",
        30.0,
    ),
    "OldDefinition": ReasonCode(
        WARNING,
        "the definition of MCPServer lacks fields, which the API server drops without a word",
        "Bring the definition to the version of the controller: role kmcp (module kmcp_install), or have the owner of "
        "the definition do it.",
    ),
    "FieldsPruned": ReasonCode(
        ERROR,
        "applied fields of an MCPServer are not stored",
        "Correct their names, or bring the definition up to date, and apply the MCPServer again: mcp_server refuses "
        "what would not be stored.",
    ),
    "PortMismatch": ReasonCode(
        ERROR,
        "an MCP server does not listen on the port of KMCP's Service",
        "KMCP's Service forwards to spec.deployment.port, regardless of httpTransport.targetPort: give both, and the "
        "program's own port setting, the same number, and let it listen on 0.0.0.0.",
    ),
    "SessionLost": ReasonCode(
        ERROR,
        "an MCP server keeps sessions that its replicas do not share",
        "Run one replica, or a server that keeps no sessions (stateless).",
    ),
    "HostRefused": ReasonCode(
        ERROR,
        "an MCP server refuses the host name that its clients call it by (HTTP 421)",
        "Its protection against DNS rebinding accepts localhost only: allow the Service's name in the SDK's settings.",
    ),
    "EraMismatch": ReasonCode(
        ERROR,
        "an MCP server speaks another era of the protocol than its clients",
        "Update the server or its SDK to one that speaks both eras, or the clients.",
    ),
    "NotAnswering": ReasonCode(
        ERROR, "the pods of an MCP server run, and it does not answer as MCP demands", "Read its log.", 30.0
    ),
    "NotAccepted": ReasonCode(ERROR, "KMCP refuses an MCPServer", "Correct the resource as the message says."),
    "NotProgrammed": ReasonCode(
        ERROR, "KMCP cannot make the objects of an MCPServer", "Correct what the message names; KMCP tries again."
    ),
}


def _diagnosis() -> Diagnosis:
    from . import diagnosis

    return Diagnosis(diagnosis.kmcp_findings, diagnosis.observe, diagnosis.about_adapter)


def _versions(deployments: Sequence[Object], host: HostVars) -> str:
    """The versions of the controllers among these: the one that the role installs, or those that say what they are."""
    from . import cluster_state

    place = host.get("kmcp_namespace") or host.get("mcpops_kmcp_namespace") or "kmcp-system"
    release = host.get("kmcp_release_name") or "kmcp"
    own = [one for one in deployments if cluster_state.release_of(one) == (place, release)]
    found = own or cluster_state.identify_controllers(deployments, {}).found
    return ", ".join(cluster_state.controller_version(one) or "?" for one in found)


def _rows(host: HostVars) -> list[Row]:
    transports = _transports(host)
    return [_row(server, transports.get(_name(server), "http")) for server in _asked(host)]


def _facts(host: HostVars) -> dict[str, Any]:
    transports = _transports(host)
    return {
        "mcp_servers": {
            _name(server): {
                "answers": bool(server.get("reachable", True)) and not server.get("error"),
                "code": str((server.get("error") or {}).get("code") or ""),
                "version": _short(str((server.get("server_info") or {}).get("version") or ""), LONGEST_ANSWER),
                "transport": transports.get(_name(server), "http"),
                "eras": list(server.get("eras") or ()),
                "milliseconds": server.get("duration_ms"),
                "tools": [str(tool["name"]) for tool in server.get("tools") or ()],
            }
            for server in _asked(host)
        }
    }


def _missing(host: HostVars) -> str:
    if not (_asked(host) or _declared(host)):
        return ""
    silent = [_name(server) for server in _asked(host) if not server.get("reachable")]
    if silent:
        return f"{', '.join(silent)} did not answer as declared"
    return "failed after its MCP servers had answered" if _asked(host) else "failed before its MCP servers were asked"


def _asked(host: HostVars) -> Sequence[Mapping[str, Any]]:
    servers: Sequence[Mapping[str, Any]] = host.get(VERIFIED, {}).get("servers", [])
    return servers


def _declared(host: HostVars) -> Sequence[Any]:
    found: Sequence[Any] = host.get(DECLARED) or host.get("mcpops_mcp_servers") or ()
    return found


def _transports(host: HostVars) -> dict[str, str]:
    """What the declared programs themselves speak, by namespace and name."""
    declared = _declared(host)
    usual = host.get("mcp_servers_namespace") or host.get("mcpops_mcp_namespace") or "mcp"
    return {
        f"{server.get('namespace') or usual}/{server.get('name')}": str(server.get("transport") or "http")
        for server in declared
        if isinstance(server, Mapping)
    }


def _row(server: Mapping[str, Any], transport: str) -> Row:
    tools = _short(",".join(str(tool["name"]) for tool in server.get("tools") or []) or "-", LONGEST_TOOLS)
    answer = _short(" ".join(str(server.get("answer") or "-").split()), LONGEST_ANSWER)
    eras = ", ".join(server.get("eras") or ()) or "-"
    return _name(server), transport, eras, str(server.get("duration_ms", "-")), answer, tools


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _name(server: Mapping[str, Any]) -> str:
    return f"{server.get('namespace', '')}/{server['name']}".lstrip("/")


def _calls(host: Host) -> Iterator[tuple[str, str]]:
    return unknown_calls(host, "site_verify", CALLS, SERVERS, ("server", "an MCP server"), has_options=True)


def _hidden_by_env(host: Host) -> Iterator[tuple[str, str]]:
    """Variables of a declared Secret that the same variable in a server's env hides."""
    servers, objects = host.get(DECLARED), host.get("cluster_setup_objects")
    if "mcp_servers" in host.roles and isinstance(servers, list) and isinstance(objects, list):
        from . import server_rotation

        yield from server_rotation.hidden(servers, host.get("mcp_servers_namespace"), objects, DECLARED)


_RBAC, _KEPT = "rbac.authorization.k8s.io", ("get", "create", "patch")
# what the two charts hold (helm's record is a Secret), what tells which controller works on which servers, and what
# becomes of a server
RIGHTS = (
    Right("customresourcedefinitions", _KEPT, "apiextensions.k8s.io"),
    Right("clusterroles", _KEPT, _RBAC),
    Right("clusterrolebindings", _KEPT, _RBAC),
    Right("deployments", ("list",), "apps"),
    Right("mcpservers", ("list",), "kagent.dev"),
    Right("secrets", ("get", "list", "create", "update", "delete"), place="kmcp"),
    Right("serviceaccounts", _KEPT, place="kmcp"),
    Right("services", _KEPT, place="kmcp"),
    Right("roles", _KEPT, _RBAC, "kmcp"),
    Right("rolebindings", _KEPT, _RBAC, "kmcp"),
    Right("deployments", _KEPT, "apps", "kmcp"),
    Right("mcpservers", ("get", "list", "create", "patch", "delete"), "kagent.dev", "mcp"),
    Right("networkpolicies", ("get", "list", "create", "patch", "delete"), "networking.k8s.io", "mcp"),
    Right("deployments", ("get", "list"), "apps", "mcp"),
    Right("pods", ("list",), place="mcp"),
    Right("pods/log", ("get",), place="mcp"),
    Right("events", ("list",), place="mcp"),
    # how servers are asked
    Right("services/proxy", ("get", "create"), place="mcp"),
)

DOMAIN = Domain(
    name=NAME,
    roles=(
        Role("mcpops.platform.kmcp", stage="kmcp"),
        Role("mcpops.platform.mcp_servers", stage="mcp"),
    ),
    rights=RIGHTS,
    # one that the controller cannot read holds up those of all namespaces
    kinds=(("kagent.dev/v1alpha1", "MCPServer"),),
    reasons=REASONS,
    diagnosis=_diagnosis,
    modules=("kmcp_*", "mcp_*"),
    columns=(Column("kmcp", "apps/v1", "Deployment", _versions, ("control-plane=controller-manager",)),),
    answers=Answers(("mcp server", "transport", "era", "ms", "answer", "tools"), _rows, _missing, _facts),
    host_rules=(_calls, _hidden_by_env),
)
