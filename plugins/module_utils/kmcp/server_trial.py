# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Kubernetes will say of the Deployment that KMCP makes of a server, asked before the server is written.

The definition of MCPServer has the structure of pods and none of their rules: a toleration with an operator that does
not exist is stored, and then the controller is refused its Deployment for ever. A dry run of the same Deployment under
another name tells, in check mode too. Only what is invalid counts: that this identity may not make Deployments, or that
admission wants something of it, says nothing of the controller's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_rotation
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_children import CHILDREN
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_readiness import Sight
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_sight import Key
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    Declared,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_template import MADE_BY_KMCP, declaration
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.reading import at_once

# fields in which anything of a pod can stand; all others are judged before the first request
_PARTS_OF_PODS = ("volumes", "volumeMounts", "sidecars", "tolerations", "affinity", "initContainer", "resources")
_INVALID = 422
DEPLOYMENTS = CHILDREN["Deployment"]
_LONGEST_PREFIX = 50


def refused(kube: Kube, servers: Sequence[Declared], sights: Mapping[Key, Sight]) -> dict[Key, ServiceError]:
    """Why Kubernetes would refuse the Deployments of those servers that are about to be written."""
    asked = [server for server in servers if _has_parts(server) and _is_written(server, sights[server.key])]
    answers = at_once(lambda server: _answer(kube, server), asked)
    return {server.key: answer for server, answer in zip(asked, answers) if answer is not None}


def deployment(server: Mapping[str, Any]) -> dict[str, Any]:
    """The whole Deployment of a server, under a name that the API server makes up."""
    name, namespace = server["metadata"]["name"], server["metadata"]["namespace"]
    stub = {"apiVersion": DEPLOYMENTS.api_version, "metadata": {"name": name, "namespace": namespace}}
    body = declaration("Deployment", server, stub)
    body["spec"]["template"]["spec"]["containers"][0].setdefault("image", MADE_BY_KMCP)
    return {**body, "metadata": {"generateName": f"{name[:_LONGEST_PREFIX]}-", "namespace": namespace}}


def _has_parts(server: Declared) -> bool:
    declared = server.deployment
    return (
        any(declared.get(field) for field in _PARTS_OF_PODS)
        or declared.get("securityContext") != CONTAINER_SECURITY
        or declared.get("podSecurityContext") != POD_SECURITY
    )


def _is_written(server: Declared, sight: Sight) -> bool:
    return sight.server is None or server_rotation.is_written(sight.server, server)


def _answer(kube: Kube, server: Declared) -> ServiceError | None:
    try:
        kube.request(
            "POST",
            DEPLOYMENTS.path(server.namespace),
            query={"dryRun": "All", "fieldManager": "mcpops"},
            body=deployment(server.resource),
            quiet=True,
            action=f"{server.label}: Kubernetes would refuse the Deployment that KMCP makes of it",
        )
    except ServiceError as failure:
        return failure if failure.status == _INVALID else None
    return None
