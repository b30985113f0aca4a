# SPDX-License-Identifier: GPL-3.0-or-later
"""LOCALCLOUD_KUBECONFIG: a cluster somebody else runs plays every AKS cluster. It is never started or removed."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from localcloud.clusters import ClusterBackend, ClusterError, ClusterInfo

# Keys of a kubeconfig that name a file, and the key under which its content would stand.
FILES = {
    "certificate-authority": "certificate-authority-data",
    "client-certificate": "client-certificate-data",
    "client-key": "client-key-data",
}


class ExistingCluster(ClusterBackend):
    def __init__(self, kubeconfig: Path, kubectl: str = "kubectl") -> None:
        self.kubeconfig = kubeconfig
        self.kubectl = kubectl

    def _error(self, problem: str) -> ClusterError:
        return ClusterError(f"LOCALCLOUD_KUBECONFIG={self.kubeconfig} {problem}")

    def _read(self) -> dict[str, Any]:
        try:
            config = yaml.safe_load(self.kubeconfig.read_text())
        except (OSError, yaml.YAMLError) as exc:
            raise self._error(f"cannot be read: {exc}") from exc
        if not isinstance(config, dict) or not config.get("clusters"):
            raise self._error("names no cluster.")
        return config

    def _named(self, config: dict[str, Any], section: str, name: str, inside: str) -> dict[str, Any]:
        """The entry of that name, with the files it names embedded: whoever is given it has other directories."""
        found = next((one[inside] for one in config.get(section) or [] if one["name"] == name), None)
        if found is None:
            raise self._error(f"has no {name!r} among its {section}.")
        entry = dict(found)
        for key, embedded in FILES.items():
            if key in entry:
                file = self.kubeconfig.parent / entry.pop(key)
                try:
                    entry[embedded] = base64.b64encode(file.read_bytes()).decode()
                except OSError as exc:
                    raise self._error(f"names {file}, which cannot be read: {exc.strerror}.") from exc
        return entry

    def _config(self) -> dict[str, Any]:
        """What its current context names, and nothing else of it."""
        config = self._read()
        name = config.get("current-context") or ""
        if not name:
            raise self._error("has no current-context: set one with `kubectl config use-context`.")
        context = self._named(config, "contexts", name, "context")
        cluster = self._named(config, "clusters", context["cluster"], "cluster")
        user = self._named(config, "users", context["user"], "user")
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": context["cluster"], "cluster": cluster}],
            "users": [{"name": context["user"], "user": user}],
            "contexts": [{"name": name, "context": {"cluster": context["cluster"], "user": context["user"]}}],
        }

    def versions(self) -> list[str]:
        argv = [self.kubectl, "--kubeconfig", str(self.kubeconfig), "version", "-o", "json"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
        if done.returncode:
            raise ClusterError(f"The cluster of {self.kubeconfig} does not answer: {done.stderr.strip()}")
        # Providers add a suffix to the version: v1.35.4+k3s1
        return [json.loads(done.stdout)["serverVersion"]["gitVersion"].lstrip("v").split("+")[0].split("-")[0]]

    def default_version(self) -> str:
        return self.versions()[-1]

    def create(
        self,
        name: str,
        kubernetes_version: str,
        *,
        network_policy: bool = False,
        entra_groups: tuple[str, ...] | None = None,
        oidc_issuer: str = "",
    ) -> ClusterInfo:
        """Whatever its issuer is to be: it stays what it is, and no token of its service accounts is exchanged."""
        if entra_groups is not None:
            raise self._error("is a cluster of others, which takes no tokens of the local Entra.")
        return self._info(name)

    def stop(self, name: str) -> None:
        """It is not ours to stop."""

    def delete(self, name: str) -> None:
        """It is not ours to delete."""

    def get(self, name: str) -> ClusterInfo | None:
        return self._info(name)

    def _info(self, name: str) -> ClusterInfo:
        return ClusterInfo(name, "running", self.server(), self.versions()[-1])

    def server(self) -> str:
        return str(self._config()["clusters"][0]["cluster"]["server"])

    def publish_addresses(self, name: str, addresses: Mapping[str, str]) -> None:
        """Its load balancers are its own."""

    def addresses_in_use(self, name: str) -> frozenset[str]:
        return frozenset()

    def service_account_keys(self, name: str) -> list[dict[str, Any]]:
        raise self._error("is a cluster of others, whose service accounts have another issuer.")

    def admin_kubeconfig(self, name: str) -> dict[str, Any]:
        return self._config()
