# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin for pytest: what the program said while each test ran, for the page that shows such messages.

Started with `-p support.said`, it writes one JSON line a test to the file named by MCPOPS_SAID_FILE.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils import errors
from ansible_collections.mcpops.platform.plugins.module_utils.kube.diagnosis.snapshot import Finding as Diagnosed
from ansible_collections.mcpops.platform.plugins.module_utils.site.inventory import Finding
from localcloud import clusters, settings
from support.local_azure import FakeTask

FAILURES = (errors.InvalidInput, errors.Refused, errors.ServiceError, errors.NotReady)
OF_THE_LOCAL_CLOUD = (settings.SettingsError, clusters.ClusterError)
_heard: list[Any] = []


def _listen(owner: type, method: str, remembered: Callable[..., Any]) -> None:
    """Remember what `remembered` makes of every call of the method: the object itself, or an argument."""
    original = getattr(owner, method)

    @functools.wraps(original)
    def heard(self: Any, *args: Any, **options: Any) -> Any:
        _heard.append(remembered(self, *args))
        return original(self, *args, **options)

    setattr(owner, method, heard)


for one in (*FAILURES, errors.Problem, errors.Reason, Finding, Diagnosed, *OF_THE_LOCAL_CLOUD):
    _listen(one, "__init__", lambda self, *_args: self)
_listen(FakeTask, "warn", lambda _self, message: str(message))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    _heard.clear()
    try:
        yield
    finally:
        test = item.nodeid
        rows = [row for heard in list(_heard) if (row := _row(heard)) is not None]
        with open(os.environ["MCPOPS_SAID_FILE"], "a", encoding="utf-8") as file:
            file.write(json.dumps({"test": test, "said": rows}) + "\n")


def _row(heard: Any) -> dict[str, str] | None:
    """Whole messages, and parts of them: a problem's path and sentence is told after the name of its subject."""
    try:
        if isinstance(heard, (str, *FAILURES, *OF_THE_LOCAL_CLOUD)):
            return {"whole": str(heard)}
        if isinstance(heard, Finding):
            return {"part": f"{heard.path}: {heard.message}"}
        if isinstance(heard, Diagnosed):
            return {"whole": heard.summary}
        return {"part": str(heard)}
    except AttributeError:
        # it could not even be made
        return None
