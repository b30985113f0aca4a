# SPDX-License-Identifier: GPL-3.0-or-later
"""The OIDC issuers of clusters: what their service accounts' tokens are verified by, for whoever has the URL.

https://learn.microsoft.com/azure/aks/use-oidc-issuer: a URL of the cluster's own with a discovery document and the keys
behind it, which need no sign-in. That of Azure is a name in oic.prod-aks.azure.com, which nothing would resolve; here
it is a path of the local Azure, at the address that clusters and this host share. It answers for a stopped cluster too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.clusters import ClusterError

from .config import AzureConfig
from .wire import ArmError, Call, Reply

if TYPE_CHECKING:
    from .cloud import Cloud

CLUSTERS = "Microsoft.ContainerService/managedClusters"
Jwk = dict[str, Any]


def url(config: AzureConfig, location: str, name: str) -> str:
    """With the slash at its end: a federated credential has to have it too."""
    host = config.cluster_address or config.address
    return f"https://{host}:{config.port}/oidc/{location}/{config.tenant_id}/{name}/"


def keys_of(cloud: Cloud, issuer: str) -> list[Jwk] | None:
    """The keys of the cluster that has this issuer; None when none has, or it has none yet."""
    for cluster in cloud.store.find(kind=CLUSTERS):
        profile = cluster.body["properties"].get("oidcIssuerProfile") or {}
        if profile.get("issuerURL") == issuer:
            try:
                return cloud.backend.service_account_keys(cluster.private["backend"])
            except ClusterError:
                return None
    return None


def _issuer(call: Call) -> str:
    return url(call.cloud.config, call["location"], call["issuer"])


def _keys(call: Call) -> list[Jwk]:
    found = keys_of(call.cloud, _issuer(call))
    if found is None:
        raise ArmError(404, "NotFound", f"No cluster of this local cloud has the issuer {_issuer(call)}.")
    return found


def discovery(call: Call) -> Reply:
    _keys(call)
    issuer = _issuer(call)
    return Reply(
        200,
        {
            "issuer": issuer,
            "jwks_uri": f"{issuer}openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        },
    )


def keys(call: Call) -> Reply:
    return Reply(200, {"keys": _keys(call)})
