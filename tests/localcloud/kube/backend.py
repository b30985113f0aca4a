# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters of this machine, as the local Azure asks for them. Runs as the calling user; root is the node helper's."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from localcloud.assemble import node_binaries
from localcloud.binaries import kubernetes_version, kubernetes_versions
from localcloud.clusters import ClusterBackend, ClusterError, ClusterInfo
from localcloud.files import locked, write_atomically
from localcloud.images.catalog import COREDNS, PAUSE, VOLUME_HELPER
from localcloud.kube import (
    addons,
    credential_provider,
    helper_client,
    load_balancers,
    node_config,
    pki,
    policies,
    readiness,
    volumes,
)
from localcloud.kube.api import Api, ApiError
from localcloud.kube.entra_login import administrators, authentication_config, entra_issuer
from localcloud.kube.existing import ExistingCluster
from localcloud.kube.layout import ClusterLayout, directory_name, lowest_free
from localcloud.processes import start_time
from localcloud.progress import say
from localcloud.settings import DATABASE_PORT, Settings

READY_SECONDS = 120.0


def from_settings(settings: Settings) -> ClusterBackend:
    """Clusters of our own, or the one that LOCALCLOUD_KUBECONFIG names."""
    return ExistingCluster(settings.kubeconfig) if settings.kubeconfig else LocalClusters(settings)


def snapshotter(directory: Path) -> str:
    """overlayfs cannot lie on an overlay, which is what a container's own root is."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    points = {Path(line[1]): line[2] for line in mounts}
    deepest = max((point for point in points if directory.is_relative_to(point)), key=lambda p: len(p.parts))
    return "native" if points[deepest] == "overlay" else "overlayfs"


class LocalClusters(ClusterBackend):
    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    # --- what exists

    def layouts(self) -> list[ClusterLayout]:
        files = sorted(self.settings.clusters.glob("[!.]*/cluster.json"))
        return [ClusterLayout.from_json(file.read_text()) for file in files]

    def layout(self, name: str) -> ClusterLayout | None:
        file = self.settings.clusters / directory_name(name) / "cluster.json"
        return ClusterLayout.from_json(file.read_text()) if file.exists() else None

    def _started_at(self, layout: ClusterLayout) -> str | None:
        """When its processes were started, while they run."""
        try:
            record = json.loads(layout.process_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return str(record["started_at"]) if start_time(record["pid"]) == record["start_time"] else None

    def _info(self, layout: ClusterLayout) -> ClusterInfo:
        state = "running" if self._started_at(layout) else "stopped"
        return ClusterInfo(layout.name, state, layout.api_server, layout.kubernetes_version)

    # --- the interface

    def versions(self) -> list[str]:
        """Binaries that were given are of one version; otherwise what is missing is built."""
        return [kubernetes_version()] if self.settings.binaries else list(kubernetes_versions())

    def get(self, name: str) -> ClusterInfo | None:
        layout = self.layout(name)
        return self._info(layout) if layout else None

    def service_account_keys(self, name: str) -> list[dict[str, Any]]:
        layout = self.layout(name)
        if layout is None or not (layout.pki / "sa.pub").exists():
            raise ClusterError(f"There is no cluster {name}.")
        return [pki.service_account_key(layout)]

    def list(self) -> list[ClusterInfo]:
        return [self._info(layout) for layout in self.layouts()]

    def admin_kubeconfig(self, name: str) -> dict[str, Any]:
        layout = self.layout(name)
        if layout is None:
            raise ClusterError(f"There is no cluster {name}.")
        return pki.kubeconfig(layout, "admin")

    def publish_addresses(self, name: str, addresses: Mapping[str, str]) -> None:
        if (layout := self.layout(name)) is not None:
            write_atomically(layout.public_addresses, json.dumps(dict(addresses), sort_keys=True) + "\n", 0o644)

    def addresses_in_use(self, name: str) -> frozenset[str]:
        layout = self.layout(name)
        return layout.addresses_in_use() if layout is not None else frozenset()

    def default_version(self) -> str:
        return kubernetes_version()

    def create(
        self,
        name: str,
        kubernetes_version: str,
        *,
        network_policy: bool = False,
        entra_groups: tuple[str, ...] | None = None,
        oidc_issuer: str = "",
    ) -> ClusterInfo:
        if kubernetes_version not in self.versions():
            raise ClusterError(f"Kubernetes {kubernetes_version} is not here; these are: {', '.join(self.versions())}.")
        with self._exclusively(name):
            present = self.layout(name)
            asked = {"network_policy": network_policy, "oidc_issuer": oidc_issuer}
            if present is not None and any(getattr(present, part) != value for part, value in asked.items()):
                helper_client.ask(self.settings, "stop", directory=present.path.name)
            layout = self._ensure_layout(name, kubernetes_version, network_policy, oidc_issuer)
            if self._ensure_authentication(layout, entra_groups) and present is not None:
                helper_client.ask(self.settings, "stop", directory=layout.path.name)
            if self._started_at(layout) is None:
                self._write_files(layout)
                helper_client.ask(
                    self.settings,
                    "start",
                    directory=layout.path.name,
                    binaries=str(node_binaries(self.settings, kubernetes_version, say)),
                    parts=str(self.settings.node_parts),
                )
            self._wait_until_ready(layout, entra_groups or ())
            return self._info(layout)

    def stop(self, name: str) -> None:
        with self._exclusively(name):
            layout = self.layout(name)
            if layout is not None:
                helper_client.ask(self.settings, "stop", directory=layout.path.name)

    def delete(self, name: str) -> None:
        with self._exclusively(name):
            directory = self.settings.clusters / directory_name(name)
            if (directory / "cluster.json").exists():
                helper_client.ask(self.settings, "delete", directory=directory.name)
            elif directory.exists():
                shutil.rmtree(directory)  # a creation that was cut short before anything ran

    # --- steps

    def _exclusively(self, name: str) -> AbstractContextManager[None]:
        return locked(self.settings.clusters / f".{directory_name(name)}.lock")

    def _ensure_layout(
        self, name: str, version: str, network_policy: bool = False, oidc_issuer: str = ""
    ) -> ClusterLayout:
        settings = self.settings
        with locked(settings.clusters / ".index.lock"):
            present = self.layout(name)
            index = present.index if present else lowest_free({layout.index for layout in self.layouts()})
            if index is None:
                raise ClusterError(
                    "All addresses for clusters are taken. Delete one, or use another LOCALCLOUD_NETWORK."
                )
            layout = ClusterLayout(
                name=name,
                directory=str(settings.clusters / directory_name(name)),
                index=index,
                instance=settings.instance,
                host_address=settings.address(index, 1),
                node_address=settings.address(index, 2),
                cloud_address=settings.host_address,
                cloud_ports=(
                    settings.registry_port,
                    settings.azure_port,
                    settings.packages_port,
                    DATABASE_PORT,
                    *(int(host.rpartition(":")[2]) for host in (*settings.login_servers, *settings.data_hosts)),
                ),
                kubernetes_version=version,
                network_policy=network_policy,
                oidc_issuer=oidc_issuer,
            )
            layout.path.mkdir(exist_ok=True)
            layout.path.chmod(0o755)
            write_atomically(layout.path / "cluster.json", layout.to_json(), 0o644)
        return layout

    def _write_files(self, layout: ClusterLayout) -> None:
        pki.ensure_pki(layout)
        (layout.path / "cloud-ca.crt").write_bytes(self.settings.ca_file.read_bytes())
        files = {
            **node_config.files(
                layout,
                self.settings.node_parts,
                self.settings.registry,
                PAUSE,
                snapshotter(layout.path),
                self.settings.login_servers,
            ),
            **volumes.files(layout, f"{self.settings.registry}/{VOLUME_HELPER}"),
        }
        modes = {name: (content, 0o644) for name, content in files.items()}
        modes |= credential_provider.files(layout.path / "cloud-ca.crt", self.settings.login_servers)
        for name, (content, mode) in modes.items():
            file = layout.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, content, mode)

    def _ensure_authentication(self, layout: ClusterLayout, entra_groups: tuple[str, ...] | None) -> bool:
        """Write whose tokens the API server takes, and whether that has changed."""
        file, settings = layout.path / "authentication.json", self.settings
        trusted = entra_issuer(settings) if entra_groups is not None else None
        content = json.dumps(authentication_config(trusted), indent=1)
        if file.exists() and file.read_text() == content:
            return False
        write_atomically(file, content, 0o644)
        return True

    def _wait_until_ready(self, layout: ClusterLayout, entra_groups: tuple[str, ...]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        api = Api(layout)
        try:
            self._wait(layout, deadline, lambda: "" if api.is_ready() else "the API server does not answer /readyz")
            self._wait(layout, deadline, lambda: self._apply_addons(api, layout, entra_groups))
            since = self._started_at(layout) or ""
            self._wait(layout, deadline, lambda: self._not_ready_because(api, layout, since))
        finally:
            api.close()

    def _wait(self, layout: ClusterLayout, deadline: float, check: Callable[[], str]) -> None:
        reason = ""
        while True:
            if self._started_at(layout) is None:
                raise ClusterError(f"Cluster {layout.name} ended while it started. See the logs in {layout.path}/log.")
            try:
                reason = check()
            except (OSError, ApiError) as exc:
                reason = str(exc)
            if not reason:
                return
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"Cluster {layout.name} is not ready after {READY_SECONDS:.0f} s: {reason}. "
                    f"The logs of its processes are in {layout.path}/log."
                )
            time.sleep(0.1)

    def _apply_addons(self, api: Api, layout: ClusterLayout, entra_groups: tuple[str, ...]) -> str:
        for document in (
            *addons.cluster_dns(f"{self.settings.registry}/{COREDNS}"),
            *volumes.objects(),
            *policies.objects(),
            *load_balancers.objects(),
            *administrators(entra_groups),
        ):
            api.apply(document)
        return ""

    def _not_ready_because(self, api: Api, layout: ClusterLayout, since: str) -> str:
        reason = readiness.node_reason(api.get(f"/api/v1/nodes/{layout.node_name}"), since)
        if reason:
            return reason
        pods = api.get("/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns") or {}
        return readiness.dns_reason(pods.get("items", []), since)
