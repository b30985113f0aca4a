# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program that enforces NetworkPolicies (go/netpol) may read. It runs only where policies are enforced; its
role is there always, so that changing one's mind needs nothing more."""

from __future__ import annotations

from typing import Any

from localcloud.kube.addons import role_of_user
from localcloud.kube.pki import CLIENTS


def objects() -> list[dict[str, Any]]:
    read = ["get", "list", "watch"]
    rules = [
        {"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": read},
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": read},
    ]
    user, _ = CLIENTS["network-policies"]
    return role_of_user(user, rules)
