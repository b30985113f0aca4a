# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of azure_provider.

A resource provider must be registered with the subscription before its resources can be created.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..errors import Check, NotReady, Problem, Reason, Rule, check, refuse
from ..plan import Change, Plan
from ..task import Result, Task
from ..waiting import wait_timeout_problems
from . import errors, names
from .client import BACKOFF, Arm

_VERSION = names.api_version_of("Microsoft.Resources/providers")
_SUBJECT = "resource providers"


def converge(task: Task) -> Result:
    refuse(_SUBJECT, problems(task.params))
    namespaces = list(dict.fromkeys(task.params["namespaces"]))
    arm = Arm.connect(task, task.params["wait_timeout"])
    states = {name: state_of(arm, name) for name in namespaces}
    missing = [name for name in namespaces if states[name] != "Registered"]
    plan = Plan(_SUBJECT, tuple(Change(name, states[name], "Registered") for name in missing))
    if missing and not task.check_mode:
        for name in missing:
            if states[name] != "Registering":
                _register(arm, name)
        if task.params["wait"]:
            _wait(arm, missing)
        states.update(dict.fromkeys(missing, "Registered" if task.params["wait"] else "Registering"))
    return Result.of(plan, {"providers": states})


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of azure_provider."""
    return check(_RULES, params)


def namespace_problems(option: str, namespaces: Iterable[str]) -> Iterator[Problem]:
    """What cannot be the namespace of a resource provider."""
    for name in dict.fromkeys(namespaces):
        if not re.fullmatch(r"[A-Za-z0-9]+(\.[A-Za-z0-9]+)+", name):
            message = f"{name!r} is not a valid provider namespace, for example Microsoft.ContainerService"
            yield Problem(option, message)


_RULES: tuple[Rule[Mapping[str, Any]], ...] = (
    lambda params: namespace_problems("namespaces", params["namespaces"]),
    lambda params: wait_timeout_problems(params["wait_timeout"]),
    Check("namespaces", lambda params: not params["namespaces"], "name at least one"),
)


def _path(arm: Arm, namespace: str) -> str:
    return f"/subscriptions/{arm.subscription_id}/providers/{namespace}"


def state_of(arm: Arm, namespace: str) -> str:
    """The registration state of the namespace, as Azure words it."""
    action = f"Reading the registration of {namespace}"
    response = arm.call("GET", arm.url(_path(arm, namespace), _VERSION), action)
    if response.status != 200:
        failure = arm.failure(action, response)
        if response.status == 404 and not errors.is_absent(response) and failure.code.startswith("InvalidResource"):
            failure.hint = "Check the spelling of the namespace."
        raise failure
    return str((response.json_or_none() or {}).get("registrationState") or "NotRegistered")


def _register(arm: Arm, namespace: str) -> None:
    action = f"Registering {namespace}"
    response = arm.call("POST", arm.url(f"{_path(arm, namespace)}/register", _VERSION), action)
    if response.status >= 400:
        raise arm.failure(action, response)


def _wait(arm: Arm, namespaces: list[str]) -> None:
    pending = list(namespaces)
    attempt = 0
    while True:
        pending = [name for name in pending if state_of(arm, name) != "Registered"]
        if not pending:
            return
        arm.progress(f"registering {', '.join(pending)} ({arm.deadline.elapsed:.0f} s)")
        if not arm.deadline.pause(BACKOFF.after(attempt)):
            hint = "Registration can take minutes: run again to go on waiting, or raise wait_timeout"
            reasons = [Reason(name, "Registering", "is not registered yet", hint) for name in pending]
            raise NotReady("Registration of resource providers", reasons, waited=arm.deadline.elapsed)
        attempt += 1
