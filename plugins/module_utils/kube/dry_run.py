# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Admission webhooks that refuse dry runs, and what can be told of a change without one. Pure."""

from __future__ import annotations

import re

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.kube.differences import differences
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Object
from ansible_collections.mcpops.platform.plugins.module_utils.kube.one_piece import replacement
from ansible_collections.mcpops.platform.plugins.module_utils.kube.ownership import undeclared_own
from ansible_collections.mcpops.platform.plugins.module_utils.kube.structure import Structure
from ansible_collections.mcpops.platform.plugins.module_utils.plan import Change

# the API server's own words for a webhook with side effects, and those of webhooks that look at dryRun themselves
_REFUSES = re.compile(
    r'admission webhook "(?P<name>[^"]+)" (?:does not support dry run|denied the request.*dry[- ]?run)',
    re.IGNORECASE | re.DOTALL,
)


def refusing_webhook(refused: ServiceError) -> str | None:
    """The name of the webhook that this dry run failed at, or None when it failed for another reason."""
    match = _REFUSES.search(refused.reason)
    return match["name"] if match else None


def estimate(live: Object, declared: Object, manager: str, structure: Structure) -> tuple[Change, ...]:
    """What applying the declaration changes as far as the declaration tells: no defaults, no other webhooks."""
    wanted = replacement(live, declared, undeclared_own(live, declared, manager, structure), structure)
    return differences(live, wanted, structure)
