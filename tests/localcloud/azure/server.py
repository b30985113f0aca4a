# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve the local Azure over TLS on loopback: `python -m localcloud.azure.server`."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from localcloud.settings import Settings

from .app import create_app
from .config import AzureConfig

IP_FREEBIND = 15  # of Linux; Python has no name for it


class Protocol(H11Protocol):
    """uvicorn's own, which also tells the application its connection, so that a fault can break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state: dict[str, Any] = {**self.app_state, "transport": transport}

    def shutdown(self) -> None:
        """An idle client never answers the end of TLS; waiting for it would hold the server for seconds."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
        else:
            super().shutdown()


def uvicorn_config(app: ASGIApp, config: AzureConfig) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=config.address,
        port=config.port,
        http=Protocol,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
        ssl_certfile=str(config.certificate),
        ssl_keyfile=str(config.key),
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
    )


def listening(config: AzureConfig) -> list[socket.socket]:
    """On loopback for this host, and where clusters reach it; the second one may be an address that is yet to come."""
    own = [(address, config.port) for address in (config.address, config.cluster_address) if address]
    held = [(host.rpartition(":")[0], int(host.rpartition(":")[2])) for host in config.data_hosts]
    found = []
    for place in (*own, *held):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        listener.bind(place)
        found.append(listener)
    return found


def from_settings(settings: Settings) -> AzureConfig:
    return AzureConfig(
        state=settings.state / "azure",
        tenant_id=settings.tenant_id,
        subscription_id=settings.subscription_id,
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        address=settings.azure_address,
        cluster_address=settings.host_address,
        data_hosts=settings.data_hosts,
        public_network=settings.public_network,
        groups=(settings.admin_group_id,),
        port=settings.azure_port,
        certificate=settings.azure_cert_file,
        key=settings.azure_key_file,
    )


def main() -> int:
    from localcloud.kube.backend import from_settings as open_backend
    from localcloud.postgres import PostgresServers
    from localcloud.registry.attached import AttachedRegistries

    settings = Settings.load()
    config = from_settings(settings)
    app = create_app(config, open_backend(settings), AttachedRegistries(settings), PostgresServers(settings))
    uvicorn.Server(uvicorn_config(app, config)).run(sockets=listening(config))
    return 0


if __name__ == "__main__":
    sys.exit(main())
