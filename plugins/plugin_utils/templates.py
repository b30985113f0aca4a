# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renders files that a task names as templates, on the controller, where the variables are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError

from ..module_utils.errors import InvalidInput, Problem
from ..module_utils.option_problems import unknown_option
from .ansible_core import trust_as_template
from .plain_types import as_json
from .task_files import TEMPLATES, NotFound, find

if TYPE_CHECKING:
    from ansible.plugins.action import ActionBase

# the same names and defaults as ansible.builtin.template and kubernetes.core.k8s have
_SETTINGS: Mapping[str, Any] = {
    "newline_sequence": "\n",
    "block_start_string": None,
    "block_end_string": None,
    "variable_start_string": None,
    "variable_end_string": None,
    "comment_start_string": None,
    "comment_end_string": None,
    "trim_blocks": True,
    "lstrip_blocks": False,
}


def render(
    action: ActionBase, subject: str, option: str, given: Any, task_vars: dict[str, Any]
) -> list[dict[str, str]]:
    """Each template of an option as `{path, rendered}`; InvalidInput with everything that is wrong.

    `given` is a path, a mapping with `path` and settings of Jinja, or a list of these.
    """
    rendered: list[dict[str, str]] = []
    wrong: list[Problem] = []
    for number, one in enumerate(given if isinstance(given, (list, tuple)) else [given]):
        place = f"{option}[{number}]"
        stated = dict(one) if isinstance(one, Mapping) else {"path": one}
        path = stated.pop("path", None)
        unknown = sorted(str(key) for key in stated if key not in _SETTINGS)
        if not isinstance(path, str) or not path:
            wrong.append(Problem(place, "is neither the path of a template nor a mapping with path"))
        elif unknown:
            wrong += [Problem(place, unknown_option(name, _SETTINGS)) for name in unknown]
        else:
            try:
                source = find(action, TEMPLATES, path)
                rendered.append({"path": source, "rendered": _text(action, source, stated, task_vars)})
            except NotFound as exc:
                wrong.append(Problem(place, str(exc)))
            except AnsibleError as exc:
                wrong.append(Problem(place, f"{path} cannot be rendered: {_reason(exc)}"))
    if wrong:
        raise InvalidInput(subject, wrong)
    return rendered


def _text(action: ActionBase, source: str, stated: Mapping[str, Any], task_vars: dict[str, Any]) -> str:
    searched = [*task_vars.get("ansible_search_path", []), action._loader.get_basedir(), str(Path(source).parent)]
    places = [place for one in searched for place in (str(Path(one) / "templates"), str(one))]
    settings = {**_SETTINGS, **stated}
    templar = action._templar.copy_with_new_env(searchpath=places, available_variables=task_vars)
    template = trust_as_template(action._loader.get_text_file_contents(source))
    overrides = {key: value for key, value in settings.items() if value is not None}
    outcome = templar.template(template, escape_backslashes=False, overrides=overrides)
    # a template that is one expression gives what that is
    return outcome if isinstance(outcome, str) else "" if outcome is None else json.dumps(outcome, default=as_json)


def _reason(exc: AnsibleError) -> str:
    return " ".join(str(exc).split())
