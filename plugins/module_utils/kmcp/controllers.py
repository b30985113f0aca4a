# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Deployments are KMCP controllers, whatever their release, their chart and their image are called.

The chart labels its Deployment with its own name, which values.nameOverride and a renamed chart change, and with
`control-plane: controller-manager`, which many operators have. What tells them apart is looked for in this order: the
name, the chart and the image that say kmcp; else, by asking the API server, whose service account may write the
status of MCPServers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm.manifest import OWNER
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.discovery import ResourceType

Object = Mapping[str, Any]

LABEL, OF_A_CONTROLLER = "control-plane", "controller-manager"
SELECTOR = f"{LABEL}={OF_A_CONTROLLER}"
_DEPLOYMENTS = ResourceType("apps/v1", "Deployment", "deployments", True)
_NAMES = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/part-of", "helm.sh/chart")
# a word of its own: `kmcp-0.3.0`, `corp-kmcp`, `mirror/kmcp/controller`, not `mykmcpx`
_KMCP = re.compile(r"(?:^|[^a-z0-9])kmcp(?:$|[^a-z0-9])")
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
MOST_REVIEWS = 20


@dataclass(frozen=True)
class Controllers:
    """The controllers of a cluster, and whether all of them are known."""

    found: Sequence[Object] = ()
    sure: bool = True
    """False where a Deployment may be one, and nobody could say so."""

    @property
    def available(self) -> bool:
        return any(is_available(one) for one in self.found)


def is_available(deployment: Object) -> bool:
    return bool(int((deployment.get("status") or {}).get("availableReplicas", 0) or 0))


def candidates(deployments: Iterable[Object]) -> list[Object]:
    """Deployments that are the controller of something."""
    return [one for one in deployments if _labels(one).get(LABEL) == OF_A_CONTROLLER]


def says_kmcp(deployment: Object) -> bool:
    """Whether its labels or its image name KMCP."""
    labels = _labels(deployment)
    images = [str(one.get("image") or "") for one in _pod(deployment).get("containers") or []]
    texts = [str(labels.get(name) or "") for name in _NAMES]
    return any(_KMCP.search(text) for text in [*texts, *map(_path_of_image, images)])


def _path_of_image(image: str) -> str:
    """Without the registry's host, which says nothing of what is in it."""
    host, _slash, path = image.partition("/")
    return path if path and ("." in host or ":" in host or host == "localhost") else image


def told_apart(deployments: Iterable[Object], reviewed: Mapping[tuple[str, str], bool]) -> Controllers:
    """The controllers among these. `reviewed` has what the API server said of (namespace, service account). Pure."""
    possible = candidates(deployments)
    named = [one for one in possible if says_kmcp(one)]
    if named:
        return Controllers(named)
    allowed = [one for one in possible if reviewed.get(account_of(one))]
    return Controllers(allowed, sure=bool(allowed) or all(account_of(one) in reviewed for one in possible))


def reviews(kube: Kube, deployments: Iterable[Object]) -> dict[tuple[str, str], bool]:
    """Which service accounts of possible controllers may write the status of MCPServers; none where names tell."""
    possible = candidates(deployments)
    if any(says_kmcp(one) for one in possible):
        return {}
    answers: dict[tuple[str, str], bool] = {}
    for account in list(dict.fromkeys(map(account_of, possible)))[:MOST_REVIEWS]:
        try:
            answers[account] = _may_write_status(kube, *account)
        except ServiceError:
            # who may not ask does not know
            break
    return answers


def listed(kube: Kube) -> Controllers:
    """The controllers of the cluster; a ServiceError when Deployments may not be listed."""
    found = kube.list_objects(_DEPLOYMENTS, label_selector=SELECTOR)
    return told_apart(found, reviews(kube, found))


def other_releases(running: Iterable[Object], namespace: str, name: str) -> list[str]:
    """`namespace/name` of the releases, other than this one, that controllers say they belong to. Pure."""
    found = []
    for one in running:
        annotations = (one.get("metadata") or {}).get("annotations") or {}
        theirs = (annotations.get(f"{OWNER}-namespace"), annotations.get(f"{OWNER}-name"))
        if all(theirs) and theirs != (namespace, name):
            found.append("/".join(map(str, theirs)))
    return sorted(set(found))


def release_of(deployment: Object) -> tuple[str, str]:
    """(namespace, name) of the release that its labels say it is of."""
    namespace = (deployment.get("metadata") or {}).get("namespace")
    return str(namespace), str(_labels(deployment).get("app.kubernetes.io/instance"))


def version_of(controller: Object) -> str | None:
    """The version of KMCP that its chart says it is."""
    return _labels(controller).get("app.kubernetes.io/version")


def account_of(deployment: Object) -> tuple[str, str]:
    """(namespace, name) of the service account that its pods work as."""
    namespace = str(deployment["metadata"].get("namespace") or "")
    return namespace, str(_pod(deployment).get("serviceAccountName") or "default")


def _may_write_status(kube: Kube, namespace: str, account: str) -> bool:
    """Asked of its own namespace, which a controller always watches."""
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{namespace}:{account}",
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"],
            "resourceAttributes": {
                "namespace": namespace,
                "group": "kagent.dev",
                "resource": "mcpservers",
                "subresource": "status",
                "verb": "update",
            },
        },
    }
    answer = kube.request("POST", _ACCESS_REVIEWS, body=asked, quiet=True, action="ask who keeps MCPServers").json()
    return bool((answer.get("status") or {}).get("allowed"))


def _labels(item: Object) -> Mapping[str, Any]:
    return (item.get("metadata") or {}).get("labels") or {}


def _pod(deployment: Object) -> Mapping[str, Any]:
    return ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
