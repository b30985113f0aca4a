# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Azure libraries: imported here once, and missed with a sentence where they are used."""

from __future__ import annotations

import contextlib
import importlib

from ..errors import MissingLibrary

REQUIREMENT = "azure-identity>=1.25 azure-mgmt-core>=1.6"

try:
    from azure.core.credentials import AccessToken
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        ServiceRequestError,
        ServiceResponseError,
    )
    from azure.core.pipeline.policies import HeadersPolicy, RequestIdPolicy, UserAgentPolicy
    from azure.core.pipeline.transport import RequestsTransport
    from azure.core.rest import HttpRequest
    from azure.identity import (
        AzureCliCredential,
        CertificateCredential,
        ClientSecretCredential,
        CredentialUnavailableError,
        ManagedIdentityCredential,
        WorkloadIdentityCredential,
    )
    from azure.mgmt.core import ARMPipelineClient
    from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
except ImportError as _exc:
    IMPORT_ERROR: str | None = str(_exc)
    RequestsTransport = object  # a base class in transport.py
else:
    IMPORT_ERROR = None
    # azure-core imports these at the first request: here it is paid once a playbook, there once a task
    for _late in ("requests", "azure.core.rest._requests_basic"):
        with contextlib.suppress(ImportError):
            importlib.import_module(_late)

__all__ = [
    "ARMChallengeAuthenticationPolicy",
    "ARMPipelineClient",
    "AccessToken",
    "AzureCliCredential",
    "AzureError",
    "CertificateCredential",
    "ClientAuthenticationError",
    "ClientSecretCredential",
    "CredentialUnavailableError",
    "HeadersPolicy",
    "HttpRequest",
    "ManagedIdentityCredential",
    "RequestIdPolicy",
    "RequestsTransport",
    "ServiceRequestError",
    "ServiceResponseError",
    "UserAgentPolicy",
    "WorkloadIdentityCredential",
    "require_sdk",
]


def require_sdk() -> None:
    if IMPORT_ERROR is not None:
        raise MissingLibrary(REQUIREMENT, IMPORT_ERROR)
