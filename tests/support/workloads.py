# SPDX-License-Identifier: GPL-3.0-or-later
"""Real workloads that work or fail in one chosen way, and a task to run Kubernetes operations with in process."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Failure
from support.local_azure import FakeTask

Object = dict[str, Any]
Found = TypeVar("Found")

SECURE: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
SLEEP = "import time; time.sleep(3600)"
# A shell ends before its container is called running; an interpreter that starts slowly is ready for a moment.
CRASH = ["sh", "-c", "echo cannot open the ledger; exit 3"]


def pod_spec(registry: str, code: str, **more: Any) -> Object:
    """One Python container that runs `code`; `image` and other container fields may be given."""
    container = {
        "name": "main",
        "image": f"{registry}/echo-mcp:1.0.0",
        "command": ["python", "-c", code],
        "securityContext": SECURE,
        **more,
    }
    return {"containers": [container], "terminationGracePeriodSeconds": 0}


def deployment(spec: Mapping[str, Any], replicas: int = 1, name: str = "web", kind: str = "Deployment") -> Object:
    body: Object = {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": dict(spec)},
    }
    if kind != "DaemonSet":
        body["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": body}


def job(spec: Mapping[str, Any], name: str = "work", **more: Any) -> Object:
    template = {"spec": {**spec, "restartPolicy": "Never"}}
    body = {"backoffLimit": 0, "template": template, **more}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": body}


def service(name: str, selector: Mapping[str, str], **more: Any) -> Object:
    body = {"selector": dict(selector), "ports": [{"port": 80, "targetPort": 8080}], **more}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body}


def claim(name: str, class_name: str | None) -> Object:
    body: Object = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    if class_name is not None:
        body["storageClassName"] = class_name
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": body}


def box_definition(group: str) -> Object:
    """CustomResourceDefinition of a kind Box, whose `spec.size` is a number."""
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"boxes.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Box", "plural": "boxes"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def named(item: Mapping[str, Any], name: str) -> Object:
    """The same object under another name, its labels and selectors with it."""
    text = json.dumps({**item, "metadata": {**item["metadata"], "name": name}})
    return dict(json.loads(text.replace('"app": "web"', f'"app": "{name}"')))


def task(module: ModuleType, kubeconfig: Path, directory: Path, **args: Any) -> FakeTask:
    """A task of this module, with its argument spec applied."""
    spec = ArgumentSpecValidator(module.ARGUMENT_SPEC, **getattr(module, "RULES", {}))
    validated = spec.validate({"kubeconfig": str(kubeconfig), **args})
    assert not validated.error_messages, validated.error_messages
    directory.mkdir(mode=0o700, exist_ok=True)
    return FakeTask(validated.validated_parameters, run_directory=directory)


def run(module: ModuleType, kubeconfig: Path, directory: Path, **args: Any) -> Object:
    """The result as Ansible would see it, failed or not."""
    one = task(module, kubeconfig, directory, **args)
    try:
        result: Object = module.OPERATION(one).to_dict(True)
    except Failure as failure:
        return failure.to_result(one.written)
    return result


def until(look: Callable[[], Found], holds: Callable[[Found], bool], seconds: float, pause: float = 1.0) -> Found:
    """What `look` sees once it `holds`, or the last it saw when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if holds(seen) or time.monotonic() >= deadline:
            return seen
        time.sleep(pause)
