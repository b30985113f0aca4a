# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables against the argument specification of a role, as Ansible itself would judge them when the role runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.mcpops.platform.plugins.module_utils.site.inventory import Finding, Host

Spec = Mapping[str, Any]


def main_entry_point(argument_specs: Any) -> dict[str, Any] | None:
    """The options of `main` in a role's meta/argument_specs.yml, or None where there are none."""
    specs = argument_specs.get("argument_specs") if isinstance(argument_specs, Mapping) else None
    main = specs.get("main") if isinstance(specs, Mapping) else None
    options = main.get("options") if isinstance(main, Mapping) else None
    return dict(options) if isinstance(options, Mapping) else None


def findings(host: Host, role: str, options: Spec) -> Iterator[Finding]:
    """What is wrong with a host's variables for a role; a variable that is not known yet is not judged."""
    for name, spec in options.items():
        if name in host.deferred:
            continue
        if name in host.variables:
            yield from of_variable(host, name, spec)
        elif spec.get("required"):
            yield Finding(host.name, f"role {role}", f"missing required arguments: {name}")


def of_variable(host: Host, name: str, spec: Spec) -> Iterator[Finding]:
    """What is wrong with one variable: told under its name, so that two roles with one fault tell it once."""
    value = host.variables[name]
    if spec.get("elements") == "dict" and isinstance(value, list):
        strange = [(index, entry) for index, entry in enumerate(value) if not isinstance(entry, Mapping)]
        for index, entry in strange:
            told = "is empty (null)" if entry is None else f"is a {type(entry).__name__}"
            yield Finding(host.name, f"{name}[{index}]", f"{told}, not a mapping of options")
        if strange:
            value = [entry for entry in value if isinstance(entry, Mapping)]
    validated = ArgumentSpecValidator({name: dict(spec)}).validate({name: value}, validate_role_argument_spec=True)
    for message in validated.error_messages:
        yield Finding(host.name, name, str(remove_values(message, validated._no_log_values)))
