# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.Features: whether a subscription is registered for a preview feature. Every name is a feature here.

https://learn.microsoft.com/rest/api/resources/features (2021-07-01) has paths and answers.
"""

from __future__ import annotations

import time

from .wire import Call, Reply


def get(call: Call) -> Reply:
    return Reply(200, _answer(call, "Registered" if _is_registered(call) else "NotRegistered"))


def register(call: Call) -> Reply:
    call.cloud.store.change(
        "INSERT INTO registrations VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET since = excluded.since",
        call["sub"].lower(),
        _feature(call),
        time.time(),
    )
    return Reply(200, _answer(call, "Registered"))


def _is_registered(call: Call) -> bool:
    asked = "SELECT since FROM registrations WHERE subscription = ? AND namespace = ?"
    return bool(call.cloud.store.rows(asked, call["sub"].lower(), _feature(call)))


def _feature(call: Call) -> str:
    return f"{call['namespace']}/{call['feature']}".lower()


def _answer(call: Call, state: str) -> dict[str, object]:
    namespace, name = call["namespace"], call["feature"]
    return {
        "id": f"/subscriptions/{call['sub']}/providers/Microsoft.Features/providers/{namespace}/features/{name}",
        "name": f"{namespace}/{name}",
        "type": "Microsoft.Features/providers/features",
        "properties": {"state": state},
    }
