# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes made on demand, under the names of AKS' storage classes: directories of this machine, made and removed by
the local-path provisioner (go/volumes), which runs beside the cluster's own parts."""

from __future__ import annotations

import json
from typing import Any

from localcloud.kube.addons import NAMESPACE, new_object, role_of_user
from localcloud.kube.layout import ClusterLayout
from localcloud.kube.pki import CLIENTS

PROVISIONER = "rancher.io/local-path"
DISKS = ("default", "managed", "managed-csi", "managed-csi-premium", "managed-premium")
SHARES = ("azurefile", "azurefile-csi", "azurefile-csi-premium", "azurefile-premium")
DEFAULT_CLASS = "default"


def _class(name: str) -> dict[str, Any]:
    share = name in SHARES
    # "local" honours fsGroup, which every pod that does not run as root needs; it is bound to a node, as a disk is.
    annotations = {"defaultVolumeType": "hostPath" if share else "local"}
    annotations["storageclass.kubernetes.io/is-default-class"] = str(name == DEFAULT_CLASS).lower()
    return new_object(
        "storage.k8s.io/v1",
        "StorageClass",
        name,
        metadata={"annotations": annotations},
        provisioner=PROVISIONER,
        reclaimPolicy="Delete",
        volumeBindingMode="Immediate" if share else "WaitForFirstConsumer",
    )


def objects() -> list[dict[str, Any]]:
    everything = ["get", "list", "watch", "create", "update", "patch", "delete"]
    rules = [
        {"apiGroups": [""], "resources": ["nodes", "persistentvolumeclaims"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["persistentvolumes", "pods"], "verbs": everything},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
        {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": ["get", "list", "watch"]},
    ]
    user, _ = CLIENTS["volumes"]
    account = new_object("v1", "ServiceAccount", "volume-helper", NAMESPACE)
    return [account, *role_of_user(user, rules), *map(_class, (*DISKS, *SHARES))]


def files(layout: ClusterLayout, image: str) -> dict[str, str]:
    """Path below the cluster's directory → content: the provisioner's configuration and the pod that makes or removes
    a directory."""
    disk = {"nodePathMap": [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [f"{layout.volumes}/disks"]}]}
    share = {"sharedFileSystemPath": f"{layout.volumes}/shares"}
    configuration = {
        "setupCommand": "/setup",
        "teardownCommand": "/teardown",
        "storageClassConfigs": {**dict.fromkeys(DISKS, disk), **dict.fromkeys(SHARES, share)},
    }
    helper = new_object(
        "v1",
        "Pod",
        "volume-helper",
        spec={
            "priorityClassName": "system-node-critical",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "helper", "image": image, "imagePullPolicy": "IfNotPresent"}],
        },
    )
    return {
        "volume-provisioner/config.json": json.dumps(configuration, indent=1),
        "volume-provisioner/helper-pod.yaml": json.dumps(helper, indent=1),
    }
