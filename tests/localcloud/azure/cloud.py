# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of one local Azure, tied together."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from localcloud.clusters import ClusterBackend
from localcloud.databases import DatabaseBackend, NoDatabases
from localcloud.registries import NoImages, RegistryBackend

from . import (
    agent_pools,
    cluster_work,
    container_registries,
    dns_zones,
    flexible_servers,
    groups,
    key_vaults,
    public_addresses,
    registry_import,
    registry_runs,
    server_contents,
    storage_accounts,
)
from .catalog import Catalog
from .config import AzureConfig
from .entra import Entra
from .faults import DATABASE, Faults
from .operations import OperationFailed, Operations
from .requestlog import RequestLog
from .sign_in import Codes
from .store import Operation, Resource, Store


class Cloud:
    def __init__(
        self,
        config: AzureConfig,
        backend: ClusterBackend,
        registries: RegistryBackend | None = None,
        databases: DatabaseBackend | None = None,
    ) -> None:
        config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.config = config
        self.backend = backend
        self.registries = registries or NoImages()
        self.databases = databases or NoDatabases()
        self.store = Store(config.state / DATABASE)
        self.faults = Faults(self.store)
        self.entra = Entra(config)
        self.codes = Codes()
        self.catalog = Catalog(self.faults)
        self.operations = self.make_operations()
        self.log = RequestLog(config.state)
        self.starter = cluster_work.Starter(self)
        # what the deletion of a group does with what it holds, beside forgetting it
        self.removals: dict[str, Callable[[Cloud, Resource], None]] = {
            container_registries.TYPE: container_registries.remove,
            flexible_servers.TYPE: flexible_servers.remove,
            key_vaults.TYPE: key_vaults.remove,
            public_addresses.TYPE: public_addresses.remove,
            **{zones.kind: dns_zones.remove for zones in (dns_zones.PUBLIC, dns_zones.PRIVATE)},
            storage_accounts.TYPE: storage_accounts.remove,
        }

    def make_operations(self) -> Operations:
        operations = Operations(self.store, self.config.operation_seconds, self._operation_fault)
        parts = (
            groups,
            cluster_work,
            agent_pools,
            container_registries,
            flexible_servers,
            registry_import,
            registry_runs,
            server_contents,
        )
        operations.works = {kind: work for part in parts for kind, work in part.works(self).items()}
        return operations

    def _operation_fault(self, operation: Operation) -> None:
        for fault in self.faults.active("operation-slow"):
            if fault.matches("PUT", operation.resource_id) and re.fullmatch(fault.options["operation"], operation.kind):
                self.faults.use(fault)
                time.sleep(fault.options["seconds"])
        for fault in self.faults.active("operation-failed"):
            if fault.matches("PUT", operation.resource_id) and re.fullmatch(fault.options["operation"], operation.kind):
                self.faults.use(fault)
                message = fault.options["message"] or f"The operation {operation.kind} failed on request of a test."
                raise OperationFailed(fault.options["code"], message)

    def publish_addresses(self) -> None:
        """After everything by which another identity may use another address."""
        public_addresses.publish(self)

    def start(self) -> None:
        """Go on where the previous server stopped: interrupted operations, and clusters that should be running."""
        container_registries.open_all(self)
        flexible_servers.open_all(self)
        self.operations.resume()
        self.starter.start()

    def close(self) -> None:
        self.operations.close()
        self.registries.close()
        self.databases.close()
        self.store.close()
