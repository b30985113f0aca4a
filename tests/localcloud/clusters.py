# SPDX-License-Identifier: GPL-3.0-or-later
"""What the local Azure asks of whatever runs the Kubernetes behind an AKS cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

AKS_SERVER = "6dae42f8-4368-4678-94ff-3960e28e3630"
"""The application that tokens for the API servers of AKS are made for (kubelogin's docs, aks.md)."""


class ClusterError(Exception):
    """A cluster could not be started, stopped or removed; the message says why and where the log is."""


@dataclass(frozen=True)
class ClusterInfo:
    """A Kubernetes that exists. `name` is the backend's own name for it, unique on this machine."""

    name: str
    state: str  # "running" or "stopped"
    api_server: str  # https://address:port
    kubernetes_version: str  # of the binaries that really run, e.g. "1.35.4"


class ClusterBackend(Protocol):
    """Every call blocks until it is done and may be repeated: creating what runs changes nothing."""

    def versions(self) -> list[str]:
        """Full Kubernetes versions that can be started here, newest last."""

    def default_version(self) -> str:
        """The version that is at hand without building anything."""

    def create(
        self,
        name: str,
        kubernetes_version: str,
        *,
        network_policy: bool = False,
        entra_groups: tuple[str, ...] | None = None,
        oidc_issuer: str = "",
    ) -> ClusterInfo:
        """Start a cluster (or start it again with its data) and wait until its API and node are ready. With
        `network_policy` NetworkPolicies are enforced. With `entra_groups` it takes tokens of the local Entra, and who
        is in one of these groups administers it. With `oidc_issuer` the tokens of its service accounts name it as
        their issuer. A running cluster is started again to change any of them."""

    def stop(self, name: str) -> None:
        """End its processes and keep its data."""

    def delete(self, name: str) -> None:
        """End its processes and remove its data; absent is fine."""

    def get(self, name: str) -> ClusterInfo | None: ...

    def service_account_keys(self, name: str) -> list[dict[str, Any]]:
        """The keys (JWK) that the tokens of its service accounts are verified by, also while it is stopped."""

    def publish_addresses(self, name: str, addresses: Mapping[str, str]) -> None:
        """Let its Services have these public IP addresses, GROUP/NAME in small letters → address; absent is fine."""

    def addresses_in_use(self, name: str) -> frozenset[str]:
        """Those that its Services have."""

    def admin_kubeconfig(self, name: str) -> dict[str, Any]:
        """A kubeconfig with an embedded admin client certificate and the cluster's CA."""
