# SPDX-License-Identifier: GPL-3.0-or-later
"""mesh_registry against a played cluster: what it applies, keeps and removes when the declaration changes."""

from __future__ import annotations

import base64
import copy
import random
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.errors import NotReady, Reason, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply.options import BundleOutcome, ObjectOutcome
from ansible_collections.mcpops.platform.plugins.module_utils.kube.client import Kube
from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import ObjectRef, object_ref
from ansible_collections.mcpops.platform.plugins.module_utils.kube.readiness import wait
from ansible_collections.mcpops.platform.plugins.module_utils.mesh import mesh_registry as operation
from ansible_collections.mcpops.platform.plugins.module_utils.mesh import registry_observe
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change, Plan
from ansible_collections.mcpops.platform.plugins.modules import mesh_registry as module

NAME = "mcp-mesh-registry"
JOB = ("Job", f"{NAME}-restore")
SECRET = ("Secret", f"{NAME}-database")
OTHER_DUMP = "mesh-20261130T021700Z.dump"


class Cluster:
    """Keeps what is applied, as far as this operation looks at it."""

    def __init__(self) -> None:
        self.objects: dict[ObjectRef, dict[str, Any]] = {}
        self.made: list[tuple[str, str]] = []
        self.waited: list[tuple[str, str]] = []
        self.failing: list[Reason] = []

    def read(self, _kube: Any, targets: Any, beside: Any = ()) -> Any:
        wanted = [one.ref for one in (*targets, *beside) if one.ref in self.objects]
        return SimpleNamespace(complete={ref: self.objects[ref] for ref in wanted})

    def apply(self, _kube: Any, task: Any, items: Any, _options: Any, settle: Any = None) -> BundleOutcome:
        outcomes = []
        for item in items:
            ref = object_ref(item)
            before = self.objects.get(ref)
            changed = before is None or {**before, "status": None} != {**item, "status": None}
            if changed and not task.check_mode:
                self.objects[ref] = copy.deepcopy(item)
            if changed:
                self.made.append((ref.kind, ref.name))
            outcomes.append(ObjectOutcome(ref, Plan(str(ref), (Change("", 0, 1),) if changed else ()), item))
        outcome = BundleOutcome(tuple(outcomes))
        if settle is not None:
            settle(outcome)
        return outcome

    def delete(self, _kube: Any, task: Any, _subject: str, targets: Any, live: Any) -> list[ObjectOutcome]:
        going = [one for one in targets if one.ref in live]
        for one in () if task.check_mode else going:
            del self.objects[one.ref]
        return [ObjectOutcome(one.ref, Plan(str(one.ref), (Change("", 1, 0),))) for one in going]

    def wait(self, _kube: Any, _task: Any, items: Any, _timeout: float) -> Any:
        self.waited += [(item["kind"], item["metadata"]["name"]) for item in items]
        if self.failing:
            raise NotReady("objects", self.failing)
        return items

    def of(self, kind: str, name: str) -> dict[str, Any] | None:
        return next((item for ref, item in self.objects.items() if (ref.kind, ref.name) == (kind, name)), None)

    def end(self, condition: str, message: str = "") -> None:
        """The Job ends that way."""
        job = self.of(*JOB)
        assert job is not None
        job["status"] = {"conditions": [{"type": condition, "status": "True", "message": message}]}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    played = Cluster()
    monkeypatch.setattr(Kube, "connect", lambda _task: played)
    monkeypatch.setattr(operation, "read_live", played.read)
    monkeypatch.setattr(operation, "apply_bundle", played.apply)
    monkeypatch.setattr(operation, "delete_owned", played.delete)
    monkeypatch.setattr(wait, "wait_ready", played.wait)
    monkeypatch.setattr(registry_observe, "ask_registry", lambda _kube, _registry: registry_observe.Answer())
    return played


def run(cluster: Cluster, check: bool = False, **given: Any) -> dict[str, Any]:
    validated = ArgumentSpecValidator(module.ARGUMENT_SPEC).validate({"namespace": "mesh", "kubeconfig": "/k", **given})
    assert validated.error_messages == []
    cluster.made.clear()
    cluster.waited.clear()
    task = FakeTask(validated.validated_parameters)
    task.check_mode = check
    return operation.converge(task).to_dict(diff_mode=True)  # type: ignore[arg-type]


RESTORED: dict[str, Any] = {"backup": {}, "restore": {}}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"tolerations": [{"operator": "Exists"}]},
        {"node_selector": {"disk": "ssd"}},
        {"image_pull_policy": "Always"},
        {"image_pull_secrets": ["login"]},
        {"database": {"image": "postgres:15.9"}},
        {"database": {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}}},
        {"backup": {"keep": 30}},
    ],
)
def test_a_dump_is_not_restored_again_for_another_option(cluster: Cluster, given: dict[str, Any]) -> None:
    run(cluster, **RESTORED)
    assert JOB in cluster.made and JOB in cluster.waited
    cluster.end("Complete")
    for check in (True, False):
        result = run(cluster, check, **{**RESTORED, **given})
        assert JOB not in cluster.made
        assert result["changed"] is bool(given)
    assert JOB not in cluster.waited
    assert cluster.of(*JOB) is not None


@pytest.mark.parametrize("restore", [{"file": OTHER_DUMP}, {"claim": "share"}])
def test_another_dump_is_another_job(cluster: Cluster, restore: dict[str, Any]) -> None:
    run(cluster, **RESTORED)
    cluster.end("Complete")
    run(cluster, **{**RESTORED, "restore": restore})
    assert JOB in cluster.made


def test_a_restoration_that_runs_is_waited_for(cluster: Cluster) -> None:
    run(cluster, **RESTORED)
    assert run(cluster, **RESTORED)["changed"] is False
    assert JOB in cluster.waited


def test_a_teardown_that_keeps_data_keeps_what_says_that_it_was_restored(cluster: Cluster) -> None:
    run(cluster, **RESTORED)
    cluster.end("Complete")
    run(cluster, state="absent")
    run(cluster, **RESTORED)
    assert JOB not in cluster.made
    run(cluster, state="absent", delete_data=True)
    assert cluster.objects == {}
    run(cluster, **RESTORED)
    assert JOB in cluster.made


AZURE_URL = base64.b64encode(b"postgres://mesh:p@pg.test:5432/registry?sslmode=require").decode()
ON_AZURE = {"database": {"type": "existing", "existing_secret": {"name": f"{NAME}-azure", "key": "database-url"}}}


def of_azure(cluster: Cluster, name: str, owner: str | None) -> ObjectRef:
    """The Secret as the role mcp_mesh makes it, or as somebody else has made one of its name."""
    labels = {"mcpops.io/mesh-registry": owner} if owner else {}
    metadata = {"name": name, "namespace": "mesh", "labels": labels}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"database-url": AZURE_URL}}
    ref = object_ref(secret)
    cluster.objects[ref] = secret
    return ref


@pytest.mark.parametrize("after", [{}, {"database": {"type": "sqlite"}}, {"state": "absent"}])
def test_the_address_of_a_database_of_azure_goes_with_its_declaration(cluster: Cluster, after: dict[str, Any]) -> None:
    ours = of_azure(cluster, f"{NAME}-azure", NAME)
    run(cluster, **ON_AZURE)
    assert ours in cluster.objects
    run(cluster, True, **after)
    assert ours in cluster.objects
    assert run(cluster, **after)["changed"]
    assert ours not in cluster.objects
    for name, owner in ((f"{NAME}-azure", None), (f"{NAME}-azure", "another"), ("another-azure", "another")):
        theirs = of_azure(cluster, name, owner)
        run(cluster, **after)
        assert theirs in cluster.objects


def test_without_the_option_the_job_goes(cluster: Cluster) -> None:
    run(cluster, **RESTORED)
    cluster.end("Complete")
    run(cluster, backup={})
    assert cluster.of(*JOB) is None


@pytest.mark.parametrize("condition", ["Failed", "FailureTarget"])
def test_a_restoration_that_failed_is_tried_again(cluster: Cluster, condition: str) -> None:
    run(cluster, **RESTORED)
    cluster.end(condition, "Job has reached the specified backoff limit")
    for check in (True, False):
        result = run(cluster, check, **RESTORED)
        assert result["changed"] is True
        assert "has failed (Job has reached the specified backoff limit)" in str(result["notes"])
        assert JOB in cluster.made
    cluster.end("Complete")
    assert run(cluster, **RESTORED)["changed"] is False
    assert JOB not in cluster.made


def test_what_a_failed_restoration_says(cluster: Cluster) -> None:
    about = f"Job mesh/{NAME}-restore"
    cluster.failing = [
        Reason(about, "JobFailed", "has failed: BackoffLimitExceeded", "A Job that failed is not tried again.", True),
        Reason(f"Pod mesh/{NAME}-restore-x7", "Crashed", "there is no dump", "See its log.", True),
        Reason("Pod mesh/other-x7", "Crashed", "ended", "See its log.", True),
    ]
    with pytest.raises(NotReady) as caught:
        run(cluster, **RESTORED)
    job, pod, other = (one.hint for one in caught.value.reasons)
    assert "not tried again" not in job
    assert "restore.file" in job and "The next run makes the Job anew" in job
    assert pod == f"See its log. {job}"
    assert other == "See its log."


@pytest.mark.parametrize(("terminal", "made"), [(True, True), (False, False)])
def test_a_restoration_that_failed_does_not_keep_the_registry_from_agents(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, terminal: bool, made: bool
) -> None:
    """One that still runs does: a registry that starts meanwhile would be in its way."""
    reason = Reason(f"Job mesh/{NAME}-restore", "JobFailed", "has failed: BackoffLimitExceeded", "", terminal)

    def waits(_kube: Any, _task: Any, items: Any, _timeout: float) -> Any:
        if any(item["kind"] == "Job" for item in items):
            raise NotReady("objects", [reason], values={"changed": True, "objects": [{"kind": "Job"}]})
        return items

    monkeypatch.setattr(wait, "wait_ready", waits)
    with pytest.raises(NotReady) as caught:
        run(cluster, **RESTORED, wait_timeout=0 if not terminal else 60)
    assert "BackoffLimitExceeded" in caught.value.message()
    assert (("Deployment", NAME) in cluster.made) is made
    assert caught.value.values["changed"] is True
    if made:
        kinds = {row.get("kind") for row in caught.value.values["objects"]}
        assert {"Job", "Deployment"} <= kinds
        monkeypatch.setattr(wait, "wait_ready", cluster.wait)
        cluster.end("Failed", "BackoffLimitExceeded")
        run(cluster, **RESTORED)
        assert cluster.made == [JOB]


BUNDLED: dict[str, Any] = {"type": "bundled"}
SQLITE: dict[str, Any] = {"type": "sqlite"}
EXISTING: dict[str, Any] = {"type": "existing", "existing_secret": {"name": "mine", "key": "url"}}


def give_address(cluster: Cluster, url: str = "postgres://mesh:s3cret@db.example.com:5432/mesh") -> None:
    data = {"url": base64.b64encode(url.encode()).decode()}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "mine", "namespace": "mesh", "labels": {}},
        "data": data,
    }
    cluster.objects[object_ref(secret)] = secret


def password(cluster: Cluster) -> str:
    secret = cluster.of(*SECRET)
    assert secret is not None
    return str(secret["data"]["password"])


@pytest.mark.parametrize("seed", range(12))
def test_a_database_finds_its_password_again_whatever_was_between(cluster: Cluster, seed: int) -> None:
    """The volume of the bundled one stays all the while."""
    give_address(cluster)
    run(cluster, database=BUNDLED)
    first = password(cluster)
    chosen = random.Random(seed)
    for _step in range(4):
        way = chosen.choice([BUNDLED, SQLITE, EXISTING, None])
        run(cluster, **({"state": "absent"} if way is None else {"database": way}))
        assert password(cluster) == first, way
    run(cluster, database=BUNDLED)
    assert password(cluster) == first
    assert run(cluster, database=BUNDLED)["changed"] is False
    run(cluster, state="absent", delete_data=True)
    assert cluster.of(*SECRET) is None


def test_a_file_needs_no_password(cluster: Cluster) -> None:
    run(cluster, database=SQLITE)
    secret = cluster.of(*SECRET)
    assert secret is not None
    assert set(secret["data"]) == {"database-url"}


@pytest.mark.parametrize(("status", "left_alone"), [(403, True), (500, False)])
def test_a_class_that_may_not_be_read_is_left_to_the_api_server(status: int, left_alone: bool) -> None:
    """Of an identity of one namespace it asks for no right in the whole cluster."""

    def get(_path: str, action: str) -> Any:
        raise ServiceError(action, "no", status=status)

    played: Any = SimpleNamespace(get=get)
    if left_alone:
        assert operation._storage_classes(played, ["fast"]) == []
    else:
        with pytest.raises(ServiceError):
            operation._storage_classes(played, ["fast"])
