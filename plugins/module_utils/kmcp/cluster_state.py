# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of KMCP is in the cluster: the CRD and the release that owns it, controllers, MCPServers.

And servers that would be left without a controller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ServiceError
from ..helm import release_record
from ..helm.release_record import OWNER, UNINSTALLED, Release
from ..helm.spec import ReleaseSpec
from ..kube.client import Kube
from ..kube.discovery import METADATA_OF_LIST, METADATA_OF_OBJECT, ResourceType
from ..kube.readiness.reasons import Object
from ..plan import Refusal
from ..text import counted, listed
from . import spec
from .server_spec import API_VERSION, CRD, KIND

_PATH = f"CustomResourceDefinition {CRD}"


@dataclass(frozen=True)
class CrdOwner:
    """The release that an object's marks name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"release {self.namespace}/{self.name}"


def crd_owner(item: Mapping[str, Any]) -> CrdOwner | None:
    """The release an object says it belongs to; None when it names none in full."""
    annotations = (item.get("metadata") or {}).get("annotations") or {}
    name, namespace = annotations.get(f"{OWNER}-name"), annotations.get(f"{OWNER}-namespace")
    return CrdOwner(str(namespace), str(name)) if name and namespace else None


def release_owner(spec: ReleaseSpec) -> CrdOwner:
    return CrdOwner(spec.namespace, spec.name)


def is_owned(definition: Mapping[str, Any], spec: ReleaseSpec) -> bool:
    """Helm will take the definition for this release's own."""
    labels = (definition.get("metadata") or {}).get("labels") or {}
    return crd_owner(definition) == release_owner(spec) and labels.get("app.kubernetes.io/managed-by") == "Helm"


def ownership_conflict(
    definition: Mapping[str, Any] | None, spec: ReleaseSpec, other_installed: bool = False
) -> Refusal | None:
    """The refusal when the definition exists and is not this release's.

    What no release owns is taken over when `spec.take_ownership` says so. What another release owns that is
    installed (`other_installed`) is never taken: its next upgrade would fight, and its removal would delete every
    MCPServer.
    """
    if definition is None or is_owned(definition, spec):
        return None
    existing = crd_owner(definition)
    if existing is not None and existing != release_owner(spec) and other_installed:
        return Refusal.because(_PATH, f"belongs to {existing}", _other_release(existing))
    if spec.take_ownership:
        return None
    if existing is not None and existing != release_owner(spec):
        remedy = f"Set take_ownership: true to hand it over to {release_owner(spec)}."
        return Refusal.because(_PATH, f"belongs to {existing}, which is no longer installed", remedy)
    remedy = f"To hand it over to {release_owner(spec)} with its MCPServers, set take_ownership: true."
    return Refusal.because(_PATH, "was created without Helm", remedy)


def removal_conflict(definition: Mapping[str, Any] | None, ours: CrdOwner) -> Refusal | None:
    """The refusal when removing our release would delete a definition that belongs to another release."""
    existing = crd_owner(definition) if definition is not None else None
    if existing is None or existing == ours:
        return None
    remedy = (
        f"Uninstalling {ours} would delete it under {existing}, with every MCPServer. Leave delete_crds out; what is "
        f"left of {ours} is its record: remove the Secrets with owner=helm,name={ours.name} in {ours.namespace}."
    )
    return Refusal.because(_PATH, f"belongs to {existing}", remedy)


def _other_release(existing: CrdOwner) -> str:
    if "kagent" in existing.name or existing.namespace == "kagent":
        return (
            "kagent installs KMCP's definitions itself. To use them, set manage_crds: false, and run one of both "
            "controllers only. To have them here, install kagent with kmcp.enabled=false and remove the definition "
            "from its release first."
        )
    return (
        f"To keep that release, set namespace: {existing.namespace} and crds_release_name: {existing.name}, or "
        "manage_crds: false. To replace it, uninstall it first (this deletes every MCPServer)."
    )


_SHOWN = 10
_FATE = (
    "They would go on running as they are, but no change to them would have an effect any more, and what is lost "
    "of their workloads would not come back."
)
_ELSE = "set orphan_servers: true to leave them so."


def servers_of_controller(controller: Release | None, servers: Sequence[str]) -> list[str]:
    """The servers that this controller works on; none when it is not installed, or only its record was kept."""
    if controller is None or controller.status == UNINSTALLED:
        return []
    return servers_of_values(servers, controller.values, controller.chart_version)


def servers_of_values(servers: Sequence[str], values: Mapping[str, Any], version: str) -> list[str]:
    """The servers that a controller of these values works on."""
    watched = spec.watched_namespaces(values, version)
    return [server for server in servers if watched is None or server.partition("/")[0] in watched]


def orphaned_servers(
    controller: Release | None, values: Mapping[str, Any], version: str, servers: Sequence[str]
) -> list[str]:
    """The servers that this controller works on, and would not with these values."""
    after = servers_of_values(servers, values, version)
    return [server for server in servers_of_controller(controller, servers) if server not in after]


def removal_refusal(release: str, servers: Sequence[str]) -> Refusal:
    remedy = f"{_FATE} Remove them first (mcp_server with state: absent), or {_ELSE}"
    return Refusal.because(f"release {release}", f"is the controller of {servers_text(servers)}", remedy)


def narrowing_refusal(release: str, servers: Sequence[str], watched: Sequence[str]) -> Refusal:
    namespaces = ", ".join(sorted({server.partition("/")[0] for server in servers}))
    remedy = (
        f"{_FATE} Watch their namespaces too (watch_namespaces: {namespaces}), remove them first (mcp_server with "
        f"state: absent), or {_ELSE}"
    )
    sentence = f"would watch {', '.join(watched)} only, and is the controller of {servers_text(servers)}"
    return Refusal.because(f"release {release}", sentence, remedy)


def orphans_note(servers: Sequence[str]) -> str:
    return f"{servers_text(servers)}: left as they are, no controller reconciles them."


def servers_text(servers: Sequence[str]) -> str:
    """`2 MCPServers: mcp/echo, mcp/other`."""
    return f"{counted(len(servers), 'MCPServer')}: {listed(servers, _SHOWN)}"


_DEFINITION_PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}"


def crd_metadata(kube: Kube) -> Mapping[str, Any] | None:
    """Labels and annotations of the definition; its schema has 190 KB."""
    response = kube.request(
        "GET", _DEFINITION_PATH, headers={"Accept": METADATA_OF_OBJECT}, accept_status=(404,), action=f"read {CRD}"
    )
    found: Mapping[str, Any] | None = None if response.status == 404 else response.json()
    return found


def read_crd(kube: Kube) -> Mapping[str, Any] | None:
    """The whole definition."""
    return kube.get(_DEFINITION_PATH)


def owner_is_installed(kube: Kube, owner: CrdOwner) -> bool:
    """Whether the release that owns something has a record; one that may not be read counts as there."""
    try:
        return release_record.read_history(kube, owner.namespace, owner.name).newest is not None
    except ServiceError as refused:
        if refused.status == 403:
            return True
        raise


def list_servers(kube: Kube) -> list[Mapping[str, Any]]:
    """Every MCPServer in full; none when the kind is not served."""
    return _listed(kube, "application/json")


def server_names(kube: Kube) -> list[str]:
    """`namespace/name` of every MCPServer."""
    return sorted(
        f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in _listed(kube, METADATA_OF_LIST)
    )


def _listed(kube: Kube, accept: str) -> list[Mapping[str, Any]]:
    resource = kube.resource_type(API_VERSION, KIND)
    if resource is None:
        return []
    response = kube.request(
        "GET", resource.path(), headers={"Accept": accept}, accept_status=(404,), action="list MCPServers"
    )
    return [] if response.status == 404 else response.json().get("items") or []


LABEL, OF_A_CONTROLLER = "control-plane", "controller-manager"
CONTROLLER_SELECTOR = f"{LABEL}={OF_A_CONTROLLER}"
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


def possible_controllers(deployments: Iterable[Object]) -> list[Object]:
    """Deployments that are the controller of something."""
    return [one for one in deployments if _labels(one).get(LABEL) == OF_A_CONTROLLER]


def names_kmcp(deployment: Object) -> bool:
    """Whether its labels or its image name KMCP."""
    labels = _labels(deployment)
    images = [str(one.get("image") or "") for one in _pod(deployment).get("containers") or []]
    texts = [str(labels.get(name) or "") for name in _NAMES]
    return any(_KMCP.search(text) for text in [*texts, *map(_path_of_image, images)])


def _path_of_image(image: str) -> str:
    """Without the registry's host, which says nothing of what is in it."""
    host, _slash, path = image.partition("/")
    return path if path and ("." in host or ":" in host or host == "localhost") else image


def identify_controllers(deployments: Iterable[Object], reviewed: Mapping[tuple[str, str], bool]) -> Controllers:
    """The controllers among these. `reviewed` has what the API server said of (namespace, service account). Pure."""
    possible = possible_controllers(deployments)
    named = [one for one in possible if names_kmcp(one)]
    if named:
        return Controllers(named)
    allowed = [one for one in possible if reviewed.get(service_account_of(one))]
    return Controllers(allowed, sure=bool(allowed) or all(service_account_of(one) in reviewed for one in possible))


def access_reviews(kube: Kube, deployments: Iterable[Object]) -> dict[tuple[str, str], bool]:
    """Which service accounts of possible controllers may write the status of MCPServers; none where names tell."""
    possible = possible_controllers(deployments)
    if any(names_kmcp(one) for one in possible):
        return {}
    answers: dict[tuple[str, str], bool] = {}
    for account in list(dict.fromkeys(map(service_account_of, possible)))[:MOST_REVIEWS]:
        try:
            answers[account] = _may_write_status(kube, *account)
        except ServiceError:
            # who may not ask does not know
            break
    return answers


def list_controllers(kube: Kube) -> Controllers:
    """The controllers of the cluster; a ServiceError when Deployments may not be listed."""
    found = kube.list_objects(_DEPLOYMENTS, label_selector=CONTROLLER_SELECTOR)
    return identify_controllers(found, access_reviews(kube, found))


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


def controller_version(controller: Object) -> str | None:
    """The version of KMCP that its chart says it is."""
    return _labels(controller).get("app.kubernetes.io/version")


def service_account_of(deployment: Object) -> tuple[str, str]:
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
