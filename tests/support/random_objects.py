# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of many kinds, made up from a seed: each time other optional parts, list items, nulls and empty values.

None of them does anything: pods find no node, jobs are suspended, webhooks match no request, classes have no
provisioner. Custom resources and their definitions: random_custom_resources.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Object = dict[str, Any]

NOWHERE = {"mcpops.test/node": "none"}
_WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")


class Maker:
    """Draws parts of objects. `prefix` makes names unique where a kind belongs to no namespace."""

    def __init__(self, seed: str, prefix: str) -> None:
        self.chance = random.Random(seed)
        self.prefix = prefix

    def maybe(self, **parts: Any) -> Object:
        """Each of these fields, or not."""
        return {key: value for key, value in parts.items() if self.chance.random() < 0.6}

    def one(self, *choices: Any) -> Any:
        return self.chance.choice(choices)

    def some(self, *choices: Any, least: int = 1) -> list[Any]:
        return self.chance.sample(choices, self.chance.randint(least, len(choices)))

    def word(self) -> str:
        return str(self.chance.choice(_WORDS))

    def number(self, most: int = 9) -> int:
        return self.chance.randint(1, most)

    def words(self, least: int = 1) -> Object:
        """A mapping such as labels."""
        return {name: self.word() for name in self.some(*_WORDS[:4], least=least)}

    def metadata(self, name: str) -> Object:
        return {
            "name": name,
            **self.maybe(
                labels={"mcpops.test/color": self.word(), "team.example.com/x": self.word()},
                annotations={"example.com/note": f"{self.word()}: {self.number()}", "plain": self.word()},
            ),
        }

    def object(self, api_version: str, kind: str, name: str, **body: Any) -> Object:
        return {"apiVersion": api_version, "kind": kind, "metadata": self.metadata(name), **body}

    # --- pods ------------------------------------------------------------------------------------------------------

    def selector(self) -> Object:
        expression = {"key": "tier", "operator": "In", "values": self.some("web", "db", "cache")}
        return self.one({"matchLabels": self.words()}, {"matchExpressions": [expression]}, {})

    def probe(self) -> Object:
        how = self.one(
            {"httpGet": {"path": "/healthz", "port": 8080, **self.maybe(httpHeaders=[{"name": "X-A", "value": "1"}])}},
            {"tcpSocket": {"port": self.one(8080, "web")}},
            {"exec": {"command": ["true", self.word()]}},
        )
        return {**how, **self.maybe(periodSeconds=self.number(), failureThreshold=self.number())}

    def variables(self) -> list[Object]:
        return self.some(
            {"name": "PLAIN", "value": self.word()},
            {"name": "EMPTY", "value": ""},
            {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}},
            {"name": "FIELD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        )

    def resources(self) -> Object:
        return self.maybe(
            requests={"cpu": self.one("100m", "0.1", "1"), "memory": self.one("64Mi", "1Gi", "1024Mi")},
            limits={"cpu": self.one("2", "2000m"), "memory": "2Gi"},
        )

    def container(self, name: str, volumes: list[str]) -> Object:
        ports = [{"containerPort": 8080, **self.maybe(name="web")}, {"containerPort": 53, "protocol": "UDP"}]
        mounts = [{"name": volume, "mountPath": f"/mnt/{volume}"} for volume in volumes]
        security = {"runAsUser": 1000, **self.maybe(capabilities={"drop": ["ALL"]}, readOnlyRootFilesystem=True)}
        return {
            "name": name,
            "image": "registry.invalid/none:1",
            **self.maybe(
                env=self.one(self.variables(), self.variables(), None, []),
                args=["--a", self.word()],
                resources=self.resources(),
                livenessProbe=self.probe(),
                readinessProbe=self.probe(),
                securityContext=security,
                volumeMounts=mounts,
                envFrom=[{"configMapRef": {"name": "all", "optional": True}}],
                lifecycle={"preStop": {"sleep": {"seconds": 1}}},
            ),
            "ports": self.some(*ports),
        }

    def volume(self, name: str) -> Object:
        what = self.one(
            {"emptyDir": {}},
            {"configMap": {"name": "all", **self.maybe(items=[{"key": "a", "path": "b"}], optional=True)}},
            {"secret": {"secretName": "keys", **self.maybe(defaultMode=0o400)}},
            {"projected": {"sources": [{"configMap": {"name": "all"}}, {"serviceAccountToken": {"path": "token"}}]}},
            {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        )
        return {"name": name, **what}

    def pod(self, **more: Any) -> Object:
        names = self.some("one", "two", "three", least=0)
        volumes: Object = {"volumes": [self.volume(name) for name in names]} if names else self.maybe(volumes=None)
        containers = [self.container("main", names)]
        if self.chance.random() < 0.5:
            containers.append({"name": "side", "image": "registry.invalid/side:1"})
        term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}
        node = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
        return {
            "containers": containers,
            "nodeSelector": dict(NOWHERE),
            **volumes,
            **self.maybe(
                initContainers=[{"name": "first", "image": "registry.invalid/first:1"}],
                imagePullSecrets=[{"name": "pull"}],
                serviceAccountName="default",
                tolerations=self.some({"key": "a", "operator": "Exists"}, {"key": "b", "value": "c"}),
                affinity={"nodeAffinity": node},
                topologySpreadConstraints=[spread],
                hostAliases=[{"ip": "10.1.2.3", "hostnames": ["a", "b"]}],
                securityContext=self.one({}, {"fsGroup": 1000}, {"runAsNonRoot": True, "supplementalGroups": [1, 2]}),
                terminationGracePeriodSeconds=self.number(),
                automountServiceAccountToken=False,
                dnsConfig={"options": [{"name": "ndots", "value": "2"}]},
            ),
            **more,
        }

    def template(self, app: str, **pod: Any) -> Object:
        metadata = {"labels": {"app": app, "tier": "web"}, **self.maybe(annotations={"example.com/hash": self.word()})}
        return {"metadata": metadata, "spec": self.pod(**pod)}


def config_map(make: Maker, name: str) -> Object:
    data = {"a": make.word(), "memory": "1024Mi", "cpu": "1.10", "text": "one\ntwo\n", "smile": "\u2603"}
    kept = {key: data[key] for key in make.some(*data)}
    return make.object("v1", "ConfigMap", name, data=kept, **make.maybe(binaryData={"b": "AAEC"}))


def secret(make: Maker, name: str) -> Object:
    return make.object("v1", "Secret", name, type="Opaque", stringData=make.words(), **make.maybe(data={"z": "enp6"}))


def service(make: Maker, name: str) -> Object:
    ports = [
        {"name": "dns-tcp", "port": 53},
        {"name": "web", "port": 80, **make.maybe(targetPort="http", appProtocol="http")},
        {"name": "https", "port": 443, "targetPort": 8443, "protocol": "TCP"},
        {"name": "dns", "port": 53, "protocol": "UDP"},
    ]
    kind = make.one({}, {}, {"clusterIP": "None"}, {"type": "NodePort"}, {"type": "LoadBalancer"})
    if kind.get("type") == "LoadBalancer":
        kind |= make.maybe(loadBalancerSourceRanges=["10.0.0.0/8"], externalTrafficPolicy="Local")
    more = make.maybe(sessionAffinity="ClientIP", publishNotReadyAddresses=True, internalTrafficPolicy="Local")
    spec = {"selector": make.words(), "ports": make.some(*ports), **kind, **more}
    return make.object("v1", "Service", name, spec=spec)


def external_service(make: Maker, name: str) -> Object:
    spec = {"type": "ExternalName", "externalName": f"{make.word()}.example.com"}
    return make.object("v1", "Service", name, spec=spec)


def service_account(make: Maker, name: str) -> Object:
    more = make.maybe(imagePullSecrets=[{"name": "pull"}], secrets=[{"name": "keys"}])
    return make.object("v1", "ServiceAccount", name, automountServiceAccountToken=False, **more)


def deployment(make: Maker, name: str) -> Object:
    strategy = make.one({"type": "Recreate"}, {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}, {})
    spec = {
        "selector": {"matchLabels": {"app": name}},
        "template": make.template(name),
        **make.maybe(replicas=make.one(0, 1), strategy=strategy, revisionHistoryLimit=make.number(), paused=True),
    }
    return make.object("apps/v1", "Deployment", name, spec=spec)


def stateful_set(make: Maker, name: str) -> Object:
    spec = {
        "selector": {"matchLabels": {"app": name}},
        "serviceName": name,
        "template": make.template(name),
        **make.maybe(
            replicas=0, podManagementPolicy="Parallel", updateStrategy=make.one({"type": "OnDelete"}, {}), ordinals=None
        ),
    }
    return make.object("apps/v1", "StatefulSet", name, spec=spec)


def daemon_set(make: Maker, name: str) -> Object:
    update = make.one({"type": "OnDelete"}, {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}})
    spec = {
        "selector": {"matchLabels": {"app": name}},
        "template": make.template(name),
        **make.maybe(updateStrategy=update, minReadySeconds=make.number()),
    }
    return make.object("apps/v1", "DaemonSet", name, spec=spec)


def job(make: Maker, name: str) -> Object:
    template = make.template(name, restartPolicy="Never")
    spec = {"suspend": True, "template": template, **make.maybe(backoffLimit=make.number(), parallelism=2)}
    return make.object("batch/v1", "Job", name, spec=spec)


def cron_job(make: Maker, name: str) -> Object:
    work = {"template": make.template(name, restartPolicy="Never"), **make.maybe(backoffLimit=make.number())}
    spec = {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": work}}
    spec |= make.maybe(concurrencyPolicy="Forbid", successfulJobsHistoryLimit=0, timeZone="Etc/UTC")
    return make.object("batch/v1", "CronJob", name, spec=spec)


def ingress(make: Maker, name: str) -> Object:
    def backend() -> Object:
        resource = {"resource": {"apiGroup": "example.com", "kind": "Bucket", "name": make.word()}}
        return make.one({"service": {"name": make.word(), "port": {"number": 80}}}, resource)

    paths = [
        {"path": f"/{make.word()}", "pathType": make.one("Prefix", "Exact"), "backend": backend()}
        for _ in range(make.number(2))
    ]
    rules = [{"host": f"{make.word()}.example.com", "http": {"paths": paths}}]
    more = make.maybe(
        tls=[{"hosts": ["a.example.com"], "secretName": "tls"}], defaultBackend=backend(), ingressClassName="none"
    )
    return make.object("networking.k8s.io/v1", "Ingress", name, spec={"rules": rules, **more})


def network_policy(make: Maker, name: str) -> Object:
    def peers() -> list[Object]:
        return make.some(
            {"podSelector": make.selector()},
            {"namespaceSelector": make.selector(), "podSelector": {}},
            {"ipBlock": {"cidr": "10.0.0.0/8", **make.maybe(**{"except": ["10.1.0.0/16"]})}},
        )

    spec = {"podSelector": make.selector(), "policyTypes": ["Ingress", "Egress"]}
    spec |= make.maybe(
        ingress=make.one([{}], [], [{"from": peers(), **make.maybe(ports=[{"port": 53}, {"port": "web"}])}]),
        egress=make.one([{}], [{"to": peers(), "ports": [{"port": 53, "protocol": "UDP"}]}, {"to": peers()}]),
    )
    return make.object("networking.k8s.io/v1", "NetworkPolicy", name, spec=spec)


def disruption_budget(make: Maker, name: str) -> Object:
    how = make.one({"minAvailable": make.one(1, "50%")}, {"maxUnavailable": make.one(1, "10%")})
    spec = {"selector": make.selector(), **how, **make.maybe(unhealthyPodEvictionPolicy="AlwaysAllow")}
    return make.object("policy/v1", "PodDisruptionBudget", name, spec=spec)


def autoscaler(make: Maker, name: str) -> Object:
    resource = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    pods = {"metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": make.one("1k", "1000m")}}
    policy = {"type": "Pods", "value": make.number(), "periodSeconds": 60}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"},
        "maxReplicas": 5,
        "metrics": make.some({"type": "Resource", "resource": resource}, {"type": "Pods", "pods": pods}),
        **make.maybe(minReplicas=2, behavior={"scaleDown": {"policies": [policy]}}),
    }
    return make.object("autoscaling/v2", "HorizontalPodAutoscaler", name, spec=spec)


def _rules(make: Maker) -> list[Object]:
    return make.some(
        {"apiGroups": [""], "resources": ["pods", "configmaps"], "verbs": ["get", "list"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": [make.word()]},
    )


def role(make: Maker, name: str) -> Object:
    return make.object("rbac.authorization.k8s.io/v1", "Role", name, rules=_rules(make))


def cluster_role(make: Maker, name: str) -> Object:
    more = {"apiGroups": [], "nonResourceURLs": ["/x"], "resources": [], "verbs": ["get"]}
    rules = make.one(_rules(make), [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, more])
    return make.object("rbac.authorization.k8s.io/v1", "ClusterRole", f"{make.prefix}-{name}", rules=rules)


def aggregated_role(make: Maker, name: str) -> Object:
    selectors = [{"matchLabels": {f"{make.prefix}.example.com/part": "yes"}}]
    parts = {"aggregationRule": {"clusterRoleSelectors": selectors}, **make.maybe(rules=[])}
    return make.object("rbac.authorization.k8s.io/v1", "ClusterRole", f"{make.prefix}-{name}", **parts)


def _binding(make: Maker, kind: str, role_kind: str, name: str) -> Object:
    subjects = make.some(
        {"kind": "ServiceAccount", "name": make.word(), "namespace": "default"},
        {"kind": "User", "name": make.word(), "apiGroup": "rbac.authorization.k8s.io"},
        {"kind": "Group", "name": make.word(), "apiGroup": "rbac.authorization.k8s.io"},
    )
    chosen = {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": "none"}
    return make.object("rbac.authorization.k8s.io/v1", kind, name, roleRef=chosen, subjects=subjects)


def role_binding(make: Maker, name: str) -> Object:
    return _binding(make, "RoleBinding", make.one("Role", "ClusterRole"), name)


def cluster_role_binding(make: Maker, name: str) -> Object:
    return _binding(make, "ClusterRoleBinding", "ClusterRole", f"{make.prefix}-{name}")


def resource_quota(make: Maker, name: str) -> Object:
    hard = {"count/widgets.example.com": "3", "persistentvolumeclaims": "50", "services.nodeports": "40"}
    spec = {"hard": {key: hard[key] for key in make.some(*hard)}}
    return make.object("v1", "ResourceQuota", name, spec=spec)


def limit_range(make: Maker, name: str) -> Object:
    claim = {"type": "PersistentVolumeClaim", "max": {"storage": make.one("1Ti", "1024Gi")}}
    container = {"type": "Container", "max": {"cpu": "64"}, **make.maybe(default={"cpu": "8", "memory": "4Gi"})}
    return make.object("v1", "LimitRange", name, spec={"limits": make.some(claim, container)})


def priority_class(make: Maker, name: str) -> Object:
    more = make.maybe(description=make.word())
    return make.object("scheduling.k8s.io/v1", "PriorityClass", f"{make.prefix}-{name}", value=make.number(), **more)


def storage_class(make: Maker, name: str) -> Object:
    more = make.maybe(parameters=make.words(), allowVolumeExpansion=True, mountOptions=["ro"])
    return make.object(
        "storage.k8s.io/v1", "StorageClass", f"{make.prefix}-{name}", provisioner="example.com/x", **more
    )


def claim(make: Maker, name: str) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": make.one("1Mi", "1024Ki")}}}
    return make.object("v1", "PersistentVolumeClaim", name, spec={**spec, "storageClassName": "none"})


def endpoint_slice(make: Maker, name: str) -> Object:
    endpoints = [{"addresses": ["10.1.2.3"], **make.maybe(conditions={"ready": True}, hostname=make.word())}]
    ports = make.some({"name": "a", "port": 80}, {"name": "b", "port": 53, "protocol": "UDP"})
    parts = {"addressType": "IPv4", "endpoints": endpoints, "ports": ports}
    return make.object("discovery.k8s.io/v1", "EndpointSlice", name, **parts)


def _webhook(make: Maker, number: int) -> Object:
    rule = {"apiGroups": ["none.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["things"]}
    condition = {"name": "never", "expression": make.one("false", "1 == 2")}
    return {
        "name": f"w{number}.example.com",
        "clientConfig": make.one({"url": "https://none.invalid/x"}, {"service": {"namespace": "none", "name": "none"}}),
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **make.maybe(
            rules=[rule],
            failurePolicy="Ignore",
            namespaceSelector=make.selector(),
            objectSelector=make.selector(),
            timeoutSeconds=make.number(),
            matchConditions=[condition],
        ),
    }


def validating_webhooks(make: Maker, name: str) -> Object:
    hooks = [_webhook(make, number) for number in range(make.number(2))]
    kind = "ValidatingWebhookConfiguration"
    return make.object("admissionregistration.k8s.io/v1", kind, f"{make.prefix}-{name}", webhooks=hooks)


def mutating_webhooks(make: Maker, name: str) -> Object:
    hooks = [{**_webhook(make, number), **make.maybe(reinvocationPolicy="IfNeeded")} for number in range(2)]
    kind = "MutatingWebhookConfiguration"
    return make.object("admissionregistration.k8s.io/v1", kind, f"{make.prefix}-{name}", webhooks=hooks)


def admission_policy(make: Maker, name: str) -> Object:
    rule = {"apiGroups": ["none.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["things"]}
    spec = {
        "failurePolicy": "Ignore",
        "matchConstraints": {"resourceRules": [rule], **make.maybe(namespaceSelector=make.selector())},
        "validations": make.some({"expression": "true"}, {"expression": "1 == 1", "message": make.word()}),
        **make.maybe(variables=[{"name": "a", "expression": "1"}, {"name": "b", "expression": "2"}]),
    }
    kind = "ValidatingAdmissionPolicy"
    return make.object("admissionregistration.k8s.io/v1", kind, f"{make.prefix}-{name}", spec=spec)


def policy_binding(make: Maker, name: str) -> Object:
    resources = {"matchResources": {"namespaceSelector": {"matchLabels": make.words()}}}
    spec = {"policyName": "none.example.com", "validationActions": make.some("Warn", "Audit"), **resources}
    kind = "ValidatingAdmissionPolicyBinding"
    return make.object("admissionregistration.k8s.io/v1", kind, f"{make.prefix}-{name}", spec=spec)


BUILT_IN: dict[str, Callable[[Maker, str], Object]] = {
    "ConfigMap": config_map,
    "Secret": secret,
    "Service": service,
    "Service-external": external_service,
    "ServiceAccount": service_account,
    "Deployment": deployment,
    "StatefulSet": stateful_set,
    "DaemonSet": daemon_set,
    "Job": job,
    "CronJob": cron_job,
    "Ingress": ingress,
    "NetworkPolicy": network_policy,
    "PodDisruptionBudget": disruption_budget,
    "HorizontalPodAutoscaler": autoscaler,
    "Role": role,
    "ClusterRole": cluster_role,
    "ClusterRole-aggregated": aggregated_role,
    "RoleBinding": role_binding,
    "ClusterRoleBinding": cluster_role_binding,
    "ResourceQuota": resource_quota,
    "LimitRange": limit_range,
    "PriorityClass": priority_class,
    "StorageClass": storage_class,
    "PersistentVolumeClaim": claim,
    "EndpointSlice": endpoint_slice,
    "ValidatingWebhookConfiguration": validating_webhooks,
    "MutatingWebhookConfiguration": mutating_webhooks,
    "ValidatingAdmissionPolicy": admission_policy,
    "ValidatingAdmissionPolicyBinding": policy_binding,
}
