# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles need in Azure is read off their tasks once for the same variables, and again for others."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.plugin_utils import declared_rights
from ansible_collections.mcpops.platform.plugins.plugin_utils.declared_rights import fingerprint

OWN = {
    "inventory_hostname": "c1",
    "group_names": ["clusters"],
    "ansible_run_tags": ["all"],
    "ansible_skip_tags": [],
    "mcpops_resource_group": "rg-{{ mcpops_environment }}",
    "mcpops_environment": "dev",
    "aks_cluster_node_pools": [{"name": "system", "count": 2, "tags": {"a": None}}],
    "ansible_facts": {"os": "Linux"},
}
DEFAULTS = {"site_preflight_candidates": ["Standard_D2s_v5"], "site_preflight_location": "{{ mcpops_location }}"}
OF_TASK = {
    **DEFAULTS,
    "ansible_host": "c1",
    "ansible_play_name": "Check sizes",
    "ansible_timeout": 10,
    "hostvars": object(),
    "_task": object(),
    "role_path": "/roles/site_preflight",
    "preflight_variables": {"hosts": ["c1"]},
    "site_preflight_kept": {"changed": False},
}


def _changed(value: Any, seed: random.Random) -> Any:
    """The same value with another leaf somewhere in it."""
    if isinstance(value, dict) and value:
        key = seed.choice(list(value))
        return {**value, key: _changed(value[key], seed)}
    if isinstance(value, list) and value:
        index = seed.randrange(len(value))
        return [*value[:index], _changed(value[index], seed), *value[index + 1 :]]
    return f"{value} and more"


def test_what_a_task_adds_says_nothing_of_the_host() -> None:
    assert fingerprint({**OWN, **OF_TASK}, DEFAULTS) == fingerprint(OWN, DEFAULTS) is not None


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("seed", range(5))
def test_whatever_else_is_different_is_noticed(name: str, seed: int) -> None:
    changed = {**OWN, name: _changed(OWN[name], random.Random(seed))}
    assert fingerprint(changed, DEFAULTS) != fingerprint(OWN, DEFAULTS)


@pytest.mark.parametrize(
    "more", [{"made_by_a_task": 1}, {"site_preflight_location": "eastus2"}, {"azure_platform_images_result": {}}]
)
def test_what_is_set_later_is_noticed(more: dict[str, Any]) -> None:
    assert fingerprint({**OWN, **OF_TASK, **more}, DEFAULTS) != fingerprint(OWN, DEFAULTS)


@pytest.mark.parametrize("value", [object(), {1: "a", "b": "c"}, {"a": {1, 2}}])
def test_what_cannot_be_written_down_is_taken_for_no_other(value: Any) -> None:
    assert fingerprint({**OWN, "own": value}, DEFAULTS) is None


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The hosts of which tasks were read, in that order; each such time says another thing."""
    found: list[str] = []

    def rows(variables: Mapping[str, Any], *_others: object) -> Iterator[dict[str, Any]]:
        found.append(variables["inventory_hostname"])
        yield {"actions": [str(len(found))]}

    monkeypatch.setattr(declared_rights.constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    monkeypatch.setattr(declared_rights, "_rows", rows)
    monkeypatch.setattr(declared_rights, "_defaults", lambda *_role: DEFAULTS)
    return found


def _asked(variables: Mapping[str, Any]) -> str:
    (row,) = declared_rights.rows_of(variables, None, None)
    return str(row["actions"][0])


def test_validation_and_both_tasks_share_one_reading(made: list[str]) -> None:
    rendered = {**OWN, **DEFAULTS, "mcpops_resource_group": "rg-dev", "kmcp_namespace": "kmcp-system"}
    with declared_rights.judging(OWN):
        first = _asked(rendered)
    assert [_asked({**OWN, **OF_TASK}) for _task in range(4)] == [first] * 4
    assert made == ["c1"]


def test_a_host_that_is_not_the_same_is_read_again(made: list[str]) -> None:
    assert [_asked(OWN), _asked({**OWN, "mcpops_environment": "prod"}), _asked(OWN)] == ["1", "2", "1"]
    assert made == ["c1", "c1"]


def test_another_host_is_not_taken_for_the_one_that_is_judged(made: list[str]) -> None:
    other = {**OWN, "inventory_hostname": "c2"}
    with declared_rights.judging(OWN):
        assert [_asked(other), _asked(OWN)] == ["1", "2"]
    assert made == ["c2", "c1"]


def test_variables_that_cannot_be_written_down_are_read_each_time(made: list[str]) -> None:
    assert [_asked({**OWN, "own": object()}) for _task in range(2)] == ["1", "2"]
