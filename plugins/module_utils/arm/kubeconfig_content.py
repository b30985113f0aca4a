# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A kubeconfig as text and as what it means: which contexts, which changes, which of its values are secret."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import MissingLibrary
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change, leaves

YAML_ERROR = ""
try:
    import yaml
except ImportError as _exc:
    yaml = None  # type: ignore[assignment]
    YAML_ERROR = str(_exc)

# below users[].user; everything there proves an identity, these are text worth hiding wherever they turn up
_CREDENTIALS = ("token", "client-key-data", "client-certificate-data", "password")
_LONG = 64


@dataclass(frozen=True)
class Kubeconfig:
    """`document` is None for text that is no kubeconfig."""

    text: str
    document: dict[str, Any] | None

    @property
    def contexts(self) -> list[str]:
        return [str(item["name"]) for item in _named(self.document, "contexts") if item.get("name")]

    @property
    def current_context(self) -> str:
        return str((self.document or {}).get("current-context") or "")

    @property
    def server(self) -> str:
        for item in _named(self.document, "clusters"):
            return str((item.get("cluster") or {}).get("server") or "")
        return ""

    def credentials(self) -> list[str]:
        users = [item.get("user") or {} for item in _named(self.document, "users")]
        return [str(user[key]) for user in users for key in _CREDENTIALS if user.get(key)]


def parse(text: str) -> Kubeconfig:
    if yaml is None:
        raise MissingLibrary("PyYAML", YAML_ERROR)
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        document = None
    return Kubeconfig(text, document if isinstance(document, dict) else None)


def differences(current: Kubeconfig | None, wanted: Kubeconfig) -> list[Change]:
    """Leaf by leaf; credentials are compared and not shown, long certificates are shown by their digest."""
    before = _flat(current.document) if current is not None else {}
    after = _flat(wanted.document)
    return [
        Change(
            path,
            _shown(before[path]) if path in before else ABSENT,
            _shown(after[path]) if path in after else ABSENT,
            secret=path.startswith("users"),
        )
        for path in sorted({*before, *after})
        if before.get(path, ABSENT) != after.get(path, ABSENT)
    ]


def _flat(document: Mapping[str, Any] | None) -> dict[str, Any]:
    """Leaves by path, the items of the three lists by their names: their order means nothing."""
    flat: dict[str, Any] = {}
    for key, value in (document or {}).items():
        if key in ("clusters", "contexts", "users") and isinstance(value, list):
            for item in _named(document, key):
                flat.update(leaves({k: v for k, v in item.items() if k != "name"}, f"{key}[{item.get('name')}]"))
        elif key not in ("apiVersion", "kind", "preferences"):
            flat.update(leaves(value, key))
    return flat


def _named(document: Mapping[str, Any] | None, key: str) -> list[dict[str, Any]]:
    found = (document or {}).get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _shown(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONG:
        return f"sha256:{hashlib.sha256(value.encode()).hexdigest()[:16]}"
    return value
