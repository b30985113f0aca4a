# SPDX-License-Identifier: GPL-3.0-or-later
"""Through a real playbook: who may do all of it, and who lacks something and is told what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localcloud.azure.principals import Principals

TaskRunner = Callable[..., dict[str, Any]]
DECLARED: dict[str, Any] = {
    "permissions": [
        {
            "scope": "/resourceGroups/rg-preflight",
            "actions": ["Microsoft.Resources/subscriptions/resourceGroups/write"],
            "unless_present": "/resourceGroups/rg-preflight",
        }
    ],
    "providers": ["Microsoft.ContainerService"],
}


def test_who_lacks_something_is_told_and_with_the_role_named_there_it_passes(cloud: Any, run_task: TaskRunner) -> None:
    assert not run_task("azure_preflight", DECLARED)["changed"]
    one = Principals.at(cloud.settings.state / "azure").add("preflight", since=0)
    scope = f"/subscriptions/{cloud.subscription_id}"
    grant = {"scope": scope, "principal": one.object_id, "principal_type": "ServicePrincipal"}
    theirs = {**cloud.auth(), "client_id": one.client_id, "secret": one.secret}
    try:
        run_task("azure_role_assignment", {**grant, "role": "Reader"})
        for check in (True, False):
            failed = run_task("azure_preflight", DECLARED, auth=theirs, check=check, fails=True)
            assert "Microsoft.Resources/subscriptions/resourceGroups/write" in failed["msg"]
            assert failed["missing"][0]["scope"] == f"{scope}/resourceGroups/rg-preflight"
        role = failed["msg"].partition("the narrowest first: ")[2].partition(",")[0]
        run_task("azure_role_assignment", {**grant, "role": role})
        assert not run_task("azure_preflight", DECLARED, auth=theirs).get("missing")
        run_task("azure_role_assignment", {**grant, "role": role, "state": "absent"})
    finally:
        run_task("azure_role_assignment", {**grant, "role": "Reader", "state": "absent"})
