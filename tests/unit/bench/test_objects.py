# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
from pathlib import Path
from unittest.mock import Mock

import pytest
from bench import objects
from bench.objects import against, beside, counted


def test_one_slow_moment_of_either_side_decides_nothing() -> None:
    # each of ours against the floor of its own moment: two disturbed pairs of five change no verdict
    row = against("changed", [1.1, 1.1, 4.4, 1.1, 1.1], [1.0, 1.0, 1.0, 0.5, 1.0], 1.3)
    assert (row.met, row.found) == (True, "1.10 x (1100 ms against 1000 ms; 1.10 to 4.40 x)")
    # a machine that was slow for both in the same pair is no difference
    assert against("changed", [1.0, 1.0, 9.0, 9.0, 9.0], [1.0, 1.0, 9.0, 9.0, 9.0], 1.3).met


def test_a_budget_that_is_missed_each_time_is_missed() -> None:
    assert against("changed", [1.4] * 5, [1.0] * 5, 1.3).met is False
    assert against("changed", [1.4] * 5, [1.0] * 5, None).met is None


@pytest.mark.parametrize("place", [objects.CONFIG_MAPS, "/apis/example.com/v1/namespaces/n/things"])
def test_the_floor_applies_to_the_collection_it_is_given(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects.ssl, "create_default_context", Mock())
    pool = Mock(**{"request.return_value.status": 200})
    monkeypatch.setattr(objects.urllib3, "PoolManager", lambda **_settings: pool)
    anything = base64.b64encode(b"x").decode()
    user = {"client-certificate-data": anything, "client-key-data": anything}
    cluster = {"server": "https://192.0.2.1", "certificate-authority-data": anything}
    kubeconfig = {"clusters": [{"cluster": cluster}], "users": [{"user": user}]}
    objects.Floor(kubeconfig, tmp_path, place).apply([{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}])
    asked = sorted(call.args[1].partition("?")[0] for call in pool.request.call_args_list)
    assert asked == [f"https://192.0.2.1{place}/{name}" for name in "ab"]


def test_one_run_that_asks_too_much_is_too_much() -> None:
    runs = [{"requests": 3.0}, {"requests": 4.0}, {"requests": 3.0}]
    assert (counted("any", runs, 3).met, counted("any", runs, 4).met) == (False, True)
    assert [beside(count) for count in (1, 1000, 1001, 5000)] == [3, 3, 4, 7]
