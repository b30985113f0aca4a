# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The endpoints of a cloud: three that everybody knows, and any other by its metadata document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem, ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.run_cache import RunCache

METADATA_API_VERSION = "2022-09-01"
_GOOD_FOR_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Cloud:
    """Where to ask for tokens, for what audience, and where ARM answers (no trailing slash)."""

    resource_manager: str
    authority: str
    audience: str
    well_known: bool

    @property
    def scope(self) -> str:
        return f"{self.audience.rstrip('/')}/.default"


def _known(resource_manager: str, authority: str) -> Cloud:
    return Cloud(resource_manager, authority, resource_manager, True)


# the endpoints azure.core and azure.identity hold for the same names
_CLOUDS = {
    "azurecloud": _known("https://management.azure.com", "https://login.microsoftonline.com"),
    "azurechinacloud": _known("https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
    "azureusgovernment": _known("https://management.usgovcloudapi.net", "https://login.microsoftonline.us"),
}
_ALIASES = {
    "azure_public_cloud": "azurecloud",
    "azurepubliccloud": "azurecloud",
    "azure_china_cloud": "azurechinacloud",
    "azure_us_government": "azureusgovernment",
    "azureusgovernmentcloud": "azureusgovernment",
}


def find_cloud(name: str, authority_host: str, cache: RunCache, get_json: Callable[[str], Any]) -> Cloud:
    """The cloud called `name`, or the one whose ARM endpoint is the URL `name`; `get_json` reads one URL."""
    known = _CLOUDS.get(_ALIASES.get(name.lower(), name.lower()))
    if known is not None:
        cloud = known
    elif urlsplit(name).scheme == "https" and urlsplit(name).netloc:
        # a person may paste the document's own address as well as the endpoint
        endpoint = name.split("/metadata/endpoints", 1)[0].rstrip("/")
        cloud = Cloud(
            **cache.get_or_make(("arm-cloud", endpoint), lambda: (_discover(endpoint, get_json), _GOOD_FOR_SECONDS))
        )
    else:
        names = "AzureCloud, AzureChinaCloud, AzureUSGovernment"
        problem = f"{name!r} is neither a cloud ({names}) nor the https URL of an ARM endpoint"
        raise InvalidInput("Azure cloud", [Problem("cloud_environment", problem)])
    if not authority_host:
        return cloud
    host = authority_host if "://" in authority_host else f"https://{authority_host}"
    return Cloud(cloud.resource_manager, host.rstrip("/"), cloud.audience, cloud.well_known)


def _discover(endpoint: str, get_json: Callable[[str], Any]) -> dict[str, Any]:
    url = f"{endpoint}/metadata/endpoints?api-version={METADATA_API_VERSION}"
    document = get_json(url)
    try:
        authentication = document["authentication"]
        found = Cloud(
            resource_manager=str(document.get("resourceManager") or endpoint).rstrip("/"),
            authority=str(authentication["loginEndpoint"]).rstrip("/"),
            audience=str(authentication["audiences"][0]),
            well_known=False,
        )
    except (KeyError, IndexError, TypeError, AttributeError) as exc:
        raise ServiceError(
            f"Reading the cloud's endpoints at {url}",
            "the answer has no authentication.loginEndpoint and authentication.audiences",
            hint="Set cloud_environment to the URL of an Azure Resource Manager endpoint.",
        ) from exc
    return asdict(found)
