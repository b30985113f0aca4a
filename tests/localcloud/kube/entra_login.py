# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters that take the tokens of the local Entra. AKS does it by a webhook of its own; here it is the API server's
authentication configuration, with the same outcome: audience, issuer and signature are verified, an application is
called by its object id, and its groups count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localcloud.clusters import AKS_SERVER
from localcloud.kube.addons import new_object
from localcloud.settings import Settings

RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Issuer:
    """Who signs the tokens, where their keys are found, and the authority behind that server's certificate."""

    url: str
    discovery_url: str
    authority: str


def entra_issuer(settings: Settings) -> Issuer:
    base = f"https://{settings.host_address}:{settings.azure_port}/{settings.tenant_id}"
    return Issuer(
        url=f"https://sts.windows.net/{settings.tenant_id}/",
        discovery_url=f"{base}/.well-known/openid-configuration",
        authority=settings.ca_file.read_text(),
    )


def authentication_config(issuer: Issuer | None) -> dict[str, Any]:
    """The file of kube-apiserver's --authentication-config; without an issuer nobody's tokens but its own are taken."""
    trusted = []
    if issuer is not None:
        trusted.append(
            {
                "issuer": {
                    "url": issuer.url,
                    "discoveryURL": issuer.discovery_url,
                    "certificateAuthority": issuer.authority,
                    "audiences": [AKS_SERVER],
                },
                "claimMappings": {
                    "username": {"claim": "oid", "prefix": ""},
                    "groups": {"claim": "groups", "prefix": ""},
                },
            }
        )
    return {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": trusted}


def administrators(groups: tuple[str, ...]) -> list[dict[str, Any]]:
    """What AKS makes of adminGroupObjectIDs."""
    if not groups:
        return []
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
    subjects = [{"apiGroup": RBAC, "kind": "Group", "name": group} for group in groups]
    name = "aks-cluster-admin-binding-aad"
    return [new_object(f"{RBAC}/v1", "ClusterRoleBinding", name, roleRef=role, subjects=subjects)]
