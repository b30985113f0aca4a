# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection to one API server: a keep-alive pool with TLS, proxy and credentials, and the guard at its end."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem
from ansible_collections.mcpops.platform.plugins.module_utils.http import (
    basic_auth,
    bypasses,
    connection_pool,
    environment_proxy,
    tls_context,
)
from ansible_collections.mcpops.platform.plugins.module_utils.intent import guard
from ansible_collections.mcpops.platform.plugins.module_utils.kube import exec_credential
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import Access
from ansible_collections.mcpops.platform.plugins.module_utils.kube.sdk import require, urllib3
from ansible_collections.mcpops.platform.plugins.module_utils.private_files import write_private
from ansible_collections.mcpops.platform.plugins.module_utils.task import Task

POOL_SIZE = 16
CONNECT_SECONDS = 10.0


class Transport:
    """Sends one request as it is told to; retries and meaning are the client's business."""

    def __init__(self, task: Task, access: Access) -> None:
        require()
        self.access = access
        self._task = task
        self._credential: Mapping[str, Any] = exec_credential.credential(task, access) if access.exec_spec else {}
        self.ssl_context = ssl_context(access, self._credential)
        self._pool = _pool(access, self.ssl_context)
        self._headers = self._identity()

    def send(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: float,
        preload: bool = True,
    ) -> Any:
        """One request; `target` is path and query. Returns urllib3's response, raises urllib3's exceptions."""
        sent = self._headers.copy()
        for name, value in headers.items():
            sent[name] = value
        url = self.access.server + target
        guard(self._task.check_mode, "kubernetes", method, url)
        return self._pool.request(
            method,
            url,
            body=body,
            headers=sent,
            timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, timeout), read=timeout),
            # a redirect or a silent second attempt would pass the guard by
            redirect=False,
            retries=False,
            preload_content=preload,
        )

    def renew(self) -> bool:
        """After a 401: a fresh credential from the plugin, if there is one."""
        if not self.access.exec_spec:
            return False
        exec_credential.forget(self._task, self.access)
        self._credential = exec_credential.credential(self._task, self.access)
        if self._credential.get("clientCertificateData"):
            self.ssl_context = ssl_context(self.access, self._credential)
            self._pool = _pool(self.access, self.ssl_context)
        self._headers = self._identity()
        return True

    @property
    def identity(self) -> Any:
        """The headers that say who asks, for connections that are not of the pool."""
        return self._headers

    def close(self) -> None:
        self._pool.clear()

    def _identity(self) -> Any:
        access = self.access
        headers = urllib3.HTTPHeaderDict({"User-Agent": "mcpops.platform", "Accept": "application/json"})
        token = self._credential.get("token") or access.token
        if token:
            headers["Authorization"] = f"Bearer {token}"
        elif access.username:
            headers["Authorization"] = basic_auth(f"{access.username}:{access.password or ''}".encode())
        if access.impersonate_user:
            headers["Impersonate-User"] = access.impersonate_user
        for group in access.impersonate_groups:
            headers.add("Impersonate-Group", group)
        return headers


def ssl_context(access: Access, credential: Mapping[str, Any]) -> ssl.SSLContext | None:
    """TLS as the kubeconfig asks for it; None for a plain HTTP server."""
    if not access.server.startswith("https://"):
        return None
    try:
        context = tls_context(ca_pem=access.ca_pem, verify=access.verify)
    except ssl.SSLError as exc:
        raise _invalid("certificate-authority", "holds no valid PEM certificate") from exc
    certificate = credential.get("clientCertificateData") or access.client_cert_pem
    key = credential.get("clientKeyData") or access.client_key_pem
    if certificate:
        _load_client_certificate(context, str(certificate), str(key or ""))
    return context


def _load_client_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """OpenSSL reads files only: they live in a private directory for the moment of loading."""
    with tempfile.TemporaryDirectory(prefix="mcpops-") as directory:
        path = Path(directory) / "client.pem"
        write_private(path, f"{certificate.rstrip()}\n{key}")
        try:
            context.load_cert_chain(path)
        except ssl.SSLError as exc:
            raise _invalid("client-certificate", "certificate and key do not match or are not PEM") from exc


def _pool(access: Access, context: ssl.SSLContext | None) -> Any:
    tls: dict[str, Any] = {"ssl_context": context} if context is not None else {}
    if context is not None and access.tls_server_name:
        tls |= {"server_hostname": access.tls_server_name, "assert_hostname": access.tls_server_name}
    if context is not None and not access.verify:
        tls["assert_hostname"] = False
    sizes: dict[str, Any] = {"num_pools": 2, "maxsize": POOL_SIZE, "block": True}
    return connection_pool("Kubernetes connection", proxy_for(access, os.environ), {**sizes, **tls})


def proxy_for(access: Access, environ: Mapping[str, str]) -> str | None:
    """The proxy for this server: option or kubeconfig, else the environment unless NO_PROXY excepts it."""
    if access.proxy:
        return None if bypasses(access.server, access.no_proxy or "") else access.proxy
    excepted = {"no_proxy": access.no_proxy} if access.no_proxy else {}
    return environment_proxy(access.server, {**environ, **excepted})


def _invalid(path: str, message: str) -> InvalidInput:
    return InvalidInput("Kubernetes connection", [Problem(path, message)])
