# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges every answer of the local Azure by the SDKs: the status has to be one they accept, the body their model's.

`Oracle(app)` is an ASGI application around another one; what it finds wrong is in `violations`. Tests run the server
inside it, whoever the client is.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .routes import ARM_ROUTES, Route, match
from .sdk_schema import (
    COMPUTE,
    CONTAINER_REGISTRY,
    CONTAINER_SERVICE,
    DNS,
    KEY_VAULT,
    NETWORK,
    POSTGRES,
    PRIVATE_DNS,
    STORAGE,
    SdkOperation,
    model_schema,
    operations,
    shape,
)

SAMPLE = 12


@dataclass(frozen=True)
class Model:
    package: str
    name: str
    many: bool = False


AKS_TYPE = "/subscriptions/{}/resourcegroups/{}/providers/microsoft.containerservice/managedclusters"
ACR = "/subscriptions/{}/providers/microsoft.containerregistry"
ACR_TYPE = "/subscriptions/{}/resourcegroups/{}/providers/microsoft.containerregistry/registries"
VAULTS = "/subscriptions/{}/providers/microsoft.keyvault"
VAULT_TYPE = "/subscriptions/{}/resourcegroups/{}/providers/microsoft.keyvault/vaults"
ACCOUNTS = "/subscriptions/{}/providers/microsoft.storage"
SERVERS = "/subscriptions/{}/providers/microsoft.dbforpostgresql"
SERVER_TYPE = "/subscriptions/{}/resourcegroups/{}/providers/microsoft.dbforpostgresql/flexibleservers"
ADDRESSES = "publicipaddresses"
NETWORK_PLACES = tuple(
    f"{place}/providers/microsoft.network" for place in ("/subscriptions/{}", "/subscriptions/{}/resourcegroups/{}")
)
ACCOUNT_TYPE = "/subscriptions/{}/resourcegroups/{}/providers/microsoft.storage/storageaccounts"
# (verbs, path) → the model of a successful answer with a body. The SDKs for groups, providers, subscriptions and
# locations are not among our requirements: those routes have no model here.
MODELS: dict[tuple[str, str], Model] = {
    ("GET", "/subscriptions/{}/providers/microsoft.compute/skus"): Model(COMPUTE, "ResourceSku", many=True),
    ("GET", "/subscriptions/{}/providers/microsoft.compute/locations/{}/usages"): Model(COMPUTE, "Usage", many=True),
    ("GET", "/subscriptions/{}/providers/microsoft.containerservice/locations/{}/kubernetesversions"): Model(
        CONTAINER_SERVICE, "KubernetesVersionListResult"
    ),
    ("GET", "/subscriptions/{}/providers/microsoft.containerservice/managedclusters"): Model(
        CONTAINER_SERVICE, "ManagedCluster", many=True
    ),
    ("GET", AKS_TYPE): Model(CONTAINER_SERVICE, "ManagedCluster", many=True),
    **{(verb, f"{AKS_TYPE}/{{}}"): Model(CONTAINER_SERVICE, "ManagedCluster") for verb in ("GET", "PUT", "PATCH")},
    ("POST", f"{AKS_TYPE}/{{}}/listclusterusercredential"): Model(CONTAINER_SERVICE, "CredentialResults"),
    ("POST", f"{AKS_TYPE}/{{}}/listclusteradmincredential"): Model(CONTAINER_SERVICE, "CredentialResults"),
    ("GET", f"{AKS_TYPE}/{{}}/agentpools"): Model(CONTAINER_SERVICE, "AgentPool", many=True),
    **{(verb, f"{AKS_TYPE}/{{}}/agentpools/{{}}"): Model(CONTAINER_SERVICE, "AgentPool") for verb in ("GET", "PUT")},
    ("GET", f"{ACR}/registries"): Model(CONTAINER_REGISTRY, "Registry", many=True),
    ("GET", ACR_TYPE): Model(CONTAINER_REGISTRY, "Registry", many=True),
    **{(verb, f"{ACR_TYPE}/{{}}"): Model(CONTAINER_REGISTRY, "Registry") for verb in ("GET", "PUT", "PATCH")},
    ("POST", f"{ACR_TYPE}/{{}}/listcredentials"): Model(CONTAINER_REGISTRY, "RegistryListCredentialsResult"),
    ("POST", f"{ACR}/checknameavailability"): Model(CONTAINER_REGISTRY, "RegistryNameStatus"),
    ("GET", f"{VAULTS}/vaults"): Model(KEY_VAULT, "Vault", many=True),
    ("GET", VAULT_TYPE): Model(KEY_VAULT, "Vault", many=True),
    **{(verb, f"{VAULT_TYPE}/{{}}"): Model(KEY_VAULT, "Vault") for verb in ("GET", "PUT", "PATCH")},
    ("POST", f"{VAULTS}/checknameavailability"): Model(KEY_VAULT, "CheckNameAvailabilityResult"),
    ("GET", f"{VAULTS}/deletedvaults"): Model(KEY_VAULT, "DeletedVault", many=True),
    ("GET", f"{VAULTS}/locations/{{}}/deletedvaults/{{}}"): Model(KEY_VAULT, "DeletedVault"),
    ("GET", f"{SERVERS}/flexibleservers"): Model(POSTGRES, "Server", many=True),
    ("GET", SERVER_TYPE): Model(POSTGRES, "Server", many=True),
    **{(verb, f"{SERVER_TYPE}/{{}}"): Model(POSTGRES, "Server") for verb in ("GET", "PUT", "PATCH")},
    **{
        (verb, f"{SERVER_TYPE}/{{}}/{kind}/{{}}"): Model(POSTGRES, model)
        for verb in ("GET", "PUT")
        for kind, model in (
            ("databases", "Database"),
            ("firewallrules", "FirewallRule"),
            ("configurations", "Configuration"),
        )
    },
    ("PATCH", f"{SERVER_TYPE}/{{}}/configurations/{{}}"): Model(POSTGRES, "Configuration"),
    ("GET", f"{SERVER_TYPE}/{{}}/databases"): Model(POSTGRES, "Database", many=True),
    ("GET", f"{SERVER_TYPE}/{{}}/firewallrules"): Model(POSTGRES, "FirewallRule", many=True),
    ("POST", f"{SERVERS}/checknameavailability"): Model(POSTGRES, "NameAvailabilityModel"),
    ("GET", f"{ACCOUNTS}/storageaccounts"): Model(STORAGE, "StorageAccount", many=True),
    ("GET", ACCOUNT_TYPE): Model(STORAGE, "StorageAccount", many=True),
    **{(verb, f"{ACCOUNT_TYPE}/{{}}"): Model(STORAGE, "StorageAccount") for verb in ("GET", "PUT", "PATCH")},
    ("POST", f"{ACCOUNT_TYPE}/{{}}/listkeys"): Model(STORAGE, "StorageAccountListKeysResult"),
    ("POST", f"{ACCOUNTS}/checknameavailability"): Model(STORAGE, "CheckNameAvailabilityResult"),
    **{("GET", f"{place}/{ADDRESSES}"): Model(NETWORK, "PublicIPAddress", many=True) for place in NETWORK_PLACES},
    **{
        (verb, f"{NETWORK_PLACES[1]}/{ADDRESSES}/{{}}"): Model(NETWORK, "PublicIPAddress")
        for verb in ("GET", "PUT", "PATCH")
    },
    **{
        ("GET", f"{place}/{kind}"): Model(package, zone, many=True)
        for place in NETWORK_PLACES
        for kind, package, zone in (("dnszones", DNS, "Zone"), ("privatednszones", PRIVATE_DNS, "PrivateZone"))
    },
    **{
        (verb, f"{NETWORK_PLACES[1]}/{kind}/{{}}{path}"): Model(package, zone or "RecordSet", many)
        for kind, package, name in (("dnszones", DNS, "Zone"), ("privatednszones", PRIVATE_DNS, "PrivateZone"))
        for verb, path, zone, many in (
            ("GET", "", name, False),
            ("PUT", "", name, False),
            ("GET", "/{}", "", True),
            ("GET", "/{}/{}", "", False),
            ("PUT", "/{}/{}", "", False),
        )
    },
    ("POST", f"{AKS_TYPE}/{{}}/agentpools/{{}}/upgradenodeimageversion"): Model(CONTAINER_SERVICE, "AgentPool"),
    ("GET", f"{AKS_TYPE}/{{}}/agentpools/{{}}/upgradeprofiles/default"): Model(
        CONTAINER_SERVICE, "AgentPoolUpgradeProfile"
    ),
}


def key(route: Route) -> tuple[str, str]:
    return route.method, shape(route.path)


@lru_cache(maxsize=1)
def sdk_operations() -> dict[tuple[str, str], SdkOperation]:
    packages = (CONTAINER_SERVICE, COMPUTE, CONTAINER_REGISTRY, KEY_VAULT, NETWORK, DNS, PRIVATE_DNS, POSTGRES, STORAGE)
    found = (operation for package in packages for operation in operations(package))
    return {(operation.method, operation.path): operation for operation in found}


@lru_cache(maxsize=32)
def _validator(model: Model) -> Any:  # the library's class is not a type for mypy
    return Draft202012Validator(model_schema(model.package, model.name, model.many))


def judge(route: Route, status: int, body: bytes) -> list[str]:
    """What an SDK would find wrong with this answer; errors have no model and are not looked at."""
    where = f"{route.method} {route.path}"
    if status >= 400:
        return []
    operation = sdk_operations().get(key(route))
    wrong = []
    if operation is not None and status not in operation.codes:
        wrong.append(f"{where}: {status} is none of {sorted(operation.codes)}, which the SDK accepts")
    model = MODELS.get(key(route))
    if model is not None and body:
        for error in _validator(model).iter_errors(_sample(json.loads(body))):
            wrong.append(f"{where}: {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}")
    return wrong


def _sample(body: Any) -> Any:
    """Long lists are made by one function, and judging each of thousands of entries would take minutes."""
    values = body.get("value") if isinstance(body, dict) else None
    if not isinstance(values, list) or len(values) <= SAMPLE:
        return body
    return {**body, "value": values[:: len(values) // SAMPLE]}


class Oracle:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.violations: list[str] = []
        self.judged: Counter[tuple[str, str]] = Counter()  # answers by route, to see that something was judged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, parts = 0, []

        async def listen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, listen)
        found: tuple[Route, dict[str, Any]] | None = match(ARM_ROUTES, scope["method"], scope["path"])
        if found is not None and status:
            self.judged[key(found[0])] += 1
            self.violations += judge(found[0], status, b"".join(parts))
