# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refusals and failures of an API server as ServiceErrors, without the objects printed in them.

And with what to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from string import whitespace
from typing import Any

from ..errors import ServiceError
from ..http_terms import Response, cut_off, untrusted
from ..secrets import redact
from ..text import natural_order
from .sdk import urllib3

# a structure, a pointer to one, a map or a list of them, in Go's notation; or what JSON begins with
_GO = re.compile(
    r"(?<![\w\"'])[&*]?(?:\[\]){0,9}(?:map\[[^\]\s]{0,100}\](?:\[\]){0,9})?"
    r"[*&]?(?:interface \{\}|(?:[A-Za-z_]\w*\.)?[A-Za-z_]\w*)\{"
)
_JSON = re.compile(r"(?<=value: )[{\[](?=[\s\"{\[])")
_BEGINNINGS = (_GO, _JSON)
_LABEL = re.compile(r"(?:Invalid|Duplicate|Unsupported|Too long|Forbidden|Required)? ?[Vv]?alue: \Z")
_SENTENCE = re.compile(r": | ?\.\.\.")
_OPEN, _CLOSE = "{[(", "}])"
# of plain texts and numbers, such as `[]string{"10.0.0.1"}`, nothing is cut: it says what is wrong
_PLAIN_LIST = re.compile(r"\[\](?:string|u?int\d*|bool|float\d+)\{\Z")


def without_dumps(message: str) -> str:
    """The message without the objects in it: the field, and the sentence about it."""
    # the type around a plain value of the wrong type: `expected string, got &value.valueUnstructured{Value:80}`
    message = re.sub(r"&value\.valueUnstructured\{Value:([^{}]*)\}", r"\1", message)
    if "{" not in message and "value: [" not in message:
        return message
    kept, position = "", 0
    upcoming = [pattern.search(message) for pattern in _BEGINNINGS]
    while (start := _next(message, position, upcoming)) is not None:
        begin, inside = start
        end = _end(message, inside)
        if _is_plain(message[begin:end], message[begin:inside]):
            kept += message[position:end]
        else:
            before = _LABEL.sub("", message[position:begin])
            after = _SENTENCE.match(message, end)
            # the colon that stood before the object leads to the sentence now
            end += len(after[0]) if after and before.endswith((": ", "")) else 0
            kept += before
        position = end
    text = kept + message[position:]
    return text if position == 0 else text.rstrip(":" + whitespace)


def without_dumps_in(answer: Any) -> Any:
    """A Status object whose messages hold no dumps."""
    if isinstance(answer, Mapping):
        return {
            key: without_dumps(value) if key == "message" and isinstance(value, str) else without_dumps_in(value)
            for key, value in answer.items()
        }
    return [without_dumps_in(item) for item in answer] if isinstance(answer, list) else answer


def _next(message: str, position: int, upcoming: list[re.Match[str] | None]) -> tuple[int, int] | None:
    """Where the next object begins, and where its inside does. `upcoming` keeps what each notation has still ahead:
    looked for again behind every object, the one that does not occur takes the length of the message each time."""
    for index, match in enumerate(upcoming):
        if match is not None and match.start() < position:
            upcoming[index] = _BEGINNINGS[index].search(message, position)
    found = [match for match in upcoming if match is not None]
    if not found:
        return None
    first = min(found, key=lambda match: match.start())
    return first.start(), first.end()


def _is_plain(whole: str, opening: str) -> bool:
    if _PLAIN_LIST.search(opening):
        return True
    return opening in _OPEN and len(whole) <= 80 and not re.search(r"[{:]", whole)


def _end(message: str, position: int) -> int:
    """Behind the bracket that closes what is open at `position`; the end of a message that was cut off."""
    depth = 1
    while position < len(message):
        sign = message[position]
        if sign in '"`':
            position = _quoted(message, position)
            continue
        depth += (sign in _OPEN) - (sign in _CLOSE)
        position += 1
        if depth == 0:
            return position
    return len(message)


def _quoted(message: str, position: int) -> int:
    quote = message[position]
    position += 1
    while position < len(message) and message[position] != quote:
        position += 2 if message[position] == "\\" and quote == '"' else 1
    return position + 1


# (what the message says, what to do): the first match wins
_HINTS: tuple[tuple[str, str], ...] = (
    (
        r"violates PodSecurity",
        "Change the pod's securityContext as named, or the namespace's pod-security.kubernetes.io/enforce label.",
    ),
    (r"exceeded quota", "Lower the request, or raise the namespace's ResourceQuota."),
    (r"because it is being terminated", "The namespace is being deleted; wait until it is gone, then run again."),
    (
        r"failed calling webhook",
        "The admission webhook does not answer: look at the pods behind it; its policy is to fail.",
    ),
    (r"denied the request", "An admission policy of this cluster forbids it; its message says what it requires."),
    (r"namespaces .* not found", "Create the namespace first; k8s_objects does so when it is one of the definitions."),
    (r"(field not declared in schema|unknown field)", "Correct the field's name; kubectl explain shows what exists."),
    (r"expected string, got", "Quote numbers and booleans that should be text."),
    (r"expected (?:numeric|boolean).*, got string", "Write it without quotes."),
    (r"must be of type \S*string\S*, and is a (?:number|boolean)", "Quote it, for example '0.5' instead of 0.5."),
    (r"must be of type \S+, and is null", "Give it a value, or leave it out."),
    (r"must be of type", "Write a value of that type."),
    # ErrFormatWrong, ErrNumeric, ErrSuffix of k8s.io/apimachinery/pkg/api/resource; the API server names no field
    (
        r"quantities must match the regular expression|unable to parse (?:numeric part of quantity|quantity's suffix)",
        "An amount of cpu, memory or storage (resources, volumes, quotas) is not a quantity: write it as 2, 500m or "
        "1Gi, without blanks or other units.",
    ),
    (r"null element|explicit null", "A list item without a value (a dash alone) is null: give it one, or remove it."),
    (r"duplicate entries for key", "Two items of this list have the same key: remove one, or rename it."),
    (
        r"Duplicate value",
        "An item occurs twice in this list, in the declaration or together with what others added to the live "
        "object (see kubectl get -o yaml --show-managed-fields): remove one of them.",
    ),
    (r"field is immutable", "The field can only be set at creation: delete the object first, or use another name."),
    (r"cannot .* resource", "Grant this identity the verb with a Role or ClusterRole, or use another identity."),
    (r"no matches for kind|could not find the requested resource", "Install the CustomResourceDefinition first."),
)

# what the API server itself answers, as text, under a path that it knows nothing of
_NO_SUCH_PATH = b"404 page not found"

_STATUS_HINTS: dict[int, str] = {
    401: "The credentials are missing, expired or of another cluster: fetch the kubeconfig again with aks_kubeconfig.",
    403: "Use an identity that may do this, or grant it the right.",
    413: "The object is too large for the API server (3 MiB in all, 1 MiB in a Secret or ConfigMap): split it.",
    429: "The API server is overloaded; run again later or with fewer forks.",
}


def from_response(action: str, status: int, body: bytes, origin: str) -> ServiceError:
    """The error a refused request stands for."""
    answer = _status_object(body)
    answer = None if answer is None else without_dumps_in(answer)
    if answer is None and status == 404 and body.strip() == _NO_SUCH_PATH:
        return ServiceError(
            action,
            f"the API server serves no such kind any more ({origin})",
            status=status,
            hint="Its CustomResourceDefinition or APIService has gone since this run began: install it, and run again.",
        )
    if answer is None:
        return ServiceError(
            action,
            f"the answer did not come from a Kubernetes API server ({origin})",
            status=status,
            hint="Check the server address and the proxy; something between answered instead.",
            body=redact(body[:2000].decode(errors="replace")),
        )
    message = _plain(str(answer.get("message") or answer.get("reason") or "no reason given"))
    causes = (answer.get("details") or {}).get("causes") or []
    conflicts = [cause for cause in causes if cause.get("reason") == "FieldManagerConflict"]
    if conflicts:
        return field_conflict(action, conflicts, answer)
    if status == 401:
        message = f"the API server does not accept the credentials ({origin})"
    elif causes and all(cause.get("field") for cause in causes):
        reported = _of_causes(causes)
        if len(causes) > 1 or reported[0] != _cause_text(causes[0]):
            message = "; ".join(reported)
    return ServiceError(
        action,
        message,
        code=str(answer.get("reason") or ""),
        status=status,
        hint=hint_for(status, message),
        body=answer,
    )


# `Invalid value: "number": spec.cpu in body must be of type integer,string: "number"`
_TYPE = re.compile(r'(?:Invalid value: "\w+": )?\S+ in body must be of type (?P<wanted>[\w,]+): "(?P<given>\w+)"')
# what follows from a wrong type, once for each alternative of the schema; it has no field of its own
_FOLLOWS = re.compile(r'"(?P<field>[^"]+)" must validate (?:at least one|one and only one) schema \((?:any|one)Of\)')


def _cause_text(cause: Mapping[str, Any]) -> str:
    return f"{cause['field']}: {cause.get('message', '')}"


def _of_causes(causes: list[Mapping[str, Any]]) -> list[str]:
    """What is wrong, field by field; a wrong type is named once for a field, not for each alternative of a schema.

    In the order of the fields: the API server walks a schema's properties in an order of its own in each request, and
    the same mistake should read the same in each run.
    """
    causes = sorted(causes, key=lambda cause: (cause["field"] == "<nil>", natural_order(str(cause["field"]))))
    types: dict[str, tuple[str, str]] = {}
    for cause in causes:
        found = _TYPE.fullmatch(str(cause.get("message")))
        field = str(cause["field"])
        # the first names all types that will do
        if found and len(found["wanted"]) > len(types.get(field, ("", ""))[0]):
            types[field] = (found["wanted"], found["given"])
    reported: dict[str, None] = {}
    for cause in causes:
        field, message = str(cause["field"]), str(cause.get("message"))
        follows = _FOLLOWS.search(message)
        if field in types and _TYPE.fullmatch(message):
            wanted, given = types[field]
            shown = given if given == "null" else f"a {given}"
            reported[f"{field}: must be of type {wanted.replace(',', '/')}, and is {shown}"] = None
        elif follows and follows["field"] in types:
            continue
        else:
            reported[message if field == "<nil>" else _cause_text(cause)] = None
    return list(reported)


def _plain(message: str) -> str:
    """The API server's message without the Go types it sometimes prints."""
    return without_dumps(re.sub(r"^failed to create typed patch object \([^)]*\): ", "", message))


def field_conflict(action: str, conflicts: list[Mapping[str, Any]], answer: Mapping[str, Any]) -> ServiceError:
    """Server-side apply met fields of others: say which and whose; the API server names managers in any order."""
    conflicts = sorted(conflicts, key=lambda cause: (natural_order(str(cause.get("field"))), str(cause.get("message"))))
    owned = [f"{cause.get('field', '?')} belongs to {manager_of(str(cause.get('message', '')))}" for cause in conflicts]
    return ServiceError(
        action,
        "other managers own declared fields with other values: " + "; ".join(owned),
        code="Conflict",
        status=409,
        hint="Leave those fields out of the declaration, or set force_conflicts: true to take them over.",
        body=answer,
    )


def conflicting_managers(failure: ServiceError) -> set[str]:
    """The managers whose fields an apply met; none where something else was refused."""
    details = failure.body.get("details") if isinstance(failure.body, Mapping) else None
    causes = (details or {}).get("causes") or []
    return {manager_of(str(one.get("message", ""))) for one in causes if one.get("reason") == "FieldManagerConflict"}


def manager_of(message: str) -> str:
    """The manager in `conflict with "kubectl" with subresource "scale" using apps/v1`."""
    found = re.search(r'conflict with "([^"]+)"', message)
    return found.group(1) if found else message


def header_warnings(headers: Iterable[str]) -> list[str]:
    """The texts of HTTP Warning headers of the API server: `299 - "text"`."""
    found = [re.fullmatch(r'299 \S+ "(.*)"', header.strip()) for header in headers]
    return [match.group(1).replace('\\"', '"') for match in found if match]


def hint_for(status: int, message: str) -> str:
    for pattern, hint in _HINTS:
        if re.search(pattern, message):
            return hint
    return _STATUS_HINTS.get(status, "")


def from_exception(action: str, exc: Exception, server: str, origin: str) -> ServiceError:
    """The error a broken connection stands for."""
    text, hint = _explain(exc)
    return ServiceError(
        action,
        f"cluster unreachable: {server} {text} (address from {origin})",
        code="Unreachable",
        hint=hint,
    )


def _explain(exc: Exception) -> tuple[str, str]:
    known = urllib3.exceptions
    running = "Check that the cluster is running and that this machine's network reaches it."
    distrust = (
        "Check that the cluster is running and nothing else answers at its address. If it runs, fetch the kubeconfig "
        "again with aks_kubeconfig, or set ca_cert to the cluster's authority."
    )
    resolving = "Check the cluster's address; a private cluster's name resolves only inside its network."
    refuses = "refuses connections" if "Connection refused" in str(exc) else "cannot be connected to"
    rows = (
        (known.ProxyError, "cannot be reached through the proxy", "Check proxy and no_proxy."),
        (known.SSLError if untrusted(exc) else (), untrusted(exc), distrust),
        (
            () if cut_off(exc) else known.SSLError,
            "does not speak TLS as expected",
            "Check scheme and port of the server address.",
        ),
        (known.NameResolutionError, "has a name that does not resolve", resolving),
        (known.NewConnectionError, refuses, running),
        (
            known.ConnectTimeoutError,
            "does not answer to connections",
            f"{running} Authorized IP ranges drop other callers silently.",
        ),
        (known.ReadTimeoutError, "did not answer in time", running),
        (Exception, "closed the connection before it answered", running),
    )
    return next((text, hint) for kind, text, hint in rows if isinstance(exc, kind))


def never_sent(exc: Exception) -> bool:
    """Whether the connection failed before the server can have seen anything of the request."""
    known = urllib3.exceptions
    return bool(untrusted(exc)) or isinstance(exc, (known.NewConnectionError, known.ConnectTimeoutError))


def busy(response: Response, repeatable: bool) -> bool:
    """The server asked to come back, or is between two lives."""
    if response.status == 429:
        return True
    if not repeatable:
        return False
    return response.status in (502, 503, 504) or (response.status == 500 and b"etcdserver:" in response.body)


def _status_object(body: bytes) -> Mapping[str, Any] | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else None
