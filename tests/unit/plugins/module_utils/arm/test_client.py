# SPDX-License-Identifier: GPL-3.0-or-later
"""Patience with a service: what is repeated, how long, what is followed, and what is said in the end."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm import errors, reconcile
from ansible_collections.mcpops.platform.plugins.module_utils.arm.client import Arm, LostRace, PlanAgain
from ansible_collections.mcpops.platform.plugins.module_utils.arm.errors import Request, Unreachable
from ansible_collections.mcpops.platform.plugins.module_utils.arm.reconcile import converge_resource
from ansible_collections.mcpops.platform.plugins.module_utils.errors import NotReady, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.http_terms import Response
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change, Plan
from ansible_collections.mcpops.platform.plugins.module_utils.waiting import Clock

GROUP = "/subscriptions/s/resourceGroups/rg"
ID = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/c"
RESET = Unreachable("connection reset", sent=True)


def answer(status: int, body: Any = None, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, named, b"" if body is None else json.dumps(body).encode())


def error(status: int, code: str, message: str = "no", flat: bool = False, **headers: str) -> Response:
    inner = {"code": code, "message": message}
    return answer(status, inner if flat else {"error": inner}, **headers)


@dataclass
class Script:
    """A service that gives these answers one after the other, and time that passes by sleeping only."""

    answers: list[Response | Unreachable]
    requests: list[Request] = field(default_factory=list)
    renewed: int = 0
    slept: list[float] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        given = self.answers.pop(0)
        if isinstance(given, Unreachable):
            raise given
        return given

    def renew(self) -> None:
        self.renewed += 1

    def arm(self, timeout: float = 600, check_mode: bool = False) -> Arm:
        clock = Clock(now=lambda: sum(self.slept), sleep=self.slept.append)
        return Arm(
            self, "https://arm", "s", timeout=timeout, clock=clock, wrote=self.written.append, check_mode=check_mode
        )


def get(script: Script, **options: Any) -> Response:
    return script.arm(**options).call("GET", "https://arm/x", "Reading x")


REPEATED: dict[str, tuple[list[Response | Unreachable], list[float]]] = {
    "throttled with seconds": ([error(429, "Throttled", flat=True, retry_after="7")], [7.0]),
    "throttled with milliseconds": ([error(429, "Throttled", retry_after_ms="50")], [0.05]),
    "throttled without a word": ([error(429, "TooManyRequests")], [0.5]),
    "unavailable": ([error(503, "ServiceUnavailable")], [0.5]),
    "a gateway's page": ([Response(502, {}, b"<html>")], [0.5]),
    "cut off twice": ([RESET, RESET], [0.5, 0.75]),
}


@pytest.mark.parametrize(("answers", "pauses"), REPEATED.values(), ids=REPEATED.keys())
def test_is_repeated(answers: list[Response | Unreachable], pauses: list[float]) -> None:
    script = Script([*answers, answer(200, {"ok": True})])
    assert get(script).json() == {"ok": True}
    assert script.slept == pauses


WRITTEN: dict[str, tuple[str, str, list[Response | Unreachable], list[str]]] = {
    "accepted": ("PUT", ID, [answer(202)], ["Working on c"]),
    "read": ("GET", ID, [answer(200, {})], []),
    "a credential that was listed": ("POST", f"{ID}/listClusterUserCredential", [answer(200, {})], []),
    "refused": ("PATCH", ID, [error(409, "Conflict")], []),
    "gone already": ("DELETE", ID, [error(404, "ResourceNotFound")], []),
    "cut off after it was sent": (
        "POST",
        f"{ID}/start",
        [RESET, answer(202)],
        ["Working on c (its answer was lost)", "Working on c"],
    ),
    "never sent": ("PUT", ID, [Unreachable("refused", sent=False)] * 9, []),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_what_was_written_is_remembered(case: str) -> None:
    method, path, answers, written = WRITTEN[case]
    script = Script(list(answers))
    with contextlib.suppress(ServiceError):
        script.arm().call(method, f"https://arm{path}?api-version=1", "Working on c")
    assert script.written == written


def test_throttling_is_endured_until_the_deadline() -> None:
    script = Script([error(429, "Throttled", retry_after="10")] * 20)
    with pytest.raises(ServiceError, match="Throttled") as failure:
        get(script, timeout=45)
    assert len(script.requests) == 5
    assert "forks" in failure.value.hint


def test_unavailability_is_not_endured_for_ever() -> None:
    script = Script([error(503, "ServiceUnavailable")] * 20)
    with pytest.raises(ServiceError):
        get(script)
    assert len(script.requests) == 5


def test_unreachable_says_what_to_check() -> None:
    with pytest.raises(ServiceError, match="REQUESTS_CA_BUNDLE"):
        get(Script([Unreachable("refused", sent=False)] * 20))


def test_an_expired_token_is_renewed_once() -> None:
    script = Script([error(401, "ExpiredAuthenticationToken"), answer(200, {})])
    get(script)
    assert script.renewed == 1
    script = Script([error(401, "ExpiredAuthenticationToken")] * 2)
    assert get(script).status == 401


MARK = {"x_ms_request_id": "1"}
ABSENT: dict[str, tuple[Response, str]] = {
    "resource": (error(404, "ResourceNotFound"), ""),
    "group": (error(404, "ResourceGroupNotFound"), "resource group rg"),
    "parent": (error(404, "ParentResourceNotFound"), "the resource it belongs to"),
    "role assignment": (error(404, "RoleAssignmentNotFound"), ""),
    "a provider's own code": (error(404, "FederatedIdentityCredentialNotFound"), ""),
    "a code nobody has seen": (error(404, "Gone.Fishing", flat=True), ""),
    "Resource Manager without a body": (answer(404, None, **MARK), ""),
}


@pytest.mark.parametrize(("response", "missing"), ABSENT.values(), ids=ABSENT.keys())
def test_absence_is_no_failure(response: Response, missing: str) -> None:
    reading = Script([response]).arm().read(ID, "Reading c", "v")
    assert reading.body is None
    assert reading.missing == missing
    assert Script([response]).arm().write("DELETE", ID, "Deleting c", "v").status == 404


WRONG_PLACES = (
    "SubscriptionNotFound",
    "InvalidSubscriptionId",
    "InvalidResourceType",
    "InvalidResourceNamespace",
    "NoRegisteredProviderFound",
)


# the last is a proxy's: no code, and none of the headers that Resource Manager puts on each answer
@pytest.mark.parametrize("code", [*WRONG_PLACES, ""])
def test_a_wrong_place_is_a_failure(code: str) -> None:
    with pytest.raises(ServiceError):
        Script([error(404, code)]).arm().read(ID, "Reading c", "v")
    with pytest.raises(ServiceError):
        Script([error(404, code)]).arm().write("DELETE", ID, "Deleting c", "v")


def test_an_unregistered_provider_is_a_prerequisite_in_check_mode_only() -> None:
    response = error(409, "MissingSubscriptionRegistration")
    assert "Microsoft.ContainerService" in Script([response]).arm(check_mode=True).read(ID, "Reading c", "v").missing
    with pytest.raises(ServiceError, match="azure_provider"):
        Script([response]).arm().read(ID, "Reading c", "v")


def write(script: Script, **options: Any) -> Response:
    return script.arm().write("PUT", ID, "Updating c", "v", {"a": 1}, **options)


@pytest.mark.parametrize(
    ("options", "headers"),
    [({"etag": "e"}, {"If-Match": "e"}), ({"create": True}, {"If-None-Match": "*"}), ({}, {})],
)
def test_a_write_says_what_it_expects(options: dict[str, Any], headers: Mapping[str, str]) -> None:
    script = Script([answer(200, {})])
    write(script, **options)
    assert script.requests[0].headers == headers


BUSY = [
    "Operation is not allowed because there's an in progress update managed cluster operation (operation ID: 1).",
    "Operation is not allowed: Another operation (nodepool1 - Updating) is in progress, please wait.",
    "because there's an in-progress create node pool operation",
]


WAITED_FOR: dict[str, Response | Unreachable] = {
    **{f"busy {number}": error(409, "OperationNotAllowed", text, flat=True) for number, text in enumerate(BUSY)},
    "throttled": error(429, "Throttled", flat=True, retry_after="7"),
    "unavailable": error(503, "ServiceUnavailable"),
    "cut off": RESET,
    "a directory that lags behind": error(400, "PrincipalNotFound", "Principal 1 does not exist in the directory 2."),
}


@pytest.mark.parametrize("refusal", WAITED_FOR.values(), ids=WAITED_FOR.keys())
def test_after_any_wait_everything_is_read_and_planned_again(refusal: Response | Unreachable) -> None:
    """Somebody changed the resource during the wait: what is sent in the end is laid over what they made of it."""
    before, between, after = ({"tags": {"by": ref}} for ref in ("a", "somebody", "us"))
    script = Script([answer(200, before), refusal, answer(200, between), answer(200, after)])
    arm = script.arm()

    def put(plan: Plan, _reading: Any) -> Any:
        return arm.write("PUT", ID, "Updating c", "v", plan.body).json()

    outcome = converge_resource(
        arm,
        "c",
        lambda: arm.read(ID, "Reading c", "v"),
        lambda reading: Plan("c", (Change("a", 1, 2),), body={**(reading.body or {}), "a": 2}),
        put,
    )
    assert [request.method for request in script.requests] == ["GET", "PUT", "GET", "PUT"]
    assert script.requests[-1].body == {**between, "a": 2}
    assert outcome.plan.changed
    assert len(script.slept) == 1


def test_patience_with_writes_outlives_a_plan() -> None:
    script = Script([answer(200, {}), error(503, "ServiceUnavailable")] * 20)
    arm = script.arm()
    with pytest.raises(ServiceError, match="ServiceUnavailable"):
        converge_resource(
            arm,
            "c",
            lambda: arm.read(ID, "Reading c", "v"),
            lambda _reading: Plan("c", (Change("a", 1, 2),)),
            lambda *_: arm.write("PUT", ID, "Updating c", "v", {}).json(),
        )
    assert len([request for request in script.requests if request.method == "PUT"]) == 5


def test_a_wait_ends_with_the_deadline() -> None:
    script = Script([answer(200, {}), error(409, "OperationNotAllowed", BUSY[0], flat=True)] * 100)
    arm = script.arm(timeout=60)
    with pytest.raises(ServiceError, match="in progress"):
        converge_resource(
            arm,
            "c",
            lambda: arm.read(ID, "Reading c", "v"),
            lambda _reading: Plan("c", (Change("a", 1, 2),)),
            lambda *_: arm.write("PUT", ID, "Updating c", "v", {}).json(),
        )
    assert sum(script.slept) <= 60


@pytest.mark.parametrize("message", ["exceeding approved cores quota", "the cluster is stopped"])
def test_what_waiting_does_not_cure_is_told_at_once(message: str) -> None:
    script = Script([error(409, "OperationNotAllowed", message, flat=True)])
    with pytest.raises(ServiceError, match=message):
        write(script)
    assert script.slept == []


@pytest.mark.parametrize(
    "response",
    [
        error(412, "PreconditionFailed"),
        error(409, "EtagMismatch", "Operation is not allowed: Another operation is in progress", flat=True),
    ],
    ids=["412", "409"],
)
def test_a_lost_race_is_planned_again(response: Response) -> None:
    with pytest.raises(LostRace):
        write(Script([response]), etag="e")


def test_a_write_without_an_answer_may_have_happened() -> None:
    script = Script([RESET, answer(200, {"a": 2})])
    arm = script.arm()
    with pytest.raises(PlanAgain):
        arm.write("PUT", ID, "Updating c", "v", {}, etag="e")
    assert arm.write_uncertain


def test_a_write_that_took_effect_without_an_answer_is_reported() -> None:
    script = Script([answer(200, {"a": 1}), RESET, answer(200, {"a": 2})])
    arm = script.arm()

    def plan_of(reading: Any) -> Plan:
        return Plan("c", (Change("a", 1, 2),) if reading.body == {"a": 1} else ())

    outcome = converge_resource(
        arm,
        "c",
        lambda: arm.read(ID, "Reading c", "v"),
        plan_of,
        lambda *_: arm.write("PUT", ID, "Updating c", "v", {"a": 2}).json(),
    )
    assert [change.path for change in outcome.plan.changes] == ["a"]
    assert outcome.after == {"a": 2}


def follow(script: Script, timeout: float = 600, **headers: str) -> Arm:
    arm = script.arm(timeout)
    reconcile.await_operation(
        arm, answer(201 if "azure_asyncoperation" in headers else 202, {}, **headers), "c", "Creating c"
    )
    return arm


def test_an_operation_is_followed_to_its_end() -> None:
    running = answer(200, {"status": "InProgress"}, retry_after="3")
    script = Script([running, running, answer(200, {"status": "Succeeded"})])
    follow(script, azure_asyncoperation="https://arm/op")
    assert script.slept == [0.5, 3.0, 3.0]


def test_a_replica_may_not_know_the_operation_yet() -> None:
    follow(
        Script([error(404, "NotFound"), answer(200, {"status": "Succeeded"})]), azure_asyncoperation="https://arm/op"
    )


def test_a_location_is_followed_where_it_leads() -> None:
    script = Script([answer(202, None, location="https://arm/two"), answer(200)])
    follow(script, location="https://arm/one")
    assert [request.url for request in script.requests] == ["https://arm/one", "https://arm/two"]


def test_a_failed_operation_speaks_for_itself() -> None:
    failed = {"status": "Failed", "error": {"code": "SkuNotAvailable", "message": "no capacity", "details": []}}
    with pytest.raises(ServiceError, match=r"Creating c: no capacity \(SkuNotAvailable\)\. .*aks_sku_preflight"):
        follow(Script([answer(200, failed)]), azure_asyncoperation="https://arm/op")


def test_waiting_ends() -> None:
    script = Script([answer(200, {"status": "InProgress"})] * 1000)
    with pytest.raises(NotReady, match="wait_timeout"):
        follow(script, timeout=100, azure_asyncoperation="https://arm/op")
    assert sum(script.slept) <= 100


def test_each_operation_has_its_own_time() -> None:
    """What others took before it, and earlier steps, are not taken from the time of an operation."""
    running = answer(200, {"status": "InProgress"}, retry_after="200")
    done = answer(200, {"status": "Succeeded"})
    message = "Operation is not allowed because there's an in progress update managed cluster operation"
    busy = error(409, "OperationNotAllowed", message, flat=True, retry_after="500")
    script = Script([busy, answer(201, {}, azure_asyncoperation="https://arm/op"), *[running] * 2, done])
    arm = script.arm(timeout=600)
    with pytest.raises(PlanAgain):
        arm.write("PUT", ID, "Creating c", "v", {})
    assert arm.deadline.elapsed == 500
    reconcile.await_operation(arm, arm.write("PUT", ID, "Creating c", "v", {}), "c", "Creating c")
    assert sum(script.slept) > 600
    # the next operation has all of it again, and no more
    late = Script([answer(201, {}, azure_asyncoperation="https://arm/op"), *[running] * 9])
    with pytest.raises(NotReady):
        reconcile.await_operation(
            arm := late.arm(timeout=600), arm.write("PUT", ID, "Creating c", "v", {}), "c", "Creating c"
        )
    assert arm.deadline.elapsed <= 600


def test_another_runs_operation_is_waited_for() -> None:
    busy = {"properties": {"provisioningState": "Creating"}}
    done = {"properties": {"provisioningState": "Succeeded"}}
    script = Script([answer(200, busy), answer(200, done)])
    arm = script.arm()
    settled = reconcile.await_idle(arm, arm.read(ID, "Reading c", "v"), ID, "v", "c")
    assert settled.body == done


def test_check_mode_tells_of_an_operation_in_progress() -> None:
    script = Script([answer(200, {"properties": {"provisioningState": "Updating"}})])
    arm = script.arm(check_mode=True)
    outcome = converge_resource(
        arm, "c", lambda: arm.read(ID, "Reading c", "v"), lambda _reading: Plan("c"), lambda *_: {}
    )
    assert "in progress" in outcome.plan.notes[0]


def test_a_failure_without_an_operation_is_seen() -> None:
    reported = {"provisioningState": "Failed", "status": {"provisioningError": {"code": "Odd", "message": "it broke"}}}
    script = Script(
        [answer(200, {"properties": {"provisioningState": "Creating"}}), answer(200, {"properties": reported})]
    )
    with pytest.raises(ServiceError, match=r"Creating c: it broke \(Odd\)"):
        reconcile.await_finished(script.arm(), ID, "v", "c", "Creating c")


def test_who_loses_every_race_is_told() -> None:
    script = Script([answer(200, {}), error(412, "PreconditionFailed")] * 5)
    arm = script.arm()
    plan = Plan("c", (Change("a", 1, 2),))
    with pytest.raises(ServiceError, match="EtagMismatch"):
        converge_resource(
            arm,
            "c",
            lambda: arm.read(ID, "Reading c", "v"),
            lambda _reading: plan,
            lambda *_: arm.write("PUT", ID, "Updating c", "v", {}, etag="e").json(),
        )


def test_what_was_written_is_found_even_late() -> None:
    script = Script([error(404, "ResourceNotFound"), error(404, "ResourceNotFound"), answer(200, {"id": ID})])
    assert reconcile.read_written(script.arm(), ID, "v", "c") == {"id": ID}


def test_pages_follow_their_links() -> None:
    script = Script([answer(200, {"value": [1, 2], "nextLink": "https://arm/2"}), answer(200, {"value": [3]})])
    assert list(script.arm().listed("/list", "Listing", "v")) == [1, 2, 3]


@pytest.mark.parametrize("code", sorted(errors.HINTS))
@pytest.mark.parametrize("flat", [True, False])
def test_every_known_code_has_its_hint(code: str, flat: bool) -> None:
    failure = errors.to_failure("Creating c", error(400, code, "it said so", flat=flat))
    text = failure.message()
    assert text.startswith(f"Creating c: it said so ({code}). ")
    assert failure.hint.endswith(".")


def test_sizes_that_the_service_offers_are_named() -> None:
    message = "The VM size of X is not allowed in your subscription. The available VM sizes are 'standard_a,standard_b'"
    assert "standard_a, standard_b" in errors.to_failure("x", error(400, "BadRequest", message, flat=True)).hint


@pytest.mark.parametrize("body", [None, [], "text", {"error": "text"}, {"error": {"code": None, "details": None}}])
def test_an_odd_error_is_still_an_error(body: Any) -> None:
    assert "500" in errors.to_failure("Reading", answer(500, body)).message() or body == {"error": "text"}
