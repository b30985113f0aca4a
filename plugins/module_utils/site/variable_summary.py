# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of a host as its roles get them, without what is secret, and where each was said. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcpops.platform.plugins.module_utils.kube.declared_secrets import argument_secrets
from ansible_collections.mcpops.platform.plugins.module_utils.masking import WHOLE, forms, mask
from ansible_collections.mcpops.platform.plugins.module_utils.plan import join
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import REDACTED, looks_secret, redact
from ansible_collections.mcpops.platform.plugins.module_utils.site.inventory import Host

Spec = Mapping[str, Any]

_WORD = re.compile(r"[A-Za-z_]\w*")

DEFAULT = "default"
INVENTORY = "inventory"
"""Where a variable comes from when nothing more is known."""


def of_host(
    host: Host,
    options: Mapping[str, Spec],
    defaults: Mapping[str, Any],
    origins: Mapping[str, str],
    vaulted: Collection[str],
    hidden: Collection[str],
) -> list[dict[str, Any]]:
    """A row for each variable that the host's roles and the playbooks read.

    `options` and `defaults` are those of its roles, the latter not rendered. `origins` says where the inventory sets a
    variable, `vaulted` are the names whose whole value is encrypted, and `hidden` the secrets that the inventory keeps
    in vaults.
    """
    secrets = {form for value in [*hidden, *_secrets(host.variables, options, defaults)] for form in forms(value)}
    rows = []
    for name in sorted({*host.variables, *host.deferred}):
        row: dict[str, Any] = {"name": name, "from": _origin(host, name, origins)}
        if name in host.deferred:
            row["known_later"] = _masked(redact(host.deferred[name]), secrets)
        elif (options.get(name) or {}).get("choices") and name not in vaulted:
            # one of a known list: a name such as aks_cluster_credential does not make it a secret
            row["value"] = host.variables[name]
        elif name in vaulted or (options.get(name) or {}).get("no_log"):
            value = host.variables[name]
            row["value"] = value if value in (None, "") else REDACTED
        else:
            row["value"] = _masked(_without_named(name, host.variables[name]), secrets)
        rows.append(row)
    return rows


def _origin(host: Host, name: str, origins: Mapping[str, str]) -> str:
    if name in host.written:
        return origins.get(name) or INVENTORY
    return host.spelled.get(name) or DEFAULT


def _secrets(variables: Mapping[str, Any], options: Mapping[str, Spec], defaults: Mapping[str, Any]) -> Iterator[str]:
    """What options that are not to be logged hold, and what a name, a form or a Secret tells."""
    for name, value in variables.items():
        # a variable that defaults of options follow holds what they hold
        followed = [option for option, text in defaults.items() if name in _WORD.findall(str(text))]
        specs = [options[option] for option in (name, *followed) if option in options]
        for spec in specs:
            validated = ArgumentSpecValidator({name: dict(spec)}).validate(
                {name: value}, validate_role_argument_spec=True
            )
            yield from map(str, validated._no_log_values)
        if not any(spec.get("choices") for spec in specs):
            yield from argument_secrets({name: value})


def _without_named(path: str, value: Any, beside: Any = None) -> Any:
    """A value without the leaves whose names say that they are secret, however short these are."""
    if isinstance(value, Mapping):
        named = next((value[key] for key in ("name", "key") if isinstance(value.get(key), str)), None)
        return {key: _without_named(join(path, str(key)), below, named) for key, below in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_named(f"{path}[{index}]", item) for index, item in enumerate(value)]
    if value not in (None, "") and looks_secret(path, value, beside):
        return REDACTED
    return redact(value) if isinstance(value, str) else value


def _masked(value: Any, secrets: Collection[str]) -> Any:
    return _one_sign(mask(value, secrets))


def _one_sign(value: Any) -> Any:
    """Whatever hides a secret looks the same."""
    if isinstance(value, Mapping):
        return {_one_sign(key): _one_sign(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_one_sign(item) for item in value]
    return REDACTED if value == WHOLE else value
