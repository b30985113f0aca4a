# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client of Azure Resource Manager: read, write, list, wait.

Every call states its intent, and the check-mode guard is the last stage of the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from ..errors import ServiceError
from ..http_terms import Response, retry_after
from ..intent import Intent, classify
from ..plan import Change
from ..run_cache import RunCache
from ..task import ANSWER_LOST, Task
from ..waiting import Backoff, Clock, Deadline
from . import assignable_roles, errors, names
from .errors import Request, Sender, Unreachable
from .options import Cloud, Identity, find_cloud, resolve_identity

if TYPE_CHECKING:
    from .sdk import CachedCredential

Body = dict[str, Any]

SERVICE = "arm"
DEFAULT_TIMEOUT = 120.0
_TRANSIENT = (408, 500, 502, 503, 504)
_TRANSIENT_ATTEMPTS = 5
BACKOFF = Backoff(first=0.5, longest=15.0)
_OTHERS_WORK = Backoff(first=1.0, longest=15.0)


class PlanAgain(Exception):
    """What was planned may be old by now: something was waited for, or a part of it is done. Read and plan again.

    `done` are the changes that are made.
    """

    def __init__(self, done: Sequence[Change] = ()) -> None:
        super().__init__()
        self.done = tuple(done)


class LostRace(PlanAgain):
    """The resource changed between our read and our write."""


@dataclass(frozen=True)
class Reading:
    """A resource as it stands. `missing` names what else has to exist before it can."""

    body: Body | None
    missing: str = ""


def sign_in(task: Task) -> tuple[Identity, Cloud, CachedCredential]:
    """Who the task is, in which cloud, and what gets its tokens."""
    # Azure's libraries take longer to import than all the rest. Only who connects needs them, not who looks at
    # options; actions that connect import them once a playbook (plugin_utils/azure.py).
    from .sdk import CachedCredential, PipelineSender

    identity = resolve_identity(task.params)
    cache = RunCache(task.run_directory)

    def get_json(url: str) -> Any:
        bare = PipelineSender(Cloud(identity.cloud, "", "", False), identity, task.check_mode, None)
        asking = Arm(bare, "", "", progress=task.progress)
        return asking.call("GET", url, "Reading the cloud's endpoints").json_or_none()

    cloud = find_cloud(identity.cloud, identity.authority_host, cache, get_json)
    return identity, cloud, CachedCredential(identity, cloud, cache, task.secret)


class Arm:
    """One task's conversation with ARM."""

    def __init__(
        self,
        sender: Sender,
        endpoint: str,
        subscription_id: str,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        clock: Clock | None = None,
        progress: Callable[[str], None] = lambda _message: None,
        wrote: Callable[[str], None] = lambda _what: None,
        check_mode: bool = False,
        cloud: Cloud | None = None,
        claims: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self.subscription_id = subscription_id
        self.claims = claims
        """What the token says of who asks."""
        self.cloud = cloud or Cloud(endpoint, "", endpoint, False)
        self.check_mode = check_mode
        self.deadline = Deadline(timeout, clock)
        self.progress = progress
        self._wrote = wrote
        # a write whose answer was lost may have happened: what is found in place afterwards may be our own work
        self.write_uncertain = False
        self._sender = sender
        self._endpoint = endpoint
        # who is asked, in the words of `intent`
        self._service = SERVICE
        # of writes, which are planned again after every pause: their patience outlives a single request
        self._pauses = self._troubles = 0

    @classmethod
    def connect(cls, task: Task, timeout: float | None = None) -> Arm:
        """Resolve who we are and where ARM is; nothing is asked unless the cloud is given by its URL."""
        from .sdk import PipelineSender

        identity, cloud, credential = sign_in(task)
        return cls(
            PipelineSender(cloud, identity, task.check_mode, credential),
            cloud.resource_manager,
            identity.subscription_id,
            timeout=DEFAULT_TIMEOUT if timeout is None else timeout,
            progress=task.progress,
            wrote=task.wrote,
            check_mode=task.check_mode,
            cloud=cloud,
            claims=lambda: credential.claims(cloud.scope),
        )

    def beside(self, sender: Sender, service: str) -> Arm:
        """The same patience, deadline and voice for another service, asked through `sender` by absolute URLs."""
        other = Arm(
            sender,
            "",
            self.subscription_id,
            progress=self.progress,
            wrote=self._wrote,
            check_mode=self.check_mode,
            cloud=self.cloud,
        )
        other.deadline = self.deadline
        other._service = service
        return other

    # --- requests

    def url(self, path: str, api_version: str, query: Mapping[str, str] | None = None) -> str:
        # ARM's own clients leave $ and quotes readable; a blank in a name must not end the URL
        asked = urlencode({"api-version": api_version, **(query or {})}, safe="$")
        return f"{self._endpoint}{quote(path, safe='/()')}?{asked}"

    def call(
        self, method: str, url: str, action: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """One request, repeated while the service asks for patience: throttled, unavailable, cut off, token expired."""
        request = Request(method, url, body, headers or {})
        attempt = transient = 0
        while True:
            response, reason = self._send(request, action)
            if response is not None and not _asks_to_retry(response):
                return response
            transient += _is_trouble(response)
            if transient >= _TRANSIENT_ATTEMPTS or not self._pause(response, action, reason, attempt):
                return self._given_up(response, action, url, reason)
            attempt += 1

    def _send(self, request: Request, action: str) -> tuple[Response | None, str]:
        """The answer, or why there is none; a token that is no longer taken is renewed once."""
        writes = classify(self._service, request.method, request.url) is Intent.WRITE
        for renewed in (False, True):
            try:
                response = self._sender.send(request)
            except Unreachable as exc:
                self.write_uncertain = self.write_uncertain or (exc.sent and request.method != "GET")
                if writes and exc.sent:
                    self._wrote(f"{action} ({ANSWER_LOST})")
                return None, exc.reason
            # elsewhere a 401 says how to sign in, and no token of ours has expired
            if response.status != 401 or renewed or self._service != SERVICE:
                break
            self._sender.renew()
        if response.status in _TRANSIENT and request.method != "GET":
            self.write_uncertain = True
        if writes and response.status < 400:
            self._wrote(action)
        return response, ""

    def _pause(self, response: Response | None, action: str, reason: str, attempt: int) -> bool:
        """Wait as long as the service asks, or a little longer each time; False where the deadline comes first."""
        pause = (retry_after(response.headers) if response is not None else None) or BACKOFF.after(attempt)
        if not self.deadline.pause(pause):
            return False
        why = f"answered {response.status}" if response is not None else reason
        who = "Azure" if self._service == SERVICE else f"the {self._service}"
        self.progress(f"{action}: {who} {why}, tried again after {pause:.0f} s")
        return True

    def failure(self, action: str, response: Response) -> ServiceError:
        """The service's refusal as a failure, with what to do about it."""
        return self.advised(errors.to_failure(action, response))

    def advised(self, failure: ServiceError) -> ServiceError:
        """What this identity may not do is looked up among the roles that there are."""
        refused = errors.denied(failure.reason) if self._service == SERVICE else None
        if refused is not None:
            failure.hint = assignable_roles.advice(self, assignable_roles.Needed(*refused))
        return failure

    def _given_up(self, response: Response | None, action: str, url: str, reason: str) -> Response:
        if response is not None:
            raise self.failure(action, response)
        hint = (
            "Check the network, the proxy, the CA bundle (REQUESTS_CA_BUNDLE or SSL_CERT_FILE) and cloud_environment."
        )
        raise ServiceError(action, f"{url.split('?', 1)[0]} cannot be reached: {reason}", code="Unreachable", hint=hint)

    def read(self, resource_id: str, action: str, api_version: str) -> Reading:
        """The resource, or that it is not there; in check mode an unregistered namespace is a missing prerequisite."""
        response = self.call("GET", self.url(resource_id, api_version), action)
        if response.status == 200:
            return Reading(response.json_or_none())
        if errors.is_absent(response):
            code = errors.code_of(response)
            parsed = names.parse_id(resource_id)
            if code == "ResourceGroupNotFound" and parsed is not None and parsed.type != names.RESOURCE_GROUPS:
                return Reading(None, f"resource group {parsed.group}")
            return Reading(None, "the resource it belongs to" if code == "ParentResourceNotFound" else "")
        if self.check_mode and errors.is_unregistered(response):
            return Reading(None, f"the registration of the resource provider ({_namespace(resource_id)})")
        raise self.failure(action, response)

    def write(
        self,
        method: str,
        resource_id: str,
        action: str,
        api_version: str,
        body: Any = None,
        *,
        etag: str = "",
        create: bool = False,
    ) -> Response:
        """Send a change once. After any wait (throttled, unavailable, an operation in progress, a directory that lags
        behind) what was planned is old: PlanAgain; LostRace when the resource moved on in between."""
        headers = {"If-Match": etag} if etag else {"If-None-Match": "*"} if create else {}
        url = self.url(resource_id, api_version)
        response, reason = self._send(Request(method, url, body, headers), action)
        if response is None or _asks_to_retry(response):
            self._troubles += _is_trouble(response)
            if self._troubles >= _TRANSIENT_ATTEMPTS or not self._pause(response, action, reason, self._pauses):
                return self._given_up(response, action, url, reason)
            self._pauses += 1
            raise PlanAgain
        if errors.is_lost_race(response):
            raise LostRace
        waits_for = errors.waits_for(response)
        if waits_for:
            pause = retry_after(response.headers) or _OTHERS_WORK.after(self._pauses)
            if self.deadline.pause(pause):
                self._pauses += 1
                self.progress(f"{action}: waiting for {waits_for} ({self.deadline.elapsed:.0f} s)")
                raise PlanAgain
        accepted = errors.exists_already(response) or (method == "DELETE" and errors.is_absent(response))
        if response.status >= 400 and not accepted:
            raise self.failure(action, response)
        self._pauses = self._troubles = 0
        self.write_uncertain = False
        # what was waited for until here was somebody else's work, or an earlier step of ours
        self.deadline.begin()
        return response

    def pages(
        self, path: str, action: str, api_version: str, query: Mapping[str, str] | None = None
    ) -> Iterator[Response]:
        """Every page of a list, one at a time."""
        url: str | None = self.url(path, api_version, query)
        while url:
            response = self.call("GET", url, action)
            if response.status != 200:
                raise self.failure(action, response)
            yield response
            url = _next_link(response)

    def listed(
        self, path: str, action: str, api_version: str, query: Mapping[str, str] | None = None
    ) -> Iterator[Body]:
        for page in self.pages(path, action, api_version, query):
            document = page.json_or_none()
            yield from (document.get("value") or []) if isinstance(document, dict) else []


def _asks_to_retry(response: Response) -> bool:
    return response.status == 429 or response.status in _TRANSIENT


def _is_trouble(response: Response | None) -> bool:
    """No answer, or one that says the service is ill; being throttled is neither."""
    return response is None or response.status != 429


def _namespace(resource_id: str) -> str:
    parsed = names.parse_id(resource_id)
    return parsed.type.split("/")[0] if parsed is not None else resource_id


def _next_link(response: Response) -> str | None:
    # the link is the last thing of a page: a full-size page need not be decoded twice for it
    tail = response.body[-4096:]
    if b'"nextLink"' not in tail and len(response.body) > 4096 and b'"nextLink"' not in response.body[:4096]:
        return None
    document = response.json_or_none()
    link = document.get("nextLink") if isinstance(document, dict) else None
    return str(link) if link else None
