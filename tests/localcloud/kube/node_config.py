# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration files of one cluster's processes, as plain data. JSON is YAML, and kubelet reads it as such."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from localcloud.kube.layout import DNS_SERVICE_ADDRESS, NODE_POD_NETWORK, POD_NETWORK, ClusterLayout


def containerd(layout: ClusterLayout, parts: Path, pause_image: str, snapshotter: str) -> str:
    return f"""version = 2
root = "{layout.path}/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{layout.path}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause_image}"
  # Without CAP_SYS_RESOURCE no process may lower its own oom_score_adj.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{layout.path}/certs.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "{parts}/usr/sbin/runc"
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{parts}/usr/lib/cni"
    conf_dir = "{layout.path}/cni"
"""


def registry_hosts(registry: str, ca_file: Path, login_servers: Sequence[str] = ()) -> dict[str, str]:
    """certs.d: host → hosts.toml. ghcr.io, quay.io and Docker Hub are answered by our registry and by nobody else: an
    image that is not there is an error that says so, not a wait for a network the cluster does not have."""
    own = dict.fromkeys((registry, "ghcr.io", "quay.io", "docker.io"), _hosts(registry, ca_file))
    return {**own, **{server: _hosts(server, ca_file) for server in login_servers}}


def _hosts(server: str, ca_file: Path) -> str:
    # the top-level ca is for the second attempt, at `server` itself: without it its TLS error hides the first answer
    return f"""server = "https://{server}"
ca = "{ca_file}"
[host."https://{server}"]
  capabilities = ["pull", "resolve"]
  ca = "{ca_file}"
"""


def cni() -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            # Below /run: after a restart no pod is left, so no address may be either.
            "dataDir": "/run/cni-ipam",
            "ranges": [[{"subnet": NODE_POD_NETWORK}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return {"cniVersion": "1.0.0", "name": "localcloud", "plugins": [bridge]}


def kubelet(layout: ClusterLayout) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "0.0.0.0",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{layout.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{layout.pki}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{layout.pki}/kubelet-server.key",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        # From 1.35 on kubelet refuses cgroup v1 unless told.
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [DNS_SERVICE_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": f"{layout.path}/resolv.conf",
        "podLogsDir": "/var/log/pods",
        "volumePluginDir": f"{layout.path}/kubelet/volumeplugins",
        "staticPodPath": "",
        "readOnlyPort": 0,
        # The disk is the developer's: its filling up is no reason to remove images or evict pods.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "maxPods": 110,
        "serializeImagePulls": False,
        "nodeStatusUpdateFrequency": "5s",
        "syncFrequency": "10s",
        # The default, -999, needs CAP_SYS_RESOURCE.
        "oomScoreAdj": 0,
    }


def kube_proxy(layout: ClusterLayout) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{layout.pki}/kube-proxy.kubeconfig"},
        "mode": "nftables",
        "oomScoreAdj": 0,
        "clusterCIDR": POD_NETWORK,
        "bindAddress": layout.node_address,
        "metricsBindAddress": "127.0.0.1:10249",
        "healthzBindAddress": "127.0.0.1:10256",
        "nodePortAddresses": [f"{layout.node_address}/32"],
        # Read-only outside the first network namespace; 0 means leave it alone.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def audit_policy() -> dict[str, Any]:
    """Who asked for what and with which answer, without bodies: secrets never reach the log. What the cluster's own
    parts do all day is left out; the writes of controllers that were installed into it are not."""
    own_users = ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"]
    own_users += ["system:network-policies", "system:volumes", "system:load-balancers"]
    own_groups = ["system:nodes", "system:serviceaccounts:kube-system"]
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "omitManagedFields": True,
        "rules": [
            {"level": "None", "users": own_users},
            {"level": "None", "userGroups": own_groups},
            {"level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*"]},
            {
                "level": "None",
                "userGroups": ["system:serviceaccounts"],
                "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}],
            },
            {"level": "None", "userGroups": ["system:serviceaccounts"], "verbs": ["get", "list", "watch"]},
            {"level": "Metadata"},
        ],
    }


def files(
    layout: ClusterLayout,
    parts: Path,
    registry: str,
    pause_image: str,
    snapshotter: str,
    login_servers: Sequence[str] = (),
) -> dict[str, str]:
    """Path below the cluster's directory → content."""
    known = registry_hosts(registry, layout.path / "cloud-ca.crt", login_servers)
    hosts = {f"certs.d/{host}/hosts.toml": content for host, content in known.items()}
    return {
        "containerd.toml": containerd(layout, parts, f"{registry}/{pause_image}", snapshotter),
        "cni/10-bridge.conflist": json.dumps(cni(), indent=1),
        "kubelet.yaml": json.dumps(kubelet(layout), indent=1),
        "kube-proxy.yaml": json.dumps(kube_proxy(layout), indent=1),
        "audit/policy.yaml": json.dumps(audit_policy(), indent=1),
        # No resolver: a cluster reaches nothing but the local cloud, by address.
        "resolv.conf": "",
        **hosts,
    }
