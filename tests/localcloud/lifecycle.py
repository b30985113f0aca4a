# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a local cloud up, take it down, and say what is there."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import ssl
import sys
import time
from pathlib import Path

from localcloud import certs, names, postgres
from localcloud.assemble import build, link_parts
from localcloud.clusters import ClusterError
from localcloud.files import Progress, key_of, locked, write_atomically
from localcloud.kube import cgroups, helper_client
from localcloud.kube.backend import LocalClusters
from localcloud.packages import process as packages
from localcloud.processes import ProcessError, Server
from localcloud.registry import attached
from localcloud.registry import server as registry
from localcloud.settings import Settings

PACKAGES = Path(__file__).resolve().parents[1]
AZURE_SECONDS = 60.0


def azure(settings: Settings) -> Server:
    return Server(settings, "azure")


def up(settings: Settings, progress: Progress, with_azure: bool = True) -> None:
    """Everything but clusters, which the local Azure starts when it is asked to. What runs already is left alone."""
    settings.make_directories()
    with locked(settings.state / ".lifecycle.lock", lambda: progress("another command is under way; waiting for it")):
        certs.ensure_certificates(settings)
        certs.ensure_bundle(settings)
        certs.ensure_client_secret(settings)
        parts = build(settings, progress)
        link_parts(settings, parts)
        helper_client.ensure_running(settings)
        helper_client.ask(settings, "network-up", address=settings.host_address)
        registry.ensure_running(settings, parts.node_parts)
        registry.seed(settings, parts.images, parts.charts, progress)
        progress(f"registry answers at https://{settings.registry}")
        packages.ensure_running(settings, parts.packages)
        if with_azure:
            ensure_azure_running(settings)
            progress(f"Azure answers at {settings.azure_endpoint}")
        write_atomically(settings.environment_file, json.dumps(environment(settings), indent=1) + "\n")


def environment(settings: Settings) -> dict[str, str]:
    """environment.json: what a client needs, for programs that would rather not read shell."""
    return {
        "azure_endpoint": settings.azure_endpoint,
        "ca_file": str(settings.ca_file),
        "tenant_id": settings.tenant_id,
        "subscription_id": settings.subscription_id,
        "client_id": settings.client_id,
        "admin_group_id": settings.admin_group_id,
        "client_secret_file": str(settings.client_secret_file),
        "registry": settings.registry,
        "registry_ca_file": str(settings.ca_file),
        "login_server": settings.demo_login_server,
        "packages": settings.packages,
        "kubectl": str(settings.tools / "kubectl"),
        "helm": str(settings.tools / "helm"),
        "state_dir": str(settings.state),
    }


def _azure_sources() -> str:
    return key_of(*(path.read_bytes() for path in sorted((PACKAGES / "localcloud").rglob("*.py"))))


def _azure_answers(settings: Settings) -> bool:
    context = ssl.create_default_context(cafile=str(settings.ca_file))
    address, port = settings.azure_address, settings.azure_port
    connection = http.client.HTTPSConnection(address, port, context=context, timeout=5)
    try:
        # Any answer will do: faults that somebody has set may make it an error.
        connection.request("GET", "/metadata/endpoints?api-version=2022-09-01")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def ensure_azure_running(settings: Settings) -> None:
    """Start it; start it again when its code is not what it was."""
    server, sources = azure(settings), _azure_sources()
    if server.pid() is not None and server.record().get("sources") != sources:
        server.stop()
    if server.pid() is None:
        variables = {
            **os.environ,
            **settings.environment(),
            "PYTHONPATH": str(PACKAGES),
            "PATH": f"{settings.tools}:{os.environ.get('PATH', '')}",
        }
        server.start([sys.executable, "-m", "localcloud.azure.server"], variables, sources)
    deadline = time.monotonic() + AZURE_SECONDS
    while not _azure_answers(settings):
        if server.pid() is None:
            raise server.failure("ended right after its start")
        if time.monotonic() > deadline:
            raise server.failure(f"does not answer at {settings.azure_endpoint} within {AZURE_SECONDS:.0f} s")
        time.sleep(0.05)


def leftovers(settings: Settings) -> list[str]:
    """What of this local cloud is on the machine besides files: interfaces, cgroups, mounts, processes."""
    found = [f"interface {path.name}" for path in Path("/sys/class/net").glob(f"lc{settings.instance}-*")]
    found += [f"cgroup {path}" for path in cgroups.existing(f"localcloud-{settings.instance}-")]
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    found += [f"mount {point}" for point in mounts if point.startswith(f"{settings.state}/")]
    for name in (
        "azure",
        "registry",
        "packages",
        "names",
        "node-helper",
        *attached.processes(settings),
        *postgres.processes(settings),
    ):
        pid = Server(settings, name).pid()
        if pid is not None:
            found.append(f"process {pid} ({name})")
    return found


def down(settings: Settings, progress: Progress, remove: bool = False) -> None:
    """End everything and check that nothing is left; with `remove` the state goes too."""
    if not settings.marker_file.exists():
        progress(f"there is no local cloud in {settings.state}")
        return
    with locked(settings.state / ".lifecycle.lock", lambda: progress("another command is under way; waiting for it")):
        settings.environment_file.unlink(missing_ok=True)
        azure(settings).stop()
        for name in attached.processes(settings):
            Server(settings, name).stop()
        for name in postgres.processes(settings):
            postgres.stop(settings, name)
        registry.server(settings).stop()
        packages.server(settings).stop()
        names.server(settings).stop()
        clusters = LocalClusters(settings).layouts()
        # Without anything of root's there is no need to become root.
        if helper_client.is_running(settings) or leftovers(settings) or (remove and clusters):
            helper_client.ensure_running(settings)
            left = helper_client.ask(settings, "down", remove=remove)["left"]
            if left:
                raise ClusterError(f"These are left and should not be: {', '.join(left)}. Run `localcloud down` again.")
            _wait_for_helper_to_leave(settings)
        left = leftovers(settings)
        if left:
            raise ClusterError(f"These are left and should not be: {', '.join(left)}. Run `localcloud down` again.")
        if remove:
            shutil.rmtree(settings.state)
    progress("everything is down" + (f"; {settings.state} is removed" if remove else f"; state is in {settings.state}"))


def _wait_for_helper_to_leave(settings: Settings, seconds: float = 10.0) -> None:
    helper, deadline = Server(settings, "node-helper"), time.monotonic() + seconds
    while helper.pid() is not None:
        if time.monotonic() > deadline:
            raise ProcessError(f"The node helper (process {helper.pid()}) does not end. See {helper.log_file}.")
        time.sleep(0.02)


def status(settings: Settings) -> list[tuple[str, str, str]]:
    """Rows of part, state and detail."""
    # Not at the top: every other command starts without loading the local Azure.
    from localcloud.azure import faults
    from localcloud.azure.names import of_backends

    rows = []
    details = {
        "node-helper": str(settings.helper_socket),
        "registry": f"https://{settings.registry}",
        "packages": settings.packages,
        "azure": settings.azure_endpoint,
    }
    for name, detail in details.items():
        pid = Server(settings, name).pid()
        rows.append((name, f"running (pid {pid})" if pid else "stopped", detail))
    owners = of_backends(settings.state / "azure" / faults.DATABASE)
    if settings.kubeconfig:
        rows.append(("every cluster", "not ours", f"what {settings.kubeconfig} names (LOCALCLOUD_KUBECONFIG)"))
    for cluster in LocalClusters(settings).list():
        whose = f"AKS {owners[cluster.name]}" if cluster.name in owners else "no AKS resource"
        detail = f"{cluster.api_server} {cluster.kubernetes_version}, {whose}"
        rows.append((f"cluster {cluster.name}", cluster.state, detail))
    return rows
