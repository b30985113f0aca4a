# SPDX-License-Identifier: GPL-3.0-or-later
"""LOCALCLOUD_KUBECONFIG: a cluster somebody else runs plays every AKS cluster. It is never started or removed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from localcloud.clusters import ClusterBackend, ClusterError, ClusterInfo


class ExistingCluster(ClusterBackend):
    def __init__(self, kubeconfig: Path, kubectl: str = "kubectl") -> None:
        self.kubeconfig = kubeconfig
        self.kubectl = kubectl

    def _config(self) -> dict[str, Any]:
        try:
            config = yaml.safe_load(self.kubeconfig.read_text())
        except (OSError, yaml.YAMLError) as exc:
            raise ClusterError(f"LOCALCLOUD_KUBECONFIG={self.kubeconfig} cannot be read: {exc}") from exc
        if not isinstance(config, dict) or not config.get("clusters"):
            raise ClusterError(f"LOCALCLOUD_KUBECONFIG={self.kubeconfig} names no cluster.")
        return config

    def versions(self) -> list[str]:
        argv = [self.kubectl, "--kubeconfig", str(self.kubeconfig), "version", "-o", "json"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
        if done.returncode:
            raise ClusterError(f"The cluster of {self.kubeconfig} does not answer: {done.stderr.strip()}")
        # Providers add a suffix to the version: v1.35.4+k3s1
        return [json.loads(done.stdout)["serverVersion"]["gitVersion"].lstrip("v").split("+")[0].split("-")[0]]

    def default_version(self) -> str:
        return self.versions()[-1]

    def create(self, name: str, kubernetes_version: str, *, network_policy: bool = False) -> ClusterInfo:
        return self._info(name)

    def stop(self, name: str) -> None:
        """It is not ours to stop."""

    def delete(self, name: str) -> None:
        """It is not ours to delete."""

    def get(self, name: str) -> ClusterInfo | None:
        return self._info(name)

    def _info(self, name: str) -> ClusterInfo:
        server = self._config()["clusters"][0]["cluster"]["server"]
        return ClusterInfo(name, "running", server, self.versions()[-1])

    def admin_kubeconfig(self, name: str) -> dict[str, Any]:
        return self._config()
