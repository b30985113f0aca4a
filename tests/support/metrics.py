# SPDX-License-Identifier: GPL-3.0-or-later
"""metrics-server in a cluster, as AKS brings it: what pods use becomes known, and autoscalers act on it."""

from __future__ import annotations

from typing import Any

from localcloud.extra_images import provide_set
from localcloud.images import metrics


def release(cloud: Any) -> dict[str, Any]:
    """What `helm_release` is given."""
    return {
        "name": metrics.CHART.name,
        "namespace": "kube-system",
        "chart_ref": f"oci://{cloud.registry}/{metrics.CHART.repository}/{metrics.CHART.name}",
        "chart_version": metrics.CHART.version,
        "ca_file": cloud.environment["ca_file"],
        "values": {
            "image": {
                "repository": f"{cloud.registry}/{metrics.IMAGE.partition(':')[0]}",
                "tag": metrics.SERVER.version,
            },
            # the authority of the cluster signs what kubelet shows
            "args": ["--kubelet-certificate-authority=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"],
        },
        "wait": True,
        "wait_timeout": 240,
    }


def provide(cloud: Any) -> None:
    """The registry of the local cloud holds its image and its chart."""
    provide_set("metrics", cloud.settings, print)
