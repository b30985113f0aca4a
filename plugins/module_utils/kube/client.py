# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client of one Kubernetes API server."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast
from urllib.parse import urlencode

from ..errors import InvalidInput, Problem, ServiceError
from ..http_terms import Response, retry_after, untrusted
from ..intent import Intent, classify
from ..run_cache import ClusterPending, RunCache, check_mode_copy, pending_reason
from ..task import ANSWER_LOST, Task
from ..waiting import Backoff, Deadline
from . import discovery, errors, kubeconfig, lease
from .discovery import ResourceType
from .manifests import Object
from .schema import Schemas, Structure, structure_of, trimmed_schemas
from .sdk import require, urllib3
from .syntax import json_text
from .transport import POOL_SIZE, Transport

APPLY = "application/apply-patch+yaml"

FIRST_CONTACT_SECONDS = 8.0
"""How long a cluster that never answered is tried: a wrong address should be reported soon."""
RESTART_SECONDS = 60.0
"""How long a cluster that did answer is waited for: an API server restarts in less."""
AGGREGATED_SECONDS = 3.0
"""How long an API that another server answers for is tried: it may be a rollout, and is reported soon if it is not."""
BACKOFF = Backoff(first=0.2, longest=2.0, factor=2.0, spread=0.25)
LOOK_BEHIND_EVERY = 5
OPENING_SECONDS = 0.06
"""What opening further connections takes: shorter work is done sooner, and for less, over the one that is open."""
PAGE = 1000
NO_OPENAPI = (403, 404, 406, 503)
"""The document of a group version may be withheld, or be that of an aggregated API server that is down."""


@dataclass(frozen=True)
class Page:
    """Some of the objects of a list, and how many are said to follow (0 where the server does not say)."""

    items: list[Object]
    remaining: int


class ListExpired(Exception):
    """The API server has forgotten the state that the next page would have been of (410)."""


class Kube:
    """One API server as one identity; safe to use from several threads."""

    def __init__(self, task: Task, access: kubeconfig.Access) -> None:
        self.task = task
        self.access = access
        self.server = access.server
        for secret in access.secrets():
            task.secret(secret)
        self.transport = Transport(task, access)
        self._cache = RunCache(task.run_directory)
        self._index_key = ("kubernetes-openapi", self.server)
        self._discovery_key = ("kubernetes-discovery", self.server)
        self._pace_key = ("kubernetes-pace", self.server)
        self._discovered: discovery.Discovered | None = None
        self._down: set[str] = set()
        self._reached = False
        self._date = ""
        self._warned: set[str] = set()
        directory = discovery.cache_directory()
        self.confirmed = discovery.ConfirmedObjects(directory, access.server)
        self._documents = discovery.OpenApiDocuments(directory)
        self._schemas: dict[str, Schemas] = {}

    @classmethod
    def connect(cls, task: Task, *, guarded: bool = True) -> Kube:
        """The cluster of this task's options; ClusterPending in check mode when there is none yet.

        `guarded`: not where this run has lost the lease of the cluster.
        """
        require()
        kube = cls._connected(task)
        if guarded:
            lease.refuse_lost(task, kube.server)
        return kube

    @classmethod
    def _connected(cls, task: Task) -> Kube:
        options = kubeconfig.resolve_options(task.params)
        if options.self_contained or options.kubeconfig is not None:
            return cls(task, kubeconfig.load_access(options))
        for path in options.kubeconfig_paths:
            copy = check_mode_copy(task, path)
            if copy is not None:
                config = kubeconfig.read_config(copy)
                return cls(task, kubeconfig.from_config(config, options.context, path.parent, str(path)))
            reason = pending_reason(task, path)
            if reason is not None:
                raise ClusterPending(reason)
        if options.kubeconfig_named and not any(path.exists() for path in options.kubeconfig_paths):
            missing = options.kubeconfig_paths[0]
            if task.check_mode:
                raise ClusterPending(f"the kubeconfig {missing} does not exist yet")
            reported = f"{missing} does not exist; if the cluster does, write it with aks_kubeconfig"
            raise InvalidInput("Kubernetes connection", [Problem("kubeconfig", reported)])
        if not any(path.exists() for path in options.kubeconfig_paths) and not kubeconfig.in_cluster():
            unnamed = f"no cluster is named, and {options.kubeconfig_paths[0]} does not exist; set kubeconfig"
            raise InvalidInput("Kubernetes connection", [Problem("kubeconfig", unnamed)])
        return cls(task, kubeconfig.load_access(options))

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        accept_status: Collection[int] = (),
        check: bool = True,
        retry: bool = True,
        quiet: bool = False,
        action: str = "",
    ) -> Response:
        """One request with its retries.

        A status of 400 or more is a ServiceError unless it is in `accept_status` or `check` is false; `action`
        is the sentence that error begins with. `body` is bytes, text, or JSON data. `retry` false sends once
        (a service behind the API server's proxy decides itself what may be repeated). `quiet` is for kinds that nobody
        named: the API server's warnings of them are no news to anybody.
        """
        target = f"{path}?{urlencode(query)}" if query else path
        sent = dict(headers or {})
        content: bytes | None = None
        if body is not None:
            content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json_text(body)).encode()
            sent.setdefault("Content-Type", content_type)
        action = action or f"{method} {path}"
        response = self._attempts(method, target, sent, content, timeout, retry, quiet, action)
        if check and response.status >= 400 and response.status not in accept_status:
            raise errors.from_response(action, response.status, response.body, self.access.origin)
        return response

    def get(
        self, path: str, *, query: Mapping[str, Any] | None = None, quiet: bool = False, action: str = ""
    ) -> Object | None:
        """The object at `path`, or None where there is none."""
        response = self.request("GET", path, query=query, accept_status=(404,), quiet=quiet, action=action)
        return None if response.status == 404 else cast(Object, response.json())

    def list_objects(
        self,
        resource: ResourceType,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        accept: str | None = None,
        retry: bool = True,
        quiet: bool = False,
    ) -> list[Object]:
        """All objects of a kind (of one namespace), complete with apiVersion and kind.

        `accept` asks for another form of them, such as their metadata alone; `retry` false asks once; `quiet` as in
        `request`.
        """
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        query: dict[str, Any] = {key: value for key, value in selectors.items() if value}

        def items() -> list[Object]:
            pages = self.pages(resource, namespace, query, accept, retry, quiet)
            return [item for page in pages for item in page.items]

        try:
            return items()
        except ListExpired:
            # longer than the server remembers: in one piece, then
            query["limit"] = 0
            return items()

    def pages(
        self,
        resource: ResourceType,
        namespace: str | None = None,
        query: Mapping[str, Any] | None = None,
        accept: str | None = None,
        retry: bool = True,
        quiet: bool = False,
    ) -> Iterator[Page]:
        """The same page by page; ListExpired when it has to be begun anew."""
        asked: dict[str, Any] = {"limit": PAGE, **(query or {})}
        action = f"list {resource.plural}" + (f" in namespace {namespace}" if namespace else "")
        headers = {"Accept": accept} if accept else None
        while True:
            again = (410,) if "continue" in asked else ()
            answer = self.request(
                "GET",
                resource.path(namespace),
                query=asked,
                headers=headers,
                accept_status=again,
                retry=retry,
                quiet=quiet,
                action=action,
            )
            if answer.status == 410:
                raise ListExpired
            page = answer.json()
            metadata = page.get("metadata") or {}
            # the metadata alone comes as a kind of its own
            own = {"apiVersion": resource.api_version, "kind": resource.kind}
            yield Page([{**item, **own} for item in page.get("items") or []], metadata.get("remainingItemCount") or 0)
            if not metadata.get("continue"):
                return
            asked["continue"] = metadata["continue"]

    def resource_type(self, api_version: str, kind: str, *, refresh: bool = True) -> ResourceType | None:
        """How this cluster serves a kind, or None; a kind unknown so far is asked for once more (`refresh`)."""
        known = discovery.find_type(self.kinds(), api_version, kind)
        if known is not None or not refresh:
            return known
        return self.resource_type_now(api_version, kind)

    def resource_type_now(self, api_version: str, kind: str) -> ResourceType | None:
        """The same, asked of the API server now whatever the cache says; the answer goes into the cache."""
        path = discovery.group_path(api_version)
        response = self.request("GET", path, accept_status=(404,), action=f"discover {api_version}")
        rows = {} if response.status == 404 else discovery.from_resource_list(response.json())
        known = self._discovery()
        kept = {key: row for key, row in known["kinds"].items() if key.rpartition("/")[0] != api_version}
        if {**kept, **rows} != known["kinds"]:
            stale = [one for one in known["stale"] if one != api_version]
            found: discovery.Discovered = {"kinds": {**kept, **rows}, "stale": stale}
            self._cache.forget(self._discovery_key)
            self._discovered = self._cache.get_or_make(self._discovery_key, lambda: (found, discovery.GOOD_FOR_SECONDS))
        return discovery.find_type(rows, api_version, kind)

    def kinds(self) -> discovery.KindTable:
        """Every kind this cluster serves, by `apiVersion/kind`."""
        return self._discovery()["kinds"]

    def stale(self) -> list[str]:
        """Versions of API groups that did not answer the API server when it last asked them for their kinds."""
        return self._discovery()["stale"]

    def structure(self, api_version: str, kind: str) -> Structure:
        """The structure of a kind; nothing is read before something is asked of it."""
        return structure_of(lambda: self._schemas_of(api_version), api_version, kind)

    def connections_for(self, requests: int) -> int:
        """How many connections so many short requests are worth, by how quickly this run was answered so far."""
        earlier = self._cache.known(self._pace_key)
        quickest = min(self.transport.quickest, math.inf if earlier is None else earlier)
        return 1 if quickest * requests <= OPENING_SECONDS else POOL_SIZE

    def forget_structures(self) -> None:
        """After CustomResourceDefinitions have changed."""
        self._cache.forget(self._index_key)
        self._schemas.clear()

    def forget_kinds(self) -> None:
        """After something may have brought or taken kinds that this client did not write: helm, a person."""
        self._cache.forget(self._discovery_key)
        self._discovered = None
        self.forget_structures()

    def _schemas_of(self, api_version: str) -> Schemas:
        known = self._schemas.get(api_version)
        if known is None:
            address = self._cache.get_or_make(self._index_key, self._index).get(
                discovery.group_path(api_version).lstrip("/")
            )
            known = self._schemas[api_version] = self._document(address) if address else {}
        return known

    def _document(self, address: str) -> Schemas:
        found = self._documents.read(address)
        if found is None:
            answer = self.request(
                "GET", address, accept_status=NO_OPENAPI, retry=False, action="read the structure of kinds"
            )
            if answer.status != 200:
                # a redirect says that the document has changed since the index was read
                self._cache.forget(self._index_key)
                return {}
            found = trimmed_schemas(answer.json())
            self._documents.write(address, found)
        return cast(Schemas, found)

    def _index(self) -> tuple[dict[str, str], float]:
        """Address by group version; empty where this identity may not read it, so that everything goes to dry runs."""
        answer = self.request(
            "GET", discovery.OPENAPI_INDEX, accept_status=NO_OPENAPI, action="read the structure of kinds"
        )
        found = {} if answer.status in NO_OPENAPI else discovery.document_addresses(answer.json())
        return found, discovery.GOOD_FOR_SECONDS

    @property
    def now(self) -> datetime | None:
        """The API server's clock at its last answer: ages are counted by it, not by this machine's."""
        return parsedate_to_datetime(self._date) if self._date else None

    def close(self) -> None:
        self.transport.close()

    def _discovery(self) -> discovery.Discovered:
        if self._discovered is None:
            self._discovered = self._cache.get_or_make(self._discovery_key, self._discover)
        return self._discovered

    def _discover(self) -> tuple[discovery.Discovered, float]:
        found: discovery.Discovered = {"kinds": {}, "stale": []}
        for root in discovery.ROOTS:
            answer = self.request("GET", root, headers={"Accept": discovery.AGGREGATED}, action="discover kinds").json()
            if answer.get("kind") != "APIGroupDiscoveryList":
                raise ServiceError(
                    "discover kinds",
                    f"{self.server} offers no aggregated discovery",
                    hint="Kubernetes 1.27 or newer is needed.",
                )
            found["kinds"].update(discovery.from_aggregated(answer))
            found["stale"] += discovery.stale_in(answer)
        self._cache.change(self._pace_key, lambda _earlier: self.transport.quickest, discovery.GOOD_FOR_SECONDS)
        return found, discovery.GOOD_FOR_SECONDS

    def _attempts(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        content: bytes | None,
        timeout: float,
        retry: bool,
        quiet: bool,
        action: str,
    ) -> Response:
        repeatable = retry and (method in ("GET", "HEAD", "DELETE") or headers.get("Content-Type") == APPLY)
        writes = classify("kubernetes", method, target) is Intent.WRITE
        deadline = Deadline(RESTART_SECONDS if self._reached else FIRST_CONTACT_SECONDS)
        renewed = False
        behind: discovery.ApiService | None = None
        attempt = 0
        while True:
            attempt += 1
            try:
                raw = self.transport.send(method, target, headers=headers, body=content, timeout=timeout)
            except urllib3.exceptions.HTTPError as exc:
                if writes and not errors.never_sent(exc):
                    self.task.wrote(f"{action} ({ANSWER_LOST})")
                again = retry and (repeatable or errors.never_sent(exc)) and not untrusted(exc)
                if not again or not self._pause(BACKOFF.after(attempt - 1), deadline, action):
                    raise errors.from_exception(action, exc, self.server, self.access.origin) from exc
                continue
            if raw.status == 401 and not renewed and self.transport.renew():
                renewed = True
                continue
            self._reached = True
            self._date = raw.headers.get("Date", self._date)
            response = Response(raw.status, raw.headers, raw.data)
            if not quiet:
                self._pass_on_warnings(raw.headers)
            if writes and response.status < 300:
                self.task.wrote(action)
            elif writes and response.status == 504:
                self.task.wrote(f"{action} ({ANSWER_LOST})")
            # not at each attempt: it would double what an API server has to do that comes back to life
            if behind is None and attempt % LOOK_BEHIND_EVERY == 1 and discovery.may_be_aggregated(response):
                behind = self._behind(target, response)
                if behind is not None:
                    # others of the same API need not wait for it again
                    grace_seconds = 0.0 if behind.name in self._down else AGGREGATED_SECONDS
                    deadline = Deadline(min(deadline.left, grace_seconds))
            again = retry and errors.busy(response, repeatable)
            pause = retry_after(response.headers) or BACKOFF.after(attempt - 1)
            if not again or not self._pause(pause, deadline, action):
                if behind is None or not discovery.may_be_aggregated(response):
                    return response
                self._down.add(behind.name)
                raise discovery.aggregated_failure(action, self._behind(target, response) or behind, response)

    def _behind(self, target: str, response: Response) -> discovery.ApiService | None:
        """The server behind the API server that this answer is about, if there is one."""
        name = discovery.api_service_name(target)
        if name is None:
            return None
        where = f"{discovery.API_SERVICES}/{name}"
        try:
            raw = self.transport.send("GET", where, headers={}, body=None, timeout=5.0)
        except urllib3.exceptions.HTTPError:
            # the API server itself is gone, which the next attempt finds out
            return None
        return discovery.aggregated_service_of(name, response, Response(raw.status, raw.headers, raw.data))

    def _pass_on_warnings(self, headers: Any) -> None:
        """What the API server wants a person to know: deprecated versions, Pod Security below the enforced level."""
        for text in errors.header_warnings(headers.getlist("Warning")):
            if text not in self._warned:
                self._warned.add(text)
                self.task.warn(f"{self.server}: {text}")

    def _pause(self, seconds: float, deadline: Deadline, action: str) -> bool:
        if seconds >= deadline.left:
            return False
        self.task.progress(f"{action}: {self.server} is not answering, trying again")
        deadline.sleep(seconds)
        return True
