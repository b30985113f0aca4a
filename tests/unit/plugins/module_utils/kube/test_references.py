# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Secrets and ConfigMaps a pod uses, for every field of PodSpec by which its containers see one."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.config_digest import (
    Reference,
    pod_references,
    startup_references,
)


def variable(kind: str, name: str, key: str, **more: Any) -> dict[str, Any]:
    return {"name": key.upper(), "valueFrom": {f"{kind}KeyRef": {"name": name, "key": key, **more}}}


def pod(*containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"containers": [{"name": f"c{number}", **one} for number, one in enumerate(containers)], **more}


def secret(*keys: str, name: str = "s", optional: bool = False) -> Reference:
    return Reference("Secret", name, frozenset(keys) or None, optional)


def config_map(*keys: str, name: str = "m", optional: bool = False) -> Reference:
    return Reference("ConfigMap", name, frozenset(keys) or None, optional)


PROJECTED = {
    "projected": {
        "sources": [
            {"secret": {"name": "s", "items": [{"key": "a", "path": "x/a"}]}},
            {"configMap": {"name": "m", "optional": True}},
            {"serviceAccountToken": {"path": "token"}},
            {"downwardAPI": {"items": []}},
        ]
    }
}
PODS: dict[str, tuple[dict[str, Any], list[Reference]]] = {
    "nothing": (pod({"env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {}}}]}), []),
    "nulls": ({"containers": [{"env": None, "envFrom": None}], "volumes": None, "initContainers": None}, []),
    "a variable": (pod({"env": [variable("secret", "s", "a")]}), [secret("a")]),
    "all as variables": (
        pod({"envFrom": [{"secretRef": {"name": "s"}}, {"prefix": "X_", "configMapRef": {"name": "m"}}]}),
        [config_map(), secret()],
    ),
    "an init container": (
        pod({}, initContainers=[{"env": [variable("configMap", "m", "a", optional=True)]}]),
        [config_map("a", optional=True)],
    ),
    "an ephemeral container": (
        pod({}, ephemeralContainers=[{"envFrom": [{"secretRef": {"name": "s"}}]}]),
        [secret()],
    ),
    "a volume": (
        pod({}, volumes=[{"name": "v", "secret": {"secretName": "s", "optional": True}}]),
        [secret(optional=True)],
    ),
    "some keys of a volume": (
        pod({}, volumes=[{"name": "v", "configMap": {"name": "m", "items": [{"key": "a", "path": "p"}]}}]),
        [config_map("a")],
    ),
    "projected": (pod({}, volumes=[{"name": "v", **PROJECTED}]), [config_map(optional=True), secret("a")]),
    "used twice": (
        pod({"env": [variable("secret", "s", "a", optional=True)]}, {"env": [variable("secret", "s", "b")]}),
        [secret("a", "b")],
    ),
    "all beside one": (
        pod({"env": [variable("secret", "s", "a")], "envFrom": [{"secretRef": {"name": "s", "optional": True}}]}),
        [secret()],
    ),
    "what the program does not see": (
        pod(
            {},
            imagePullSecrets=[{"name": "registry"}],
            volumes=[
                {"name": "v", "azureFile": {"secretName": "storage", "shareName": "x"}},
                {"name": "w", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "driver"}}},
                {"name": "x", "emptyDir": {}},
            ],
        ),
        [],
    ),
}


@pytest.mark.parametrize("case", PODS)
def test_what_a_pod_uses(case: str) -> None:
    spec, expected = PODS[case]
    assert list(pod_references(spec)) == expected


VOLUMES = [
    {"name": "s", "secret": {"secretName": "s"}},
    {"name": "m", "configMap": {"name": "m", "items": [{"key": "a", "path": "app.conf"}]}},
]
STARTS: dict[str, tuple[dict[str, Any], list[Reference]]] = {
    "a directory is renewed": ({"volumeMounts": [{"name": "s", "mountPath": "/s"}]}, []),
    "a file is not": ({"volumeMounts": [{"name": "s", "mountPath": "/s", "subPath": "key"}]}, [secret("key")]),
    "a file under another name": (
        {"volumeMounts": [{"name": "m", "mountPath": "/m", "subPath": "app.conf"}]},
        [config_map("a")],
    ),
    "a path that is worked out later": (
        {"volumeMounts": [{"name": "s", "mountPath": "/s", "subPathExpr": "$(NAME)"}]},
        [secret()],
    ),
    "a volume of another kind": ({"volumeMounts": [{"name": "none", "mountPath": "/n", "subPath": "x"}]}, []),
    "the environment": ({"env": [variable("secret", "s", "a")]}, [secret("a")]),
}


@pytest.mark.parametrize("case", STARTS)
def test_what_a_container_keeps_from_its_start(case: str) -> None:
    container, expected = STARTS[case]
    assert list(startup_references(container, {"containers": [container], "volumes": VOLUMES})) == expected
