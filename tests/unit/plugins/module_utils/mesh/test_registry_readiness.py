# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry's answer says, and which expectations it does not meet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from unit.plugins.module_utils.mesh.recorded import answer

from ansible_collections.mcpops.platform.plugins.module_utils.mesh.registry_readiness import (
    Agent,
    Capability,
    Dependency,
    Expected,
    Verdict,
    agent_row,
    agents_from,
    judge_agents,
    same_host,
)

HOST = "dates.mesh"
GOOD = (
    Agent(
        "dates",
        "dates-1",
        status="healthy",
        endpoint="http://dates.mesh.svc.cluster.local:8080",
        age=1.0,
        capabilities=(Capability("date_service", "1.2.0"),),
    ),
    Agent(
        "greeter",
        "greeter-1",
        status="healthy",
        endpoint="http://greeter.mesh:8080",
        age=2.0,
        capabilities=(Capability("greeting", "2.0.0"),),
        dependencies=(
            Dependency("date_service", "greet", "available", "dates-1", "http://dates.mesh:8080"),
            Dependency("weather_service", "greet", "unresolved"),
        ),
    ),
)
DATES = Expected("dates", host=HOST, capabilities=(("date_service", "^1.0"),))
GREETER = Expected("greeter", dependencies=(("date_service", ">=1.0.0, <2.0.0", False),))


def agents(name: str) -> tuple[Agent, ...]:
    found = agents_from(answer(name))
    assert found is not None
    return found


def codes(found: Verdict) -> list[str]:
    return [reason.code for reason in found.reasons]


def changed(index: int, **fields: Any) -> tuple[Agent, ...]:
    return tuple(replace(agent, **fields) if at == index else agent for at, agent in enumerate(GOOD))


def test_an_empty_registry_has_no_agents() -> None:
    assert answer("empty")["agents"] is None
    assert agents("empty") == ()


def test_null_in_place_of_a_list_is_an_empty_list() -> None:
    bare = next(agent for agent in agents("bare") if agent.name == "x-1")
    assert (bare.capabilities, bare.dependencies, bare.host) == ((), (), "")


def test_what_belongs_to_the_runtime_is_left_out() -> None:
    assert "__mesh_internal" in str(answer("registered"))
    offered = {one.name for agent in agents("registered") for one in agent.capabilities}
    assert offered == {"date_service", "greeting", "strict_cap"}


def test_an_age_is_counted_by_the_registrys_clock() -> None:
    ages = {agent.id: agent.age for agent in agents("some-gone")}
    assert ages["dates-aaaaaaaa"] == pytest.approx(1.0, abs=0.5)
    assert ages["greeter-bbbbbbbb"] == pytest.approx(7.0, abs=0.5)


@pytest.mark.parametrize(
    ("text", "age"),
    {
        "2026-11-30T10:00:00Z": 60.0,
        "2026-11-30T10:00:30.5Z": 29.5,
        "2026-11-30T10:00:59.123456789Z": 0.876544,
        "2026-11-30T10:02:00Z": 0.0,
        "yesterday": None,
        "": None,
        None: None,
        "2026-11-30T10:00:00.Z": 60.0,
    }.items(),
)
def test_times_with_any_fraction(text: str | None, age: float | None) -> None:
    found = agents_from({"agents": [{"name": "a", "last_seen": text}], "timestamp": "2026-11-30T10:01:00Z"})
    assert found is not None
    assert found[0].age == (None if age is None else pytest.approx(age, abs=1e-5))


@pytest.mark.parametrize("wrong", [None, [], "text", {}, {"agents": {}}, {"agents": "none"}, {"error": "x"}])
def test_another_answer_is_no_list_of_agents(wrong: Any) -> None:
    assert agents_from(wrong) is None


def test_hostile_rows_are_no_agents_that_break_anything() -> None:
    rows: list[Any] = [None, 1, "x", [], {}, {"name": 7, "capabilities": "many", "dependency_resolutions": [1, {}]}]
    found = agents_from({"agents": [*rows, {"name": "a\nb" + "c" * 9000, "capabilities": [{"name": None}]}]})
    assert found is not None
    assert len(found) == 3
    assert all(len(agent.name) < 1000 and "\n" not in agent.name for agent in found)


def test_a_row_that_was_replaced_is_superseded() -> None:
    rows = [
        {"name": "a", "id": "a-1", "status": "unhealthy"},
        {"name": "a", "id": "a-2", "status": "healthy"},
        {"name": "b", "id": "b-1", "status": "unhealthy"},
    ]
    found = agents_from({"agents": rows})
    assert found is not None
    assert {agent.id: agent.superseded for agent in found} == {"a-1": True, "a-2": False, "b-1": False}


def test_a_mesh_as_expected() -> None:
    assert judge_agents(GOOD, [DATES, GREETER], [("greeting", "^2")]) == Verdict()


BROKEN: dict[str, tuple[tuple[Agent, ...], Expected, str, str]] = {
    "nobody": ((), DATES, "AgentNotRegistered", "no agent of this name"),
    "another name": (changed(0, name="date"), DATES, "AgentNotRegistered", "no agent of this name"),
    "unhealthy": (
        changed(0, status="unhealthy"),
        DATES,
        "AgentUnhealthy",
        "0 of 1 replicas are healthy; dates-1 is unhealthy",
    ),
    "one of two": (GOOD, replace(DATES, replicas=2), "AgentUnhealthy", "1 of 2 replicas"),
    "silent": (changed(0, age=25.0), DATES, "AgentSilent", "dates-1 25 s ago"),
    "another host": (changed(0, endpoint="http://10.0.0.7:8080"), DATES, "WrongEndpoint", "http://10.0.0.7:8080"),
    "no host": (changed(0, endpoint="stdio://dates"), DATES, "WrongEndpoint", "stdio://dates"),
    "no capability": (changed(0, capabilities=()), DATES, "CapabilityMissing", "date_service"),
    "an older capability": (
        changed(0, capabilities=(Capability("date_service", "0.9.0"),)),
        DATES,
        "CapabilityVersion",
        "0.9.0, which is not within ^1.0",
    ),
    "an unavailable capability": (
        changed(
            0,
            capabilities=(Capability("date_service", "1.0.0", available=False, reason="required dep 'x' unresolved"),),
        ),
        DATES,
        "CapabilityUnavailable",
        "required dep 'x' unresolved",
    ),
    "an undeclared dependency": (changed(1, dependencies=()), GREETER, "DependencyUndeclared", "date_service"),
    "an unresolved dependency": (
        changed(1, dependencies=(Dependency("date_service", "greet", "unresolved"),)),
        GREETER,
        "DependencyUnresolved",
        "dates-1 (1.2.0) offers it, and is not what is asked for",
    ),
    "one of two that is unresolved": (
        changed(1, dependencies=(*GOOD[1].dependencies, Dependency("date_service", "other", "unavailable"))),
        GREETER,
        "DependencyUnresolved",
        "other depends on",
    ),
    "a dependency resolved to another version": (
        changed(0, capabilities=(Capability("date_service", "2.0.0"),)),
        GREETER,
        "DependencyVersion",
        "dates-1 in 2.0.0",
    ),
    "still there": (GOOD, Expected("dates", replicas=0), "AgentStillRegistered", "dates-1"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_not_as_expected_has_a_reason(case: str) -> None:
    found, expected, code, words = BROKEN[case]
    verdict = judge_agents(found, [expected])
    assert codes(verdict) == [code]
    assert words in verdict.reasons[0].message
    assert verdict.reasons[0].hint
    assert not verdict.reasons[0].terminal


def test_nobody_offers_what_an_agent_depends_on() -> None:
    verdict = judge_agents(GOOD, [Expected("greeter", dependencies=(("weather_service", "", False),))])
    assert "no healthy agent offers it" in verdict.reasons[0].message


def test_an_optional_dependency_is_a_note() -> None:
    verdict = judge_agents(GOOD, [Expected("greeter", dependencies=(("weather_service", "", True),))])
    assert verdict.reasons == ()
    assert "weather_service" in verdict.notes[0]
    assert verdict.notes[0].endswith("It is optional.")


def test_a_pod_that_was_replaced_is_not_counted() -> None:
    old = replace(GOOD[0], id="dates-0", status="unhealthy", endpoint="http://gone:1", superseded=True)
    assert judge_agents((old, *GOOD), [DATES]) == Verdict()
    assert judge_agents((old,), [Expected("dates", replicas=0)]) == Verdict()


def test_without_a_limit_age_does_not_matter() -> None:
    assert judge_agents(changed(0, age=9000.0), [DATES], fresh=None) == Verdict()
    assert judge_agents(changed(0, age=None), [DATES]) == Verdict()


def test_a_capability_of_whomever() -> None:
    assert codes(judge_agents(GOOD, [], [("date_service", ">=2")])) == ["CapabilityVersion"]
    assert codes(judge_agents(changed(0, status="unhealthy"), [], [("date_service", "")])) == ["CapabilityMissing"]


def test_all_that_is_wrong_is_told_at_once() -> None:
    found = changed(0, endpoint="http://x:1", capabilities=())
    assert codes(judge_agents(found, [DATES, Expected("nobody")])) == [
        "WrongEndpoint",
        "CapabilityMissing",
        "AgentNotRegistered",
    ]


SERVICE = "greeter.mesh"
SAME = [
    "greeter.mesh",
    "greeter.mesh.svc",
    "greeter.mesh.svc.cluster.local",
    "greeter.mesh.svc.cluster.local.",
    "greeter.mesh.svc.corp",
]
OTHERS = [
    "greeter",
    "greeter.mesh2",
    "greeter.mesh.example.com",
    "xgreeter.mesh",
    "greeter.meshes.svc",
    "10.0.0.1",
    "",
    "greeter.mesh.svcs",
]


@pytest.mark.parametrize("service", [SERVICE, f"{SERVICE}.svc", f"{SERVICE}.svc.cluster.local"])
def test_the_forms_of_a_services_name(service: str) -> None:
    assert [one for one in SAME if not same_host(one, service)] == []
    assert [one for one in OTHERS if same_host(one, service)] == []


def test_a_row_of_the_result_is_plain_data() -> None:
    row = agent_row(agents("registered")[1])
    assert row["name"] == "greeter"
    assert row["capabilities"][1] == {
        "name": "strict_cap",
        "version": "1.0.0",
        "function": "strict",
        "tags": [],
        "available": False,
        "unavailable_reason": "required dep 'gone' unresolved",
    }
    assert row["dependencies"][0]["provider"] == "dates-aaaaaaaa"


def test_one_silent_replica_of_two_is_told() -> None:
    both = (*changed(0, age=1.0), replace(changed(0, age=25.0)[0], id="dates-2"))
    found = judge_agents(both, [replace(DATES, replicas=2)])
    assert codes(found) == ["AgentSilent"]
    assert "dates-2 25 s ago" in found.reasons[0].finding
    assert codes(judge_agents(both, [DATES])) == []


def test_a_capability_is_available_where_one_of_its_providers_is() -> None:
    [offer] = [one for one in GOOD[0].capabilities if one.name == "date_service"]
    without = replace(GOOD[0], id="dates-2", capabilities=(replace(offer, available=False, reason="starts"),))
    assert codes(judge_agents((*GOOD, without), [replace(DATES, replicas=2)])) == []
    assert codes(judge_agents((without,), [DATES])) == ["CapabilityUnavailable"]


@pytest.mark.parametrize(
    ("said", "available"), [({}, True), ({"available": True}, True), ({"available": False}, False)]
)
def test_older_registries_do_not_say_what_is_available(said: dict[str, bool], available: bool) -> None:
    row = {"name": "dates", "status": "healthy", "capabilities": [{"name": "date_service", **said}]}
    found = agents_from({"agents": [row]})
    assert found is not None
    assert [one.available for one in found[0].capabilities] == [available]


def test_a_provider_may_offer_another_version_beside_the_wanted_one() -> None:
    both = changed(0, capabilities=(Capability("date_service", "0.9.0"), Capability("date_service", "1.2.0")))
    assert codes(judge_agents(both, [GREETER])) == []
    old = changed(0, capabilities=(Capability("date_service", "0.9.0"), Capability("date_service", "0.8.0")))
    assert codes(judge_agents(old, [GREETER])) == ["DependencyVersion"]
