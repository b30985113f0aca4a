# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to servers in a cluster: the API server's proxy to a Service, or to each of the pods behind it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube import failures, sdk
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.pods import PODS, last_log_lines
from ansible_collections.mcpops.platform.plugins.module_utils.kube.verdicts.network import SERVICE_OF
from ansible_collections.mcpops.platform.plugins.module_utils.mcp import addresses, foreign
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.http_client import Opener
from ansible_collections.mcpops.platform.plugins.module_utils.mcp.verdicts import api_server_refuses_login
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import variable_values
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Deadline

# of the API server's refusals; theirs of a login have some 150 bytes
LARGEST_STATUS = 4096
# endpoints are written by others, and the name becomes a part of a path that is asked with our credentials
_POD_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True)
class Replica:
    """A ready pod behind a Service, and the port at which it listens."""

    pod: str
    port: int

    def path(self, namespace: str, path: str) -> str:
        return f"/api/v1/namespaces/{namespace}/pods/{self.pod}:{self.port}/proxy{path}"


def opener(kube: Kube, place: Callable[[str], str], own_path: str, extra: Mapping[str, str]) -> Opener:
    """Requests through the API server's proxy: works wherever the API server can be reached.

    `place` makes the API server's path of a path of the server. Whatever that says, no request leaves the proxy: it
    carries the credentials of the kubeconfig.
    """
    path = place(own_path)
    if not addresses.stays_under(place(""), path):
        raise addresses.foreign(own_path)

    def send(method: str, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Any:
        try:
            return kube.transport.send(
                method, path, headers={**extra, **headers}, body=body, timeout=timeout, preload=False
            )
        except sdk.urllib3.exceptions.ReadTimeoutError:
            raise  # the API server passed the request on, and the MCP server is silent
        except sdk.urllib3.exceptions.HTTPError as exc:
            raise failures.from_exception("ask the MCP server", exc, kube.server, kube.access.origin) from exc

    def opened(method: str, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Any:
        response = send(method, headers, body, timeout)
        if response.status != 401:
            return response
        # a server may want a login as well: it has the request already, and a second one might call a tool twice
        begun = Begun(response, timeout)
        if not (api_server_refuses_login(begun.beginning) and kube.transport.renew()):
            return begun
        response.close()
        # the pool counts its connections, and waits for ever for one that is missing
        response.release_conn()
        return send(method, headers, body, timeout)

    return opened


class Begun:
    """A urllib3 response whose beginning has been looked at, and is read again."""

    def __init__(self, response: Any, timeout: float) -> None:
        self._response = response
        self.beginning = b""
        deadline = Deadline(timeout)
        while len(self.beginning) < LARGEST_STATUS and not deadline.passed:
            chunk = response.read1(LARGEST_STATUS, decode_content=False)
            if not chunk:
                break
            self.beginning += chunk
        self._unread = self.beginning

    def read1(self, amount: int, decode_content: bool = False) -> bytes:
        if self._unread:
            given, self._unread = self._unread[:amount], self._unread[amount:]
            return given
        return bytes(self._response.read1(amount, decode_content=decode_content))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)


def replicas(kube: Kube, namespace: str, service: str, port: int) -> list[Replica]:
    """The ready pods of a Service at one of its ports, by name."""
    action = f"read the endpoints of Service {namespace}/{service}"
    slices = kube.get(
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        query={"labelSelector": f"{SERVICE_OF}={service}"},
        action=action,
    )
    found = [item for item in (slices or {}).get("items") or [] if isinstance(item, Mapping)]
    name = None
    if any(len(item.get("ports") or []) > 1 for item in found):
        declared = kube.get(f"/api/v1/namespaces/{namespace}/services/{service}", action=action) or {}
        name = port_name(declared, port)
    return ready(found, name)


def last_words(kube: Kube, namespace: str, service: str, port: int) -> list[str]:
    """The end of the log of a ready pod behind a Service, redacted; nothing where it may not be read."""
    try:
        for replica in replicas(kube, namespace, service, port)[:1]:
            pod = kube.get(PODS.path(namespace, replica.pod), action=f"read pod {namespace}/{replica.pod}")
            if pod is not None:
                container = str(pod["spec"]["containers"][0]["name"])
                sent = dict.fromkeys(foreign.hidden(), "SENT_BY_THE_PROBE")
                return last_log_lines(kube, namespace, replica.pod, container, {**variable_values([pod]), **sent})
    except ServiceError:
        pass  # what it says is help, and its absence no failure
    return []


def keeps_clients_apart(kube: Kube, namespace: str, service: str) -> bool:
    """Whether the Service sends each client to the same pod again."""
    declared = kube.get(f"/api/v1/namespaces/{namespace}/services/{service}", action=f"read Service {service}") or {}
    return bool((declared.get("spec") or {}).get("sessionAffinity") == "ClientIP")


def port_name(service: Mapping[str, Any], port: int) -> str:
    """How the endpoints of a Service call one of its ports."""
    ports = (service.get("spec") or {}).get("ports") or []
    return next((str(row.get("name") or "") for row in ports if row.get("port") == port), "")


def ready(slices: list[Mapping[str, Any]], name: str | None) -> list[Replica]:
    """The pods of EndpointSlices that take requests; `name` chooses the port where there are several. Pure."""
    found: dict[str, Replica] = {}
    for item in slices:
        ports = [
            row.get("port")
            for row in item.get("ports") or []
            if row.get("port") and (name is None or (row.get("name") or "") == name)
        ]
        for endpoint in (item.get("endpoints") or []) if ports else ():
            pod = endpoint.get("targetRef") or {}
            is_pod = pod.get("kind") == "Pod" and _POD_NAME.fullmatch(str(pod.get("name")))
            # unset means ready (discovery.k8s.io/v1 EndpointConditions); two address families name a pod twice
            if is_pod and (endpoint.get("conditions") or {}).get("ready") is not False:
                found.setdefault(pod["name"], Replica(str(pod["name"]), int(ports[0])))
    return [found[pod] for pod in sorted(found)]
