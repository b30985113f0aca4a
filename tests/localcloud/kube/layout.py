# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, addresses and directories of one cluster. Standard library only: the node helper imports it as root."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

# Inside a cluster's own network namespace, so the same ranges serve every cluster.
POD_NETWORK = "10.244.0.0/16"
NODE_POD_NETWORK = "10.244.0.0/24"
SERVICE_NETWORK = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_SERVICE_ADDRESS = "10.96.0.10"
API_PORT = 6443
HIGHEST_INDEX = 250
# The third number of public IP addresses of the local Azure: no cluster has it.
PUBLIC_INDEX = HIGHEST_INDEX + 1
# Where packets wait until the network policies have been asked.
POLICY_QUEUE = 100


def public_network(host_address: str) -> str:
    """Where public IP addresses of the local Azure are, of the same /16 as the host's own address."""
    return f"{'.'.join(host_address.split('.')[:2])}.{PUBLIC_INDEX}.0/24"


def directory_name(name: str) -> str:
    """A name that is safe as a directory, a cgroup and a host name, and different for different clusters."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-") or "cluster"
    if plain == name:
        return plain
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


@dataclass(frozen=True)
class ClusterLayout:
    """Everything that follows from a cluster's place on this machine; written to cluster.json."""

    name: str
    directory: str
    index: int
    instance: str  # which local cloud it belongs to
    host_address: str  # the host's end of the veth pair
    node_address: str  # the cluster's end: API server and kubelet
    cloud_address: str  # the host address where registry and Azure answer
    cloud_ports: tuple[int, ...]
    kubernetes_version: str
    network_policy: bool = False  # whether NetworkPolicies are enforced
    oidc_issuer: str = ""  # of service accounts' tokens, beside the API server's own

    @property
    def path(self) -> Path:
        return Path(self.directory)

    @property
    def node_name(self) -> str:
        return f"node-{self.path.name}"

    @property
    def interface(self) -> str:
        return f"lc{self.instance}-{self.index}"

    @property
    def cgroup(self) -> str:
        return f"localcloud-{self.instance}-{self.path.name}"

    @property
    def api_server(self) -> str:
        return f"https://{self.node_address}:{API_PORT}"

    @property
    def pki(self) -> Path:
        return self.path / "pki"

    @property
    def volumes(self) -> Path:
        """Where the provisioner makes directories for claims."""
        return self.path / "volumes"

    @property
    def public_network(self) -> str:
        """Addresses for Services of type LoadBalancer, which this host and connected clusters reach."""
        return f"{self._prefix}.64/26"

    @property
    def internal_network(self) -> str:
        """Such addresses that only the cluster itself reaches."""
        return f"{self._prefix}.128/26"

    @property
    def shared_network(self) -> str:
        """Public IP addresses of the local Azure: of no cluster, until a Service has one."""
        return public_network(self.node_address)

    @property
    def _prefix(self) -> str:
        return self.node_address.rpartition(".")[0]

    @property
    def public_addresses(self) -> Path:
        """Public IP addresses of the local Azure that Services may have, by GROUP/NAME."""
        return self.path / "public-addresses.json"

    @property
    def used_addresses(self) -> Path:
        """Which of them Services of this cluster have; written by the part that gives them out."""
        return self.path / "used-addresses.json"

    def addresses_in_use(self) -> frozenset[str]:
        try:
            found = json.loads(self.used_addresses.read_text())
        except (FileNotFoundError, ValueError):
            return frozenset()
        network = ipaddress.IPv4Network(self.shared_network)
        return frozenset(str(one) for one in found if ipaddress.IPv4Address(str(one)) in network)

    @property
    def audit_log(self) -> Path:
        return self.path / "audit" / "audit.log"

    @property
    def process_file(self) -> Path:
        """Written by the node helper while the cluster runs."""
        return self.path / "node.json"

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ClusterLayout:
        values = json.loads(text)
        return cls(**{**values, "cloud_ports": tuple(values["cloud_ports"])})


def lowest_free(taken: set[int]) -> int | None:
    """The index of a new cluster; 0 is the host's own."""
    return next((index for index in range(1, HIGHEST_INDEX + 1) if index not in taken), None)
