# SPDX-License-Identifier: GPL-3.0-or-later
"""Any single edit of anything that is declared is shown exactly, repaired, and then there is nothing more to do."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
import urllib3
from support.drift_rounds import Converge, Findings, run_rounds, subjects
from support.kube_http import Api
from support.random_objects import Object

Declared = list[tuple[str, Object]]

# the namespace, the release's record, what the server serves
OTHER_REQUESTS = 6
# others than these for whoever looks for more: MCPOPS_DRIFT_SEEDS="7 8 9"
OTHER_SEEDS = tuple(map(int, os.environ.get("MCPOPS_DRIFT_SEEDS", "").split()))
SLOW_ROUNDS = 6
# what a kind of edit or of object has to come to, so that refusals of the API do not leave it out
FEWEST_OF_A_KIND = 3
HARDLY_EDITABLE = {"Job", "PersistentVolumeClaim", "ServiceAccount", "Service-external", "ClusterRole-aggregated"}
EDITS = {
    "change a declared leaf",
    "remove a declared leaf",
    "remove a declared list item",
    "change a defaulted leaf",
    "add an undeclared leaf",
    "add an undeclared structure",
    "add within a mapping that is owned in one piece",
    "add to a list that is owned in one piece",
    "take from a list that is owned in one piece",
}
GATE_KINDS = {"ConfigMap", "Service", "Deployment", "NetworkPolicy", "Role", "ValidatingWebhookConfiguration", "Gadget"}


def test_some_edits_of_a_bundle(made_up: Any, as_objects: Any, api: Api, namespace: str) -> None:
    few = [(label, item) for label, item in made_up(0) if label in GATE_KINDS]
    findings = _rounds(few, as_objects, api, namespace, 0, 3)
    assert findings.made.total() >= len(few) * 2, str(findings)


def test_some_edits_of_a_release(made_up: Any, as_release: Any, api: Api, namespace: str) -> None:
    few = [(label, item) for label, item in made_up(3) if label in GATE_KINDS]
    findings = _rounds(few, as_release, api, namespace, 3, 2)
    assert findings.made.total() >= len(few), str(findings)


@pytest.mark.slow
@pytest.mark.parametrize("seed", OTHER_SEEDS or (1, 2))
def test_edits_of_a_bundle(made_up: Any, as_objects: Any, api: Api, namespace: str, seed: int) -> None:
    _enough(_rounds(made_up(seed), as_objects, api, namespace, seed, SLOW_ROUNDS))


@pytest.mark.slow
@pytest.mark.parametrize("seed", OTHER_SEEDS or (4,))
def test_edits_of_a_release(made_up: Any, as_release: Any, api: Api, namespace: str, seed: int) -> None:
    _enough(_rounds(made_up(seed), as_release, api, namespace, seed, SLOW_ROUNDS))


def _rounds(
    declared: Declared, keeper: Callable[..., Converge], api: Api, namespace: str, seed: int, rounds: int
) -> Findings:
    converge = keeper(declared)
    first = converge()
    assert not first.get("failed"), first["msg"]
    with counted() as asked:
        again = converge()
    assert not again.get("failed") and not again["changed"], again
    # each of another kind, so read by its name; the first run has settled what the server completes
    assert len(asked) <= len(declared) + OTHER_REQUESTS, asked
    findings = Findings()
    edited = subjects(api, declared, namespace, str(seed))
    run_rounds(converge, api, edited, rounds, findings)
    print(findings)
    assert findings.faults == [], "\n".join(findings.faults)
    return findings


@contextlib.contextmanager
def counted() -> Iterator[list[str]]:
    """What this process asks of the API server meanwhile."""
    asked: list[str] = []
    plain = urllib3.HTTPConnectionPool.urlopen

    def urlopen(pool: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        asked.append(f"{method} {url}")
        return plain(pool, method, url, *args, **options)

    with mock.patch.object(urllib3.HTTPConnectionPool, "urlopen", urlopen):
        yield asked


def _enough(findings: Findings) -> None:
    assert set(findings.made) >= EDITS, str(findings)
    few = {kind for kind, number in findings.kinds.items() if number < FEWEST_OF_A_KIND}
    assert few <= HARDLY_EDITABLE, str(findings)
    assert len(findings.kinds) >= 23, str(findings)
