# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry on an Azure Database for PostgreSQL: the roles make the server, its database and what leads there.

A real PostgreSQL answers, which takes no connection without TLS, and none from where no rule lets in.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import mesh
from support.portal import Portal

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PASSWORD = "S3same/0pen:@%+ "
VERSION = "2026-10-01"
PLATFORM = [{"ansible.builtin.import_role": {"name": "mcpops.platform.azure_platform"}}]
MESH = [{"ansible.builtin.import_role": {"name": "mcpops.platform.mcp_mesh"}}]


@pytest.fixture
def portal(cloud: Any) -> Portal:
    return Portal(cloud.environment, cloud.secret)


@pytest.fixture
def group(portal: Portal) -> Iterator[str]:
    name = f"rg-db-{uuid.uuid4().hex[:8]}"
    yield name
    portal.request("DELETE", f"resourceGroups/{name}", version="2025-04-01")


ENCRYPTED = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"


def query(cloud: Any, cluster: Any, namespace: str, url: str, text: str = ENCRYPTED) -> str:
    """What psql says of it in a pod; the address is in a Secret of the pod's."""
    name = f"psql-{uuid.uuid4().hex[:6]}"
    container = {
        "name": "psql",
        "image": mesh.image(cloud, "library/postgres:15"),
        "command": ["sh", "-c", 'psql -At "$URL" -c "$SQL" 2>&1 || true'],
        "env": mesh.environment({"URL": url, "SQL": text}),
        "securityContext": mesh.CONTAINER_SECURITY,
    }
    spec = {"restartPolicy": "Never", "securityContext": mesh.POD_SECURITY, "containers": [container]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    mesh.apply(cluster, [pod])
    cluster.kubectl(
        "-n", namespace, "wait", f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=110s"
    )
    return str(cluster.kubectl("-n", namespace, "logs", name)).strip()


def test_a_registry_on_an_azure_database(
    cloud: Any,
    cluster: Any,
    namespace: str,
    portal: Portal,
    group: str,
    run_all: Callable[..., Any],
    mesh_images: None,
) -> None:
    server = f"pg-{uuid.uuid4().hex[:8]}"
    platform = {
        "mcpops_location": "eastus2",
        "mcpops_resource_group": group,
        "mcpops_environment": "it",
        "azure_platform_postgres_servers": [{"name": server, "login": "mesh_owner", "version": 15}],
        "azure_platform_postgres_passwords": {server: PASSWORD},
        "azure_platform_postgres_databases": [{"server": server, "name": "registry"}],
        "azure_platform_postgres_firewall_rules": [],
    }
    checked = run_all(PLATFORM, host=platform, check=True, diff=True).ok()
    made = run_all(PLATFORM, host=platform, diff=True, verbosity=3).ok()
    assert made.changed == checked.changed
    for run in (checked, made):
        assert PASSWORD.strip() not in run.output
    again = run_all(PLATFORM, host=platform).ok()
    assert again.changed == []
    body = portal.get(f"resourceGroups/{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{server}", VERSION)
    assert PASSWORD not in json.dumps(body)
    host = body["properties"]["fullyQualifiedDomainName"]

    # nobody is let in yet, whatever they know
    url = f"postgres://mesh_owner:S3same%2F0pen%3A%40%25%2B%20@{host}:5432/registry"
    assert "no pg_hba.conf entry" in query(cloud, cluster, namespace, f"{url}?sslmode=require")
    platform["azure_platform_postgres_firewall_rules"] = [{"server": server, "name": "azure", "first": "0.0.0.0"}]
    assert len(run_all(PLATFORM, host=platform).ok().changed) == 1
    mesh.until(lambda: query(cloud, cluster, namespace, f"{url}?sslmode=require") == "t")
    # without TLS nobody is, whatever the rules say
    assert "no encryption" in query(cloud, cluster, namespace, f"{url}?sslmode=disable")

    site = {
        "mcp_mesh_kubeconfig": str(cluster.kubeconfig),
        "mcp_mesh_namespace": namespace,
        "mcp_mesh_namespace_labels": {},
        "mcp_mesh_image": mesh.image(cloud, "mcpmesh/registry:3.7.1"),
        "mcp_mesh_replicas": 2,
        "mcp_mesh_backup": {"size": "64Mi"},
        "mcp_mesh_azure_database": {
            "host": host,
            "database": "registry",
            "login": "mesh_owner",
            "password": PASSWORD,
            "image": mesh.image(cloud, "library/postgres:15"),
        },
    }
    converged = run_all(MESH, host=site, diff=True, verbosity=3).ok()
    assert PASSWORD.strip() not in converged.output
    assert "S3same%2F0pen" not in converged.output
    assert run_all(MESH, host=site).ok().changed == []
    mesh.heartbeat(cluster, namespace, "dates-00000001", "dates", [])

    # the rows are in that database; a dump of it holds no password in its arguments
    cluster.kubectl("-n", namespace, "create", "job", "now", f"--from=cronjob/{mesh.REGISTRY_SERVICE}-backup")
    cluster.kubectl("-n", namespace, "wait", "job/now", "--for=condition=Complete", "--timeout=110s")
    assert "/backup/mesh-" in cluster.kubectl("-n", namespace, "logs", "job/now")
    assert query(cloud, cluster, namespace, f"{url}?sslmode=require", "select name from agents") == "dates"
