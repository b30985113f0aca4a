# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods of a release that somebody restarts: a deed, and no difference from what the release says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.integration

Run = Callable[..., dict[str, Any]]


def test_a_restart_is_neither_shown_nor_undone(
    cluster: Any, namespace: str, release: dict[str, Any], direct: Run
) -> None:
    direct(release)
    cluster.kubectl("-n", namespace, "rollout", "restart", "deployment/hello")
    cluster.kubectl("-n", namespace, "rollout", "status", "deployment/hello", "--timeout=90s")
    template = cluster.get("deployment", "hello", "-n", namespace)["spec"]["template"]
    for check in (True, False):
        again = direct(release, check=check)
        assert (again["changed"], again["diff"]) == (False, [])
    # what somebody else puts into the annotations beside it is no restart
    patch = '{"spec":{"template":{"metadata":{"annotations":{"sidecar.istio.io/inject":"true"}}}}}'
    cluster.kubectl("-n", namespace, "patch", "deployment", "hello", "--type=merge", "-p", patch)
    assert direct(release)["changed"]
    assert cluster.get("deployment", "hello", "-n", namespace)["spec"]["template"] == template
