# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod of an image that a cluster may pull, or may not."""

from __future__ import annotations

import json
import time
from typing import Any

PATIENCE = 120.0


def pod_of(name: str, image: str) -> str:
    """The manifest: the image is pulled anew for each pod."""
    secure = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 65535,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "it", "image": image, "imagePullPolicy": "Always", "securityContext": secure}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def state_of(cluster: Any, namespace: str, name: str) -> dict[str, Any]:
    """The container's state, once it runs or its image cannot be pulled. `cluster` gets objects (see Cluster)."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = cluster.get("pod", name, "-n", namespace).get("status", {}).get("containerStatuses") or [{}]
        now: dict[str, Any] = found[0].get("state", {})
        waiting = now.get("waiting", {}).get("reason", "")
        if "running" in now or waiting in ("ErrImagePull", "ImagePullBackOff"):
            return now
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
