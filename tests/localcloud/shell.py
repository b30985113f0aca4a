# SPDX-License-Identifier: GPL-3.0-or-later
"""`eval "$(localcloud env)"`: what any Azure, Kubernetes or Helm client needs, as shell."""

from __future__ import annotations

import os
import shlex

from localcloud.kube.backend import LocalClusters
from localcloud.settings import Settings


def kubeconfigs(settings: Settings) -> list[str]:
    """Of the clusters that run; each has a context of its own name."""
    if settings.kubeconfig:
        return [str(settings.kubeconfig)]
    clusters = LocalClusters(settings)
    running = {cluster.name for cluster in clusters.list() if cluster.state == "running"}
    return [str(layout.pki / "admin.kubeconfig") for layout in clusters.layouts() if layout.name in running]


def exports(settings: Settings) -> str:
    """The client secret is read when the shell evaluates this, so that it is in no terminal and no log."""
    secret = f'"$(cat {shlex.quote(str(settings.client_secret_file))})"'
    no_proxy = ",".join(filter(None, [os.environ.get("NO_PROXY", ""), "127.0.0.1", "localhost", settings.network]))
    plain = {
        # The SDKs' spelling and Ansible's.
        "AZURE_TENANT_ID": settings.tenant_id,
        "AZURE_TENANT": settings.tenant_id,
        "AZURE_CLIENT_ID": settings.client_id,
        "AZURE_SUBSCRIPTION_ID": settings.subscription_id,
        # A URL instead of a cloud's name: clients find the other endpoints there.
        "AZURE_CLOUD_ENVIRONMENT": settings.azure_endpoint,
        "AZURE_AUTHORITY_HOST": settings.azure_endpoint,
        # azure-cli reads this at every start and wants a list of clouds, which newer versions do not answer
        "ARM_CLOUD_METADATA_URL": f"{settings.azure_endpoint}/metadata/endpoints?api-version=2019-05-01",
        "REQUESTS_CA_BUNDLE": str(settings.ca_bundle_file),
        "SSL_CERT_FILE": str(settings.ca_bundle_file),
        "LOCALCLOUD_REGISTRY": settings.registry,
        "LOCALCLOUD_CA_FILE": str(settings.ca_file),
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }
    configs = kubeconfigs(settings)
    if configs:
        plain["KUBECONFIG"] = ":".join(configs)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in plain.items()]
    lines += [f"export {name}={secret}" for name in ("AZURE_CLIENT_SECRET", "AZURE_SECRET")]
    lines.append(f'export PATH={shlex.quote(str(settings.tools))}:"$PATH"')
    return "\n".join(lines)
