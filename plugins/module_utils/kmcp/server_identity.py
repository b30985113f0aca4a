# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a server's Azure workload identity. No input or output.

The webhook that hands out tokens looks at two places: at the label of the pods, and at the annotations of their service
account. KMCP makes the account, or uses one of somebody else's; it never does both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import (
    IDENTITY_CLIENT,
    IDENTITY_LABEL,
    IDENTITY_TENANT,
    Declared,
)

Found = Iterator[tuple[str, str]]

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ANNOTATIONS: Mapping[str, str] = {"client_id": IDENTITY_CLIENT, "tenant_id": IDENTITY_TENANT}


def problems(server: Declared) -> Found:
    identity = server.options.get("workload_identity")
    if identity is None:
        return
    name = server.options.get("service_account_name")
    for option, annotation in _ANNOTATIONS.items():
        value = identity.get(option)
        if value and name is not None:
            yield (
                f"workload_identity.{option}",
                f"belongs to the account {name} of service_account_name, which KMCP does not change: annotate that "
                f"with {annotation}, or leave service_account_name out",
            )
        elif value and not _UUID.fullmatch(str(value)):
            yield f"workload_identity.{option}", f"{value!r} is not a UUID such as 00000000-0000-0000-0000-000000000000"
        elif value and _annotations(server).get(annotation) != value:
            yield f"workload_identity.{option}", f"contradicts the annotation {annotation} of service_account"
    if name is None and not identity.get("client_id"):
        yield "workload_identity.client_id", "is missing: the client ID of the identity that the server acts as"
    if _labels(server).get(IDENTITY_LABEL) != "true":
        yield "workload_identity", f'contradicts the label {IDENTITY_LABEL} of the pods, which must be "true"'


def warnings(server: Declared) -> Iterator[str]:
    """One of the two places without the other: the pods start, and get no token."""
    label, client = _labels(server).get(IDENTITY_LABEL), _annotations(server).get(IDENTITY_CLIENT)
    own_account = server.deployment.get("serviceAccountName") is None
    if client and label != "true":
        yield (
            f"service_account names a client ID and the pods have no label {IDENTITY_LABEL}: "
            '"true", so they get no token; workload_identity sets both.'
        )
    if label == "true" and not client and own_account:
        yield (
            f"the pods have the label {IDENTITY_LABEL} and their service account has no annotation {IDENTITY_CLIENT}, "
            "so they get no token; workload_identity sets both."
        )


def _labels(server: Declared) -> Mapping[str, Any]:
    return _mapping(server.deployment.get("labels"))


def _annotations(server: Declared) -> Mapping[str, Any]:
    return _mapping(_mapping(server.deployment.get("serviceAccount")).get("annotations"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
