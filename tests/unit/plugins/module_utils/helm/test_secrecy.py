# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that were written as secret ones stay so, whatever a later task says of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm import secret_values
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart
from ansible_collections.mcpops.platform.plugins.module_utils.helm.plan import plan_release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.release_record import VALUES_LABEL, History, Release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import ReleaseSpec
from ansible_collections.mcpops.platform.plugins.module_utils.http_terms import Response
from ansible_collections.mcpops.platform.plugins.module_utils.intent import guard

OPEN = ReleaseSpec("web", "shop", Chart("oci://registry/web", "web", "1"), values={})
RELEASE = Release("web", "shop", 3, "deployed", "", "web", "1", "1", {}, "", None, "sh.helm.release.v1.web.v3")
SECRET = {VALUES_LABEL: "secret"}
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Seen:
    """A task that remembers what is to be kept back, and a cluster that remembers what it was sent."""

    def __init__(self, check_mode: bool = False, refusal: int | None = None) -> None:
        self.check_mode = check_mode
        self.refusal = refusal
        self.secrets: set[str] = set()
        self.warnings: list[str] = []
        self.sent: list[tuple[str, str, Any]] = []

    def secret(self, value: str) -> None:
        self.secrets.add(value)

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def request(self, method: str, path: str, *, body: Any, action: str, **_options: Any) -> Response:
        guard(self.check_mode, "kubernetes", method, path)
        if path == REVIEWS:
            allowed = self.refusal is None
            return Response(201, {}, json.dumps({"status": {"allowed": allowed}}).encode())
        self.sent.append((method, path, body))
        if self.refusal is not None:
            raise ServiceError(action, "secrets is forbidden", status=self.refusal or None)
        return Response(200, {}, b"{}")


@pytest.mark.parametrize(
    ("existing", "declared", "hidden", "shown"),
    [
        ({"lock": {"combination": [471199, 3]}}, {"lock": {"combination": [550011, 4]}}, ("471199", "3", "4"), ()),
        ({"motd": "kept-77"}, {}, ("kept-77",), ()),
        ({"rows": [{"a": 1.25}, {"a": True}]}, {"rows": "a-text"}, ("1.25", "true", "a-text"), ()),
        ({"motd": "kept-77"}, {"motd": {"text": "new-88"}}, ("kept-77", "new-88"), ()),
        ({"motd": "kept-77"}, {"motd": "kept-77", "color": "green", "size": 5}, (), ("green", "5")),
        (
            {"a.b": {"c": "kept-77"}},
            {"a.b": {"c": "new-88"}, "a": {"b": "open-99"}},
            ("kept-77", "new-88"),
            ("open-99",),
        ),
    ],
)
def test_values_that_were_written_as_secret_ones_are_not_shown(
    existing: dict[str, Any], declared: dict[str, Any], hidden: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    release = replace(RELEASE, values=existing, labels=SECRET)
    spec = replace(OPEN, values=declared)
    task = Seen()
    known = secret_values.protect_values(task, spec, History(release, release))  # type: ignore[arg-type]
    diff = plan_release(spec, release, known=known).diff()
    lines = (diff["before"] + diff["after"]).splitlines()
    reported = [line.partition(": ")[2] for line in lines]
    assert reported
    assert not [text for text in hidden if any(text in one for one in reported)], diff
    assert [text for text in shown if any(text in one for one in reported)] == list(shown)
    assert {text for text in hidden if len(text) > 5} <= task.secrets


def test_of_the_last_deployed_revision_as_well_where_a_later_one_failed() -> None:
    deployed = replace(RELEASE, values={"words": ["kept-77-x"]}, labels=SECRET)
    failed = replace(RELEASE, revision=4, status="failed", values={"words": ["open-88-x"]})
    task = Seen()
    secret_values.protect_values(task, OPEN, History(failed, deployed))  # type: ignore[arg-type]
    assert "kept-77-x" in task.secrets
    assert "open-88-x" not in task.secrets


def test_a_removal_keeps_them_back_too() -> None:
    release = replace(RELEASE, values={"words": {"one": 987654}}, labels=SECRET)
    task = Seen()
    secret_values.protect_current(task, History(release, release))  # type: ignore[arg-type]
    assert "987654" in task.secrets


@pytest.mark.parametrize(
    ("declared", "existing", "label"),
    [
        pytest.param({"values_secret": True}, {}, "secret", id="declared"),
        pytest.param({"values_secret": True}, SECRET, "secret", id="again"),
        pytest.param({}, {}, None, id="never"),
        pytest.param({}, SECRET, "shown", id="other values, given openly"),
        pytest.param({"values": None}, SECRET, "secret", id="the same values, with another chart"),
        pytest.param({"purge_values": False}, SECRET, "secret", id="merged into those that stand"),
        pytest.param({"values": None}, {VALUES_LABEL: "shown"}, "shown", id="open ones that stay"),
        pytest.param({"values_secret": True}, {VALUES_LABEL: "shown"}, "secret", id="once more"),
    ],
)
def test_what_the_next_record_says(declared: dict[str, Any], existing: dict[str, str], label: str | None) -> None:
    spec = replace(OPEN, **declared)
    assert secret_values.value_labels(spec, replace(RELEASE, labels=existing)).get(VALUES_LABEL) == label
    assert secret_values.becomes_secret(spec, replace(RELEASE, labels=existing)) == (label == "secret")


def test_a_first_record() -> None:
    assert secret_values.value_labels(OPEN, None) == {}
    assert secret_values.value_labels(replace(OPEN, values_secret=True), None) == SECRET


@pytest.mark.parametrize("check", [False, True])
def test_values_that_stand_are_marked_in_their_present_revision(check: bool) -> None:
    seen = Seen(check)
    release = replace(RELEASE, values={"a": "b"})
    spec = replace(OPEN, values={"a": "b"}, values_secret=True)
    plan = secret_values.mark_kept_secret(seen, seen, spec, plan_release(spec, release), release)  # type: ignore[arg-type]
    assert [change.path for change in plan.changes] == ["values_secret"]
    path = "/api/v1/namespaces/shop/secrets/sh.helm.release.v1.web.v3"
    assert seen.sent == ([] if check else [("PATCH", path, {"metadata": {"labels": SECRET}})])
    assert seen.warnings == []


# by who may patch no Secrets, and by a webhook
@pytest.mark.parametrize(("check", "status"), [(True, 403), (False, 403), (False, 422), (False, 500)])
def test_a_record_that_may_not_be_marked_is_a_warning(check: bool, status: int) -> None:
    seen = Seen(check, status)
    release = replace(RELEASE, values={"a": "b"})
    spec = replace(OPEN, values={"a": "b"}, values_secret=True)
    plan = secret_values.mark_kept_secret(seen, seen, spec, plan_release(spec, release), release)  # type: ignore[arg-type]
    assert not plan.changed
    assert len(seen.sent) == (0 if check else 1)
    (warning,) = seen.warnings
    assert warning.startswith("release shop/web: its record cannot be marked as one with secret values (")
    assert "Allow patch of Secrets in namespace shop, or keep values_secret: true" in warning


def test_after_helm_has_done_its_work_too() -> None:
    seen = Seen(refusal=403)
    assert secret_values.with_mark(seen, seen, RELEASE) == RELEASE  # type: ignore[arg-type]
    assert secret_values.carry_mark(seen, seen, replace(RELEASE, labels=SECRET), RELEASE) == RELEASE  # type: ignore[arg-type]
    assert len(seen.warnings) == 2


def test_an_api_server_that_does_not_answer_is_a_failure() -> None:
    seen = Seen(refusal=0)
    with pytest.raises(ServiceError, match="Marking the values of release shop/web as secret"):
        secret_values.with_mark(seen, seen, RELEASE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("declared", "values", "labels"),
    [
        pytest.param(True, {"a": "b"}, SECRET, id="marked already"),
        pytest.param(True, {}, {}, id="no values"),
        pytest.param(False, {"a": "b"}, SECRET, id="not declared any more: with the next values"),
        pytest.param(False, {"a": "b"}, {}, id="never declared"),
    ],
)
def test_else_no_record_is_touched(declared: bool, values: dict[str, Any], labels: dict[str, str]) -> None:
    seen = Seen()
    release = replace(RELEASE, values=values, labels=labels)
    spec = replace(OPEN, values=values, values_secret=declared)
    assert not secret_values.mark_kept_secret(seen, seen, spec, plan_release(spec, release), release).changes  # type: ignore[arg-type]
    assert seen.sent == []


def test_what_helm_made_of_a_marked_revision_is_marked_by_hand_where_helm_did_not() -> None:
    seen = Seen()
    rolled_back = replace(RELEASE, revision=5, secret_name="v5")
    now = secret_values.carry_mark(seen, seen, replace(RELEASE, labels=SECRET), rolled_back)  # type: ignore[arg-type]
    assert now is not None and now.values_secret and len(seen.sent) == 1
    assert secret_values.carry_mark(seen, seen, replace(RELEASE, labels=SECRET), now) == now  # type: ignore[arg-type]
    assert secret_values.carry_mark(seen, seen, RELEASE, rolled_back) == rolled_back  # type: ignore[arg-type]
    assert len(seen.sent) == 1
