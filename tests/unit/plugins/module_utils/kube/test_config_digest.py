# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes pods go and what does not: digests of values, and the record that is kept of them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.config_digest import (
    ABSENT_DIGEST,
    DIGEST_ANNOTATION,
    NEW_DIGEST,
    Content,
    Record,
    Reference,
    ReferenceState,
    decide_record,
    is_rewritten,
    object_content,
    read_record,
    record_text,
    reference_digest,
)

S = Reference("Secret", "s")
M = Reference("ConfigMap", "m")
OPTIONAL = Reference("Secret", "s", optional=True)


def secret(uid: str = "u1", **values: str) -> dict[str, Any]:
    data = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "uid": uid}, "data": data}


def config_map(uid: str = "u1", **values: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "uid": uid}, "data": values}


def of(item: dict[str, Any], reference: Reference = S, **more: Any) -> str | None:
    return reference_digest(reference, object_content(item, **more))


def test_values_count_and_nothing_else() -> None:
    one = of(secret(a="1", b="2"))
    assert one == of({**secret(b="2", a="1"), "metadata": {"uid": "u1", "labels": {"x": "y"}}, "type": "Opaque"})
    differing = [secret(a="1", b="3"), secret(a="1"), secret(a="2", b="1"), secret(a="1", b="2", c="")]
    assert len({one, *(of(item) for item in differing)}) == 5
    # the base64 of a manifest may be wrapped
    assert of({**secret(), "data": {"a": "MTIz\nNDU="}}) == of({**secret(), "data": {"a": "MTIzNDU="}})


def test_only_the_keys_that_are_used_count() -> None:
    used = Reference("Secret", "s", frozenset({"a"}))
    assert of(secret(a="1", b="2"), used) == of(secret(a="1", b="3"), used)
    assert of(secret(a="1"), used) != of(secret(b="1"), used)


def test_a_secret_is_keyed_by_what_only_its_readers_know() -> None:
    assert of(secret("u1", a="1")) != of(secret("u2", a="1"))
    assert of(config_map("u1", a="1"), M) == of(config_map("u2", a="1"), M)
    # not the same in two objects: who knows one value does not recognise it in the other
    assert object_content(secret("u1", a="hunter2")).keys["a"] != object_content(secret("u2", a="hunter2")).keys["a"]
    assert "hunter2" not in str(object_content(secret("u1", a="hunter2")))


def test_the_binary_data_of_a_config_map_counts() -> None:
    binary = {"kind": "ConfigMap", "metadata": {}, "binaryData": {"a": base64.b64encode(b"\xff").decode()}}
    assert of(binary, M) != of(config_map(), M)


DIGESTS = {
    "required and not there": (S, None, None),
    "optional and not there": (OPTIONAL, None, ABSENT_DIGEST),
    "a token that its controller has not filled yet": (
        S,
        object_content({**secret(), "type": "kubernetes.io/service-account-token"}),
        None,
    ),
    "made by the real run": (S, object_content(secret(a="1"), new=True), NEW_DIGEST),
}


@pytest.mark.parametrize("case", DIGESTS)
def test_what_is_not_there_yet(case: str) -> None:
    reference, found, expected = DIGESTS[case]
    assert reference_digest(reference, found) == expected


def test_a_config_map_that_is_made_by_the_real_run_is_known_before() -> None:
    assert of(config_map(a="1"), M, new=True) == of(config_map(a="1"), M)


def test_the_record_reads_back_and_has_one_order() -> None:
    record = {"secret/s": "2", "configmap/m": "1"}
    assert record_text(record) == "configmap/m=1,secret/s=2"
    assert read_record({DIGEST_ANNOTATION: record_text(record)}) == record
    assert read_record(None) == read_record({}) == read_record({DIGEST_ANNOTATION: "written by hand"}) == {}


def at(template: str = "", beside: str = "") -> Record:
    return Record(read_record({DIGEST_ANNOTATION: template}), read_record({DIGEST_ANNOTATION: beside}))


WAS, IS = ReferenceState("1", "1"), ReferenceState("2", "1")
BY_OTHERS, GONE, MADE = ReferenceState("2", "2"), ReferenceState(None, "1"), ReferenceState("1", None)
MISSING, UNREAD = ReferenceState(None), None
# standing, what is seen → template, beside, what rolls
RECORDS: dict[str, tuple[Record | None, ReferenceState | None, str, str, bool]] = {
    "a new workload": (None, MADE, "secret/s=1", "", False),
    "a new workload before its Secret": (None, MISSING, "secret/s=awaited", "", False),
    "a new workload, not to be read": (None, UNREAD, "", "", False),
    "nothing changed": (at("secret/s=1"), WAS, "secret/s=1", "", False),
    "changed in this run": (at("secret/s=1"), IS, "secret/s=2", "", True),
    "changed by others": (at("secret/s=1"), BY_OTHERS, "secret/s=2", "", True),
    "of an older version": (at(), WAS, "", "secret/s=1", False),
    "of an older version, changed now": (at(), IS, "secret/s=2", "", True),
    "of an older version, not there": (at(), MISSING, "", "secret/s=awaited", False),
    "noted beside it": (at("", "secret/s=1"), WAS, "", "secret/s=1", False),
    "noted beside it, changed": (at("", "secret/s=1"), BY_OTHERS, "secret/s=2", "", True),
    "there for the first time": (at(), MADE, "", "secret/s=1", False),
    "gone": (at("secret/s=1"), GONE, "secret/s=1", "", False),
    "not to be read": (at("secret/s=1"), UNREAD, "secret/s=1", "", False),
    "gone, and only noted": (at("", "secret/s=1"), GONE, "", "secret/s=1", False),
    "awaited, and not there yet": (at("secret/s=awaited"), MISSING, "secret/s=awaited", "", False),
    "awaited, and there as it was made": (at("secret/s=awaited"), MADE, "secret/s=awaited", "", False),
    "awaited, and written again": (at("secret/s=awaited"), ReferenceState("2", "2", True), "secret/s=2", "", True),
    "used no more": (at("secret/other=1", "configmap/other=1"), WAS, "", "secret/s=1", False),
}


@pytest.mark.parametrize("case", RECORDS)
def test_what_is_recorded_and_what_rolls(case: str) -> None:
    existing, seen, template, beside, rolls = RECORDS[case]
    found = decide_record([S], {} if seen is None else {S.label: seen}, existing)
    assert (record_text(found.template), record_text(found.beside)) == (template, beside)
    assert found.rolled == ((S,) if rolls else ())
    # the second run
    later = {} if seen is None else {S.label: ReferenceState(seen.now, seen.now, seen.rewritten)}
    again = decide_record([S], later, Record(found.template, found.beside))
    assert (again.template, again.beside, again.rolled) == (found.template, found.beside, ())


def test_once_pods_are_replaced_all_that_they_use_is_known() -> None:
    other = Reference("Secret", "late")
    existing = at("secret/late=awaited,secret/s=1", "configmap/m=1")
    found = decide_record(
        [S, M, other], {S.label: BY_OTHERS, M.label: WAS, other.label: ReferenceState("3", "3")}, existing
    )
    assert (record_text(found.template), found.beside) == ("configmap/m=1,secret/late=3,secret/s=2", {})
    assert found.rolled == (S,)


WRITES: dict[str, tuple[list[dict[str, Any]], Reference, bool]] = {
    "made": ([{"time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:data": {".": {}, "f:a": {}}}}], S, False),
    "written again": ([{"time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:data": {"f:a": {}}}}], S, True),
    "another key": (
        [{"time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:data": {"f:a": {}}}}],
        Reference("Secret", "s", frozenset({"b"})),
        False,
    ),
    "a label": ([{"time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}}}}}], S, False),
    "nobody noted it": ([], S, False),
}


@pytest.mark.parametrize("case", WRITES)
def test_whether_it_was_written_since_it_was_made(case: str) -> None:
    entries, reference, expected = WRITES[case]
    item = secret(a="1", b="2")
    item["metadata"] |= {"creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": entries}
    assert is_rewritten(reference, object_content(item)) == expected
    token = {**item, "type": "kubernetes.io/service-account-token"}
    assert not is_rewritten(reference, object_content(token)), "its controller fills it, and nobody rotates it"


def test_annotations_of_the_declaration_stay_and_a_copied_record_goes() -> None:
    record = Record({"secret/s": "1"})
    copied = {"labels": {"a": "b"}, "annotations": {"own": "x", DIGEST_ANNOTATION: "secret/s=0"}}
    assert record.in_template(copied) == {
        "labels": {"a": "b"},
        "annotations": {"own": "x", DIGEST_ANNOTATION: "secret/s=1"},
    }
    assert record.on_workload(copied)["annotations"] == {"own": "x"}
    assert record.on_workload({"name": "web", "annotations": None}) == {"name": "web", "annotations": None}


def test_fingerprints_can_be_told_apart_from_those_of_another_key() -> None:
    assert Content({"a": "x"}) != Content({"b": "x"})
    assert reference_digest(S, Content({"a": "x"})) != reference_digest(S, Content({"b": "x"}))
