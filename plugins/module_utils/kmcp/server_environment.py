# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables that a server gets from two sides: `env` hides what a Secret of `secret_refs` has. No input or output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import Declared
from ansible_collections.mcpops.platform.plugins.module_utils.kube.apply import Target
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.references import (
    SECRET,
    Reference,
    mapping,
    mappings,
)
from ansible_collections.mcpops.platform.plugins.module_utils.kube.rotation import held_in, identity_of
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Refusal


def beside(servers: Sequence[Declared]) -> list[Target]:
    """The Secrets whose keys decide, to be read with the servers."""
    return [held for server in servers for held in held_in(server.namespace, _secrets(server))]


def clashes(server: Declared, live: Mapping[Identity, Object]) -> list[Refusal]:
    """Variables that both set; a Secret that is not there, or may not be read, has none."""
    env = mapping(server.deployment.get("env"))
    return [
        Refusal.because(
            f"env.{name}",
            f"Secret {server.namespace}/{secret.name} sets this variable too, and env would override it",
            "Remove it from env, or from the Secret.",
        )
        for secret in _secrets(server)
        for name in sorted(mapping((live.get(identity_of(server.namespace, secret)) or {}).get("data")))
        if name in env
    ]


def declared(objects: Iterable[Any]) -> dict[Identity, Object]:
    """The Secrets among objects that somebody declares, as they will be: with the keys of both fields in one."""
    found: dict[Identity, Object] = {}
    for one in objects:
        metadata = mapping(one.get("metadata")) if isinstance(one, Mapping) and one.get("kind") == "Secret" else {}
        if metadata.get("name") and metadata.get("namespace"):
            who = Identity("v1", "Secret", str(metadata["name"]), str(metadata["namespace"]))
            found[who] = {"data": {**mapping(one.get("data")), **mapping(one.get("stringData"))}}
    return found


def _secrets(server: Declared) -> list[Reference]:
    if not server.deployment.get("env"):
        return []
    return [
        Reference(SECRET, str(one["name"])) for one in mappings(server.deployment.get("secretRefs")) if one.get("name")
    ]
