# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the templates of one host come to, before any task has run: values, and what is known later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible.errors import AnsibleError, AnsibleUndefinedVariable

from ..module_utils.errors import InvalidInput, Problem
from ..module_utils.option_problems import LATER
from ..module_utils.site.expressions import OMITTED, UNDECIDED, names_read, outcome
from ..module_utils.site.module_arguments import Call
from ..module_utils.site.roles import ModuleTask
from .ansible_core import AnsibleValueOmittedError, is_trusted_as_template
from .plain_types import plain_arguments


@dataclass(frozen=True)
class Rendered:
    """Variables with their values; of the others, why they have none yet."""

    values: dict[str, Any] = field(default_factory=dict)
    deferred: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    """Those that no later task can make right, with the reason."""
    unwritable: list[Problem] = field(default_factory=list)
    """What no JSON can hold, with its place."""


class HostValues:
    """The templates of one host. What was rendered once is not rendered again where others read it."""

    def __init__(self, templar: Any, variables: Mapping[str, Any]) -> None:
        self._variables = dict(variables)
        self._templar = templar.copy_with_new_env(available_variables=self._variables)
        self._known = Rendered()
        self._seen: set[str] = set()
        """What was rendered because others read it."""

    def _render_first(self, raw: Any) -> None:
        """The variables that a template reads, once for all templates that do.

        Ansible would render them for each template anew, with all that they read in turn. One that cannot be rendered
        is left for its readers to say so.
        """
        for name in names_read(str(raw)) if _is_template(raw) else ():
            if name in self._seen or not _is_template(inner := self._variables.get(name)):
                continue
            self._seen.add(name)
            self._render_first(inner)
            try:
                self._variables[name] = self._templar.template(inner)
            except (AnsibleError, AnsibleValueOmittedError):
                continue

    def rendered(self, wanted: Iterable[str]) -> Rendered:
        """Those of the wanted variables that the host has."""
        known = self._known
        for name in wanted:
            if name not in self._variables or name in known.values or name in known.deferred:
                continue
            try:
                raw = self._variables[name]
                value = outcome(raw, known.values, self._variables) if _is_template(raw) else UNDECIDED
                if value is UNDECIDED:
                    self._render_first(raw)
                    value = plain_arguments("", {name: self._templar.template(raw)}).arguments[name]
                # what is omitted is as if nobody had set it
                if value is not OMITTED:
                    known.values[name] = self._variables[name] = value
            except AnsibleValueOmittedError:
                continue
            except InvalidInput as exc:
                known.deferred[name] = "it cannot be written as JSON"
                known.unwritable.extend(exc.problems)
            except AnsibleUndefinedVariable as exc:
                known.deferred[name] = reason(exc)
            except AnsibleError as exc:
                known.deferred[name] = known.broken[name] = reason(exc)
        return known

    def calls(self, task: ModuleTask) -> Iterator[Call]:
        """The runs of a task that its conditions and its loop give already now."""
        here = self._here(task, {})
        if task.loop is None:
            yield from self._call(task, here, Call({}))
            return
        items = here.value(task.loop, {}, "")
        for index, item in enumerate(items if isinstance(items, list) else ()):
            inside = self._here(task, {task.loop_variable: item})
            yield from self._call(task, inside, Call({}, entry=(task.loop_variable, str(index)), item=item))

    def _here(self, task: ModuleTask, loop: Mapping[str, Any]) -> _Scope:
        if not task.variables and not loop:
            return _Scope(self._templar, self._known.values, self._variables)
        existing = {**self._variables, **task.variables, **loop}
        known = {name: value for name, value in self._known.values.items() if name not in task.variables}
        return _Scope(self._templar.copy_with_new_env(available_variables=existing), {**known, **loop}, existing)

    def _call(self, task: ModuleTask, here: _Scope, call: Call) -> Iterator[Call]:
        if all(here.holds(condition) for condition in task.conditions):
            failed: dict[str, str] = {}
            if here.existing is self._variables:
                for raw in task.arguments.values():
                    self._render_first(raw)
            found = {option: here.value(raw, failed, option) for option, raw in task.arguments.items()}
            given = {option: value for option, value in found.items() if value is not OMITTED}
            yield replace(call, arguments=given, failed=failed)


@dataclass(frozen=True)
class _Scope:
    """What expressions of one task see: variables, and which of them have values already."""

    templar: Any
    known: Mapping[str, Any]
    existing: Mapping[str, Any]

    def value(self, raw: Any, failed: dict[str, str], option: str) -> Any:
        """The value, LATER or OMITTED; why an expression fails goes to `failed`."""
        if isinstance(raw, Mapping):
            below = {key: self.value(value, failed, option) for key, value in raw.items()}
            return {key: value for key, value in below.items() if value is not OMITTED}
        if isinstance(raw, (list, tuple)):
            items = [self.value(value, failed, option) for value in raw]
            return LATER if any(item is LATER for item in items) else [item for item in items if item is not OMITTED]
        simple = outcome(raw, self.known, self.existing) if _is_template(raw) else raw
        if simple is not UNDECIDED:
            return simple
        try:
            return plain_arguments("", {option: self.templar.template(raw)}).arguments[option]
        except AnsibleValueOmittedError:
            return OMITTED
        except (AnsibleUndefinedVariable, InvalidInput):
            return LATER
        except AnsibleError as exc:
            failed[option] = reason(exc)
            return LATER

    def holds(self, condition: Any) -> bool:
        """Whether a condition is met; what nobody can tell yet is not judged."""
        try:
            return bool(self.templar.evaluate_conditional(condition))
        except AnsibleError:
            return False


def _is_template(raw: Any) -> bool:
    return isinstance(raw, str) and "{" in raw and is_trusted_as_template(raw)


def reason(exc: Exception) -> str:
    """The first line of Ansible's explanation; the rest shows sources."""
    return str(exc).strip().splitlines()[0]
