# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that do as they are told, under Pod Security "restricted"."""

from __future__ import annotations

from typing import Any

from localcloud.images.catalog import ECHO_MCP
from localcloud.settings import Settings


def namespace(name: str) -> dict[str, Any]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def python_pod(settings: Settings, name: str, program: str, **spec: Any) -> dict[str, Any]:
    """`program` in the image of the echo server, labelled app=NAME; `spec` goes into the pod's."""
    mounts = spec.pop("volumeMounts", [])
    container = {
        "name": "main",
        "image": f"{settings.registry}/{ECHO_MCP}",
        "command": ["python", "-c", program],
        "volumeMounts": mounts,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    security = {"runAsNonRoot": True, "fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "securityContext": security,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            **spec,
        },
    }
