# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the options of a task by their specification: all of it, each with its place.

Ansible's own validator tells the first kind of error only, of a key inside of a list not where it is, and never what
was meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values

from .errors import KnownLater, Problem
from .masking import mask
from .plan import join
from .text import kind_of

Spec = Mapping[str, Any]
_SHAPES = {"list": "a list: begin each entry with '- '", "dict": "a mapping of options"}


def unknown_option(name: str, known: Collection[str]) -> str:
    """What is wrong with the name of an option, for "<where> ..."."""
    near = difflib.get_close_matches(name, list(known), n=1)
    advice = f"did you mean {near[0]}?" if near else f"its options are {', '.join(known)}"
    return f"has an unknown option {name!r}: {advice}"


def task_problems(spec: Spec, rules: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of a task, which the validator has refused."""
    reported, sound = judged_apart(spec, arguments, "")
    beside, _params, hidden = validated_options(spec, sound, rules)
    return masked([*reported, *beside], hidden)


class _Later:
    """Stands for a value that nobody knows yet, in copies of options as well."""

    def __repr__(self) -> str:
        return "LATER"

    def __copy__(self) -> _Later:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> _Later:
        return self


LATER: Any = _Later()


class Partial(dict[str, Any]):
    """Options without those that are known later: who asks for one of them learns that."""

    def __init__(self, known: Mapping[str, Any], later: frozenset[str]) -> None:
        super().__init__({name: value for name, value in known.items() if name not in later})
        self._later = later

    def __missing__(self, key: str) -> Any:
        if key in self._later:
            raise KnownLater(key)
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        if key in self._later:
            raise KnownLater(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        if key in self._later:
            raise KnownLater(key)
        return super().__contains__(key)


def spec_problems(spec: Spec, arguments: Mapping[str, Any], path: str = "") -> list[Problem]:
    """What is wrong with the types, choices and names of options, each told with its place."""
    reported, _params, hidden = validated_options(spec, arguments, {})
    return masked(judged_apart(spec, arguments, path)[0] or reported, hidden) if reported else []


def masked(found: Sequence[Problem], secrets: set[str]) -> list[Problem]:
    return list(dict.fromkeys(Problem(problem.path, mask(problem.message, secrets)) for problem in found))


def validated_options(
    spec: Spec, arguments: Mapping[str, Any], rules: Mapping[str, Any]
) -> tuple[list[Problem], Partial, set[str]]:
    """What Ansible itself says, the options with their defaults, and the values that no message may show."""
    known_spec, known = _known(spec, arguments)
    names = _names(spec)
    later = frozenset(names.get(name, name) for name, value in arguments.items() if value is LATER)
    validator = ArgumentSpecValidator(known_spec, **_known_rules(rules, later))
    validated = validator.validate(known)
    reported = [Problem("", message) for message in messages(validated)]
    hidden = {str(value) for value in validated._no_log_values}
    return reported, _partial(validated.validated_parameters, arguments, spec), hidden


def messages(validated: Any) -> list[str]:
    return [str(remove_values(message, validated._no_log_values)) for message in validated.error_messages]


def _known(spec: Spec, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Spec and arguments without what is known later: what is not there can be neither wrong nor missing."""
    known_spec, known, names = dict(spec), dict(arguments), _names(spec)
    for name, value in arguments.items():
        below = (spec.get(name) or {}).get("options")
        if value is LATER:
            known_spec.pop(names.get(name, name), None)
            del known[name]
        elif below and isinstance(value, Mapping) and _has_later(value):
            options, known[name] = _known(below, value)
            known_spec[name] = {**spec[name], "options": options}
        elif below and isinstance(value, list) and any(isinstance(one, Mapping) and _has_later(one) for one in value):
            # of an entry's suboptions some may be wrong, and what is required of the others stands
            known_spec[name] = {
                **spec[name],
                "options": {key: {**rule, "required": False} for key, rule in below.items()},
            }
            known[name] = [_known(below, one)[1] if isinstance(one, Mapping) else one for one in value]
    return known_spec, known


def _has_later(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_later, value.values()))
    return any(map(_has_later, value)) if isinstance(value, list) else value is LATER


def _known_rules(rules: Mapping[str, Any], later: frozenset[str]) -> dict[str, Any]:
    """The rules of AnsibleModule that need none of the options that are known later."""
    if not later:
        return dict(rules)

    def needs(rule: Any) -> bool:
        return rule in later if isinstance(rule, str) else isinstance(rule, (list, tuple)) and any(map(needs, rule))

    return {
        kind: {name: needed for name, needed in listed.items() if not needs([name, needed])}
        if isinstance(listed, Mapping)
        else [rule for rule in listed if not needs(rule)]
        for kind, listed in rules.items()
    }


def _partial(params: Mapping[str, Any], arguments: Mapping[str, Any], spec: Spec) -> Partial:
    found = dict(params)
    for name, value in arguments.items():
        below = (spec.get(name) or {}).get("options")
        if below and isinstance(value, Mapping) and isinstance(found.get(name), Mapping):
            found[name] = _partial(found[name], value, below)
        elif below and isinstance(value, list) and isinstance(found.get(name), list):
            found[name] = [
                _partial(entry, stated, below) if isinstance(stated, Mapping) and _has_later(stated) else entry
                for entry, stated in zip(found[name], value)
            ]
    missing = {name for name, rule in spec.items() if rule.get("required") and found.get(name) is None}
    names = _names(spec)
    later = (names.get(name, name) for name, value in arguments.items() if value is LATER)
    return Partial(found, frozenset(missing.union(later)))


def _names(spec: Spec) -> dict[str, str]:
    """Name or alias → the name of the option."""
    return {alias: name for name, rule in spec.items() for alias in (name, *rule.get("aliases", ()))}


def judged_apart(spec: Spec, arguments: Mapping[str, Any], path: str) -> tuple[list[Problem], dict[str, Any]]:
    """What is wrong with each option by itself, and the arguments with LATER in the place of those."""
    names = _names(spec)
    given = {names.get(key, key) for key in arguments}
    reported: list[Problem] = []
    sound: dict[str, Any] = {}
    for key in sorted(str(key) for key in arguments if key not in names):
        reported.append(Problem(path, unknown_option(key, names)))
    missing = [name for name, rule in spec.items() if rule.get("required") and name not in given]
    if missing and path:
        reported.append(Problem(path, f"missing required arguments: {', '.join(missing)}"))
        sound.update(dict.fromkeys(missing, LATER))
    for key, value in arguments.items():
        if key in names:
            place = join(path, str(key))
            wrong, sound[key] = _option(spec[names[key]], key, value, place)
            reported += wrong
    return reported, sound


def _option(rule: Spec, name: str, value: Any, path: str) -> tuple[list[Problem], Any]:
    below = rule.get("options")
    if value is LATER or value is None:
        return [], value
    if below and rule.get("type") == "dict" and isinstance(value, Mapping):
        return judged_apart(below, value, path)
    if rule.get("elements") == "dict" and isinstance(value, list):
        entries = list(_entries(below, value, path))
        reported = [problem for wrong, _entry in entries for problem in wrong]
        return reported, LATER if any(entry is LATER for _wrong, entry in entries) else [
            entry for _wrong, entry in entries
        ]
    wanted = "dict" if rule.get("type") == "dict" else "list" if rule.get("type") == "list" else ""
    if (wanted == "list" and isinstance(value, Mapping)) or (wanted == "dict" and isinstance(value, (list, tuple))):
        return [Problem(path, f"is {kind_of(value)}, and must be {_SHAPES[wanted]}")], LATER
    alone = {key: part for key, part in rule.items() if key != "required"}
    found = messages(ArgumentSpecValidator({name: alone}).validate({name: value}))
    return [Problem(path, message) for message in found], LATER if found else value


def _entries(spec: Spec | None, value: Sequence[Any], path: str) -> Iterator[tuple[list[Problem], Any]]:
    for index, entry in enumerate(value):
        place = f"{path}[{index}]"
        if not isinstance(entry, Mapping):
            kind = "is empty (null)" if entry is None else f"is {kind_of(entry)}"
            yield [Problem(place, f"{kind}, not a mapping of options")], LATER
        else:
            yield judged_apart(spec, entry, place) if spec else ([], entry)
