# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of a module as it would have them, for filters that say what would come of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator


def stated_options(spec: Mapping[str, Any], given: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """With their defaults, as the module has them; None where it would not take them."""
    stated = {name: _plain(value) for name, value in given.items() if value not in (None, "")}
    validated = ArgumentSpecValidator(dict(spec)).validate(stated)
    options: Mapping[str, Any] = validated.validated_parameters
    return None if validated.error_messages else options


def _plain(value: Any) -> Any:
    """What templates are rendered in when they are read: a copy of it would copy the template engine as well."""
    if isinstance(value, Mapping):
        return {key: _plain(below) for key, below in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
