# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.run_cache import RunCache


@pytest.fixture(params=["directory", "memory"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> RunCache:
    return RunCache(tmp_path if request.param == "directory" else None)


def test_a_value_is_made_once(cache: RunCache, request: pytest.FixtureRequest) -> None:
    key = ("token", request.node.name)
    assert cache.get_or_make(key, lambda: ({"a": 1}, 60)) == {"a": 1}
    assert cache.get_or_make(key, lambda: pytest.fail("made twice")) == {"a": 1}


def test_an_expired_or_forgotten_value_is_made_again(cache: RunCache, request: pytest.FixtureRequest) -> None:
    key = ("token", request.node.name)
    assert cache.get_or_make(key, lambda: ("old", -1)) == "old"
    assert cache.get_or_make(key, lambda: ("new", 60)) == "new"
    cache.forget(key)
    assert cache.get_or_make(key, lambda: ("newer", 60)) == "newer"


def test_a_failure_is_not_remembered(cache: RunCache, request: pytest.FixtureRequest) -> None:
    key = ("token", request.node.name)
    with pytest.raises(ZeroDivisionError):
        cache.get_or_make(key, lambda: (1 // 0, 60))
    assert cache.get_or_make(key, lambda: ("made", 60)) == "made"


def test_files_are_private_and_say_nothing_by_their_names(tmp_path: Path) -> None:
    RunCache(tmp_path).get_or_make(("token", "identity-canary"), lambda: ("value", 60))
    directory = tmp_path / "mcpops"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    files = list(directory.iterdir())
    assert files and all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert not any("canary" in file.name for file in files)


# Processes started afresh: a fork of a test worker inherits locks that its other threads hold, and can hang on them.
MAKER = """
import pathlib, sys
from ansible_collections.mcpops.platform.plugins.module_utils.run_cache import RunCache

def value():
    with pathlib.Path(sys.argv[2]).open("a") as file:
        file.write("x")
    return "value", 60

RunCache(pathlib.Path(sys.argv[1])).get_or_make(("k",), value)
"""


def test_of_many_processes_one_makes_the_value(tmp_path: Path) -> None:
    made = tmp_path / "made"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", MAKER, tmp_path, made]
    workers = [subprocess.Popen(argv, env=environment) for worker in range(8)]
    assert [worker.wait() for worker in workers] == [0] * 8
    assert made.read_text() == "x"


def test_a_value_is_changed_by_one_at_a_time(tmp_path: Path) -> None:
    cache = RunCache(tmp_path)
    assert cache.known(("rows",)) is None
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda n: cache.change(("rows",), lambda known: [*(known or []), n], 60), range(40)))
    assert sorted(RunCache(tmp_path).known(("rows",))) == list(range(40))
    cache.change(("rows",), lambda known: known, -1)
    assert cache.known(("rows",)) is None
