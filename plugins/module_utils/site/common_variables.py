# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users write once for many roles: the variables `mcpops_*` that defaults of roles and playbooks read. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.site.inventory import PLATFORM_VARIABLE, Finding, Host
from ansible_collections.mcpops.platform.plugins.module_utils.site.unread_variables import texts

AZURE_AUTH = "mcpops_azure_auth"
KUBECONFIG = "mcpops_kubeconfig"
NONE_OF_LIST, NONE_OF_MAPPING = "[]", "{}"
# what every play hands to its tasks, with what it takes where the inventory says nothing
_OF_PLAYBOOKS = {AZURE_AUTH: NONE_OF_MAPPING, "mcpops_process_environment": NONE_OF_MAPPING}
_READ = re.compile(r"\b(mcpops_\w+)(?:\s*\|\s*default\(\s*([^)]*?)\s*\))?")
# a null says the same as these
_NO_TEXT = ("''", '""')


def read_by(defaults: Mapping[str, Any]) -> dict[str, str]:
    """Common variable → what is taken where the inventory lacks it, as the template has it; "" where it is needed.

    `defaults` are those of the roles that apply to a host, not rendered.
    """
    found = dict(_OF_PLAYBOOKS)
    for text in texts(defaults):
        for name, default in _READ.findall(text):
            # one role that cannot do without it is enough
            found[name] = default if found.get(name, default) else ""
    return found


def empty_findings(host: Host, options: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[Finding]:
    """Keys without a value, which is what is left when the last item below them is commented out.

    Of the roles' own variables only lists: null in another one of theirs may mean that the module leaves it alone.
    """
    for name, default in read_by(defaults).items():
        # of these a rule says what to write
        if name not in (PLATFORM_VARIABLE, KUBECONFIG) and default not in _NO_TEXT and _is_null(host, name):
            yield Finding(host.name, name, _told(default))
    for name, option in options.items():
        if option.get("type") == "list" and _is_null(host, name):
            yield Finding(host.name, name, _told(NONE_OF_LIST))


def _is_null(host: Host, name: str) -> bool:
    return name in host.written and name in host.variables and host.variables[name] is None


def _told(default: str) -> str:
    if not default:
        return "is empty (null). Give it a value, roles need it"
    if default in (NONE_OF_LIST, NONE_OF_MAPPING):
        return f"is empty (null). Remove the line to have the default, or write {default} for none"
    return "is empty (null). Remove the line to have the default, or give it a value"
