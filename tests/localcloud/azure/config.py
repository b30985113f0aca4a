# SPDX-License-Identifier: GPL-3.0-or-later
"""What one local Azure needs to know about itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

# A subscription that has been in use for a while; everything else has to be registered first, as in Azure.
REGISTERED_PROVIDERS = (
    "Microsoft.Features",
    "Microsoft.Resources",
    "Microsoft.Authorization",
    "Microsoft.Compute",
    "Microsoft.Network",
    "Microsoft.Storage",
    "Microsoft.ContainerService",
    "Microsoft.ManagedIdentity",
)


@dataclass(frozen=True)
class AzureConfig:
    """One local Azure: who may use it, where it keeps its state and how long its operations take at least."""

    state: Path  # a directory only its owner may enter
    tenant_id: str
    subscription_id: str
    client_id: str
    client_secret: str = field(repr=False)
    address: str = "127.0.0.1"
    # where clusters reach the same server
    cluster_address: str = ""
    port: int = 8443
    # ADDRESS:PORT of vaults and storage accounts, one each, where clusters and this host reach them
    data_hosts: tuple[str, ...] = ()
    # of public IP addresses; this one is for documentation (RFC 5737)
    public_network: str = "203.0.113.0/24"
    certificate: Path | None = None
    key: Path | None = None
    # Real operations last minutes; here they last as long as the work takes, but at least this long.
    operation_seconds: float = 0.2
    # AKS sends no polling hint, and SDKs then sleep 30 s. None is faithful; a number of milliseconds is quick.
    poll_milliseconds: int | None = 200
    registration_seconds: float = 0.5
    token_seconds: int = 3600
    # until Resource Manager finds a new principal of the directory; real ones take seconds to minutes
    replication_seconds: float = 0.5
    # of the directory, that the client is a member of
    groups: tuple[str, ...] = ()
    registered_providers: tuple[str, ...] = REGISTERED_PROVIDERS
    page_size: int = 500

    @property
    def endpoint(self) -> str:
        return f"https://{self.address}:{self.port}"
