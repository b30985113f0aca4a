# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault that a namespace can have, caused for real, with what diagnosis is to say about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from support.workloads import CRASH, SLEEP, Object, claim, deployment, job, pod_spec, service

Make = Callable[[str], list[Object]]


@dataclass(frozen=True)
class Fault:
    """Objects that cannot work, the finding's id without its namespace, and words that it must hold."""

    objects: Make
    identifier: str
    words: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


def _reference(kind: str, name: str, key: str) -> list[Object]:
    return [{"name": "SETTING", "valueFrom": {kind: {"name": name, "key": key}}}]


def _one(name: str, **more: Any) -> Make:
    return lambda registry: [deployment(pod_spec(registry, SLEEP, **more), name=name)]


def _volume(name: str, source: Object) -> Make:
    def make(registry: str) -> list[Object]:
        spec = pod_spec(registry, SLEEP, volumeMounts=[{"name": "files", "mountPath": "/files"}])
        return [deployment({**spec, "volumes": [{"name": "files", **source}]}, name=name)]

    return make


def _eats_memory(registry: str) -> list[Object]:
    limits = {"limits": {"memory": "24Mi"}, "requests": {"memory": "24Mi", "cpu": "10m"}}
    return [
        deployment(pod_spec(registry, "a = bytearray(200_000_000); print(len(a))", resources=limits), name="greedy")
    ]


def _talks(registry: str) -> list[Object]:
    """Crashes and prints what is not to be read: a value of its own, a password and a token."""
    say = ["sh", "-c", "echo no route to $UPSTREAM; echo password=hunter22; echo Bearer abcdef0123456789; exit 4"]
    variables = [{"name": "UPSTREAM", "value": "ledger.example.com"}]
    return [deployment(pod_spec(registry, "", command=say, env=variables), name="talker", replicas=2)]


def _no_node(registry: str) -> list[Object]:
    return [deployment({**pod_spec(registry, SLEEP), "nodeSelector": {"disk": "huge"}}, name="nowhere")]


def _no_key(registry: str) -> list[Object]:
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"other": "1"}}
    spec = pod_spec(registry, SLEEP, env=_reference("configMapKeyRef", "settings", "wanted"))
    return [settings, deployment(spec, name="keyless")]


def _no_port(registry: str) -> list[Object]:
    return [
        deployment(pod_spec(registry, SLEEP), name="silent"),
        service("silent", {"app": "silent"}, ports=[{"port": 80, "targetPort": "http"}]),
    ]


def _behind_a_fault(registry: str) -> list[Object]:
    return [
        deployment(pod_spec(registry, SLEEP, image=f"{registry}/nowhere:2.0"), name="fronted"),
        service("fronted", {"app": "fronted"}),
    ]


def _paused(registry: str) -> list[Object]:
    held = deployment(pod_spec(registry, SLEEP), name="held")
    return [{**held, "spec": {**held["spec"], "paused": True}}]


def _stuck(registry: str) -> list[Object]:
    late = deployment(pod_spec(registry, SLEEP, readinessProbe={"tcpSocket": {"port": 9}}), name="late")
    return [{**late, "spec": {**late["spec"], "progressDeadlineSeconds": 5}}]


def _autoscaler(registry: str) -> list[Object]:
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "scaler"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "absent"},
            "maxReplicas": 3,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
                }
            ],
        },
    }
    return [scaler]


def _budget(registry: str) -> list[Object]:
    body = {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "guarded"}}}
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "guarded"}, "spec": body}
    return [deployment(pod_spec(registry, SLEEP), name="guarded"), budget]


def _ingress(registry: str) -> list[Object]:
    backend = {"service": {"name": "no-such-service", "port": {"number": 80}}}
    item = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "door"},
        "spec": {"ingressClassName": "public", "defaultBackend": backend},
    }
    return [item]


FAULTS: dict[str, Fault] = {
    "image pull": Fault(
        lambda registry: [deployment(pod_spec(registry, SLEEP, image=f"{registry}/nowhere:1.0"), name="unpulled")],
        "ImagePull/{}/Deployment/unpulled/main",
        ("/nowhere:1.0 cannot be pulled", "not found", "Check the image's name"),
    ),
    "crash loop": Fault(
        lambda registry: [deployment(pod_spec(registry, "", command=CRASH), name="crashing")],
        "CrashLoop/{}/Deployment/crashing/main",
        ("exit code 3", "cannot open the ledger"),
    ),
    "redaction": Fault(
        _talks,
        "CrashLoop/{}/Deployment/talker/main",
        ("no route to $(UPSTREAM)", "password=********", "Bearer ********"),
        ("ledger.example.com", "hunter22", "abcdef0123456789"),
    ),
    "out of memory": Fault(_eats_memory, "OutOfMemory/{}/Deployment/greedy/main", ("memory limit is too low",)),
    "command that is not there": Fault(
        _one("wordless", command=["/no/such/program"]),
        "CannotStart/{}/Deployment/wordless/main",
        ("/no/such/program",),
    ),
    "config error": Fault(
        _one("rootful", securityContext={"runAsNonRoot": True, "runAsUser": 0}),
        "ConfigError/{}/Deployment/rootful/main",
        ("breaks non-root policy",),
    ),
    "missing key": Fault(_no_key, "MissingKey/{}/Deployment/keyless/main", ("wanted", "Add the key")),
    "missing Secret": Fault(
        _one("secretless", env=_reference("secretKeyRef", "absent", "a")),
        "MissingObject/{}/Deployment/secretless/main",
        ('secret "absent" not found', "Create what it refers to"),
    ),
    "missing ConfigMap volume": Fault(
        _volume("mountless", {"configMap": {"name": "absent"}}),
        "MissingObject/{}/Deployment/mountless",
        ('configmap "absent" not found',),
    ),
    "missing claim": Fault(
        _volume("claimless", {"persistentVolumeClaim": {"claimName": "absent"}}),
        "MissingObject/{}/Deployment/claimless",
        ('persistentvolumeclaim "absent" not found',),
    ),
    "cannot be scheduled": Fault(_no_node, "Unschedulable/{}/Deployment/nowhere", ("didn't match",)),
    "too much asked": Fault(
        _one("huge", resources={"requests": {"cpu": "900"}}),
        "Unschedulable/{}/Deployment/huge",
        ("Insufficient cpu",),
    ),
    "probe": Fault(
        _one("probed", readinessProbe={"tcpSocket": {"port": 9}, "periodSeconds": 1}),
        "NotPassingProbes/{}/Deployment/probed/main",
        ("Readiness probe failed", "connection refused", "probe's path and port"),
    ),
    "failed job": Fault(
        lambda registry: [job(pod_spec(registry, "", command=CRASH), name="failed")],
        "JobFailed/{}/Job/failed",
        ("backoff limit", "cannot open the ledger"),
    ),
    "suspended job": Fault(
        lambda registry: [job(pod_spec(registry, SLEEP), name="resting", suspend=True)], "Suspended/{}/Job/resting"
    ),
    "paused": Fault(_paused, "Paused/{}/Deployment/held", ("is paused",)),
    "rollout past its deadline": Fault(_stuck, "NotPassingProbes/{}/Deployment/late/main"),
    "service without pods": Fault(
        lambda registry: [service("lonely", {"app": "nobody"})],
        "NoEndpoints/{}/Service/lonely",
        ("no pod has its selector's labels app=nobody",),
    ),
    "service whose pods fail": Fault(
        _behind_a_fault, "NoEndpoints/{}/Service/fronted", ("ImagePull/{}/Deployment/fronted/main",)
    ),
    "service with a port nobody has": Fault(_no_port, "NoEndpoints/{}/Service/silent", ("its pods name no port http",)),
    "claim of no class": Fault(
        lambda registry: [claim("classless", "no-such-class")],
        "Unbound/{}/PersistentVolumeClaim/classless",
        ("there is no storage class no-such-class",),
    ),
    "autoscaler of nothing": Fault(_autoscaler, "CannotScale/{}/HorizontalPodAutoscaler/scaler", ("not found",)),
    "budget that blocks drains": Fault(_budget, "BlocksDrain/{}/PodDisruptionBudget/guarded"),
    "ingress to nothing": Fault(
        _ingress, "MissingObject/{}/Ingress/door", ("Service no-such-service, which does not exist",)
    ),
}

# in namespaces of their own: what forbids these pods would forbid the others
QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "small"},
    "spec": {"hard": {"pods": "0"}},
}
KINDS_OF_WORKLOAD = ("Deployment", "StatefulSet", "DaemonSet")
