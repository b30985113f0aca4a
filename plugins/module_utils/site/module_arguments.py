# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the specifications of roles and the modules of their tasks would refuse.

Reported for the variables that a user wrote, some of which are known later.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values

from ..arm.options import azure_argument_spec, cloud_problems
from ..errors import KnownLater, Problem
from ..kube.manifests import argument_secrets
from ..masking import forms, mask
from ..plan import join
from .inventory import PLATFORM_VARIABLE, Finding, Host, handed_on, texts_in
from .roles import ModuleTask, variable_path, written_path

Spec = Mapping[str, Any]


class _Later:
    """Stands for a value that nobody knows yet."""

    def __repr__(self) -> str:
        return "LATER"


LATER: Any = _Later()
# an option of an entry of a list
_IN_ENTRY = re.compile(r"\w+\[\d+\](?=\.)")


class Module(Protocol):
    ARGUMENT_SPEC: Spec
    PROBLEMS: Callable[[Mapping[str, Any]], Sequence[Problem]]


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


def argument_problems(module: Module, arguments: Mapping[str, Any]) -> list[Problem]:
    """Everything that the module would refuse; LATER stands for arguments that are not known yet."""
    rules = getattr(module, "RULES", {})
    reported, params, hidden = _validated(module.ARGUMENT_SPEC, arguments, rules)
    if reported:
        # one option that is wrong hides no fault of the others
        reported, sound = _apart(module.ARGUMENT_SPEC, arguments, "")
        beside, params, _hidden = _validated(module.ARGUMENT_SPEC, sound, rules)
        reported += beside
    try:
        own = list(module.PROBLEMS(params))
    except KnownLater:
        own = []
    # what a rule says of an entry that is wrong in itself may follow from that
    entries = {entry[0] for problem in reported if (entry := _IN_ENTRY.match(problem.path))}
    places = {problem.path for problem in reported}
    follows = [problem.path in places or any(map(problem.path.startswith, entries)) for problem in own]
    found = [*reported, *(problem for problem, known in zip(own, follows) if not known)]
    secrets = {form for value in argument_secrets(dict(arguments)) for form in forms(value)} if found else set()
    return _masked(found, secrets | hidden)


def spec_problems(spec: Spec, arguments: Mapping[str, Any], path: str = "") -> list[Problem]:
    """What is wrong with the types, choices and names of options, each told with its place."""
    reported, _params, hidden = _validated(spec, arguments, {})
    return _masked(_apart(spec, arguments, path)[0] or reported, hidden) if reported else []


def _masked(found: Sequence[Problem], secrets: set[str]) -> list[Problem]:
    return list(dict.fromkeys(Problem(problem.path, mask(problem.message, secrets)) for problem in found))


def _validated(
    spec: Spec, arguments: Mapping[str, Any], rules: Mapping[str, Any]
) -> tuple[list[Problem], Partial, set[str]]:
    """What Ansible itself says, the options with their defaults, and the values that no message may show."""
    known_spec, known = _known(spec, arguments)
    later = frozenset(name for name, value in arguments.items() if value is LATER)
    validator = ArgumentSpecValidator(known_spec, **_known_rules(rules, later))
    validated = validator.validate(known)
    reported = [Problem("", message) for message in _messages(validated)]
    hidden = {str(value) for value in validated._no_log_values}
    return reported, _partial(validated.validated_parameters, arguments, spec), hidden


def _messages(validated: Any) -> list[str]:
    return [str(remove_values(message, validated._no_log_values)) for message in validated.error_messages]


def _known(spec: Spec, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Spec and arguments without what is known later: what is not there can be neither wrong nor missing."""
    known_spec, known = dict(spec), dict(arguments)
    for name, value in arguments.items():
        below = (spec.get(name) or {}).get("options")
        if value is LATER:
            known_spec.pop(name, None)
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
    return Partial(found, frozenset(missing.union(name for name, value in arguments.items() if value is LATER)))


def _apart(spec: Spec, arguments: Mapping[str, Any], path: str) -> tuple[list[Problem], dict[str, Any]]:
    """What is wrong with each option by itself, and the arguments with LATER in the place of those."""
    names = {alias: name for name, rule in spec.items() for alias in (name, *rule.get("aliases", ()))}
    reported: list[Problem] = []
    sound: dict[str, Any] = {}
    unknown = [str(key) for key in arguments if key not in names]
    if unknown:
        known = ", ".join(sorted(spec))
        reported.append(
            Problem(path, f"has an unknown option: {', '.join(unknown)}. Supported parameters include: {known}.")
        )
    missing = [name for name, rule in spec.items() if rule.get("required") and name not in arguments]
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
        return _apart(below, value, path)
    if rule.get("elements") == "dict" and isinstance(value, list):
        entries = list(_entries(below, value, path))
        reported = [problem for wrong, _entry in entries for problem in wrong]
        return reported, LATER if any(entry is LATER for _wrong, entry in entries) else [
            entry for _wrong, entry in entries
        ]
    alone = {key: part for key, part in rule.items() if key != "required"}
    messages = _messages(ArgumentSpecValidator({name: alone}).validate({name: value}))
    return [Problem(path, message) for message in messages], LATER if messages else value


def _entries(spec: Spec | None, value: Sequence[Any], path: str) -> Iterator[tuple[list[Problem], Any]]:
    for index, entry in enumerate(value):
        place = f"{path}[{index}]"
        if not isinstance(entry, Mapping):
            kind = "is empty (null)" if entry is None else f"is a {type(entry).__name__}"
            yield [Problem(place, f"{kind}, not a mapping of options")], LATER
        else:
            yield _apart(spec, entry, place) if spec else ([], entry)


AZURE_AUTH = "mcpops_azure_auth"
KUBECONFIG = "mcpops_kubeconfig"
NONE_OF_LIST, NONE_OF_MAPPING = "[]", "{}"
NO_TEXT = "is empty. Give it a value, roles need it (an environment variable that is not set gives none)"
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
    for text in texts_in(defaults):
        for name, default in _READ.findall(text):
            # one role that cannot do without it is enough
            found[name] = default if found.get(name, default) else ""
    return found


def empty_findings(host: Host, options: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[Finding]:
    """Keys without a value, which is what is left when the last item below them is commented out, and empty texts.

    Of the roles' own variables only lists: null in another one of theirs may mean that the module leaves it alone. A
    text is needed where a default hands on a variable that has none; an empty one is what an environment variable that
    is not set comes to, and would reach the service.
    """
    common = read_by(defaults)
    for name, default in common.items():
        # of these a rule says what to write
        if name in (PLATFORM_VARIABLE, KUBECONFIG):
            continue
        if default not in _NO_TEXT and _is_null(host, name):
            yield Finding(host.name, name, _quoted_default(default))
        elif not default and _is_blank(host, name):
            yield Finding(host.name, name, NO_TEXT)
    for name, option in options.items():
        if option.get("type") == "list" and _is_null(host, name):
            yield Finding(host.name, name, _quoted_default(NONE_OF_LIST))
        read = _READ.findall(str(defaults.get(name, "")))
        if any(not default and one != KUBECONFIG for one, default in read) and _is_blank(host, name):
            yield Finding(host.name, name, NO_TEXT)


def azure_auth_findings(host: Host) -> Iterator[Finding]:
    """The options that the playbooks hand to every Azure module; core merges them before a module can judge them."""
    given = host.get(AZURE_AUTH)
    spec = azure_argument_spec()
    if given is None:
        return
    if not isinstance(given, Mapping):
        reported = f"is a {type(given).__name__}, not a mapping of options. Its options are {', '.join(spec)}"
        yield Finding(host.name, AZURE_AUTH, reported)
        return
    for name in sorted(str(key) for key in given if key not in spec):
        near = difflib.get_close_matches(name, spec, n=1)
        advice = f"did you mean {near[0]}?" if near else f"its options are {', '.join(spec)}"
        yield Finding(host.name, AZURE_AUTH, f"has an unknown option {name!r}: {advice}")
    known = {name: value for name, value in given.items() if name in spec}
    for problem in spec_problems(spec, known):
        yield Finding(host.name, AZURE_AUTH, problem.message)
    for problem in cloud_problems(given.get("cloud_environment")):
        yield Finding(host.name, f"{AZURE_AUTH}.{problem.path}", problem.message)


def _is_blank(host: Host, name: str) -> bool:
    value = host.variables.get(name)
    return name in host.written and isinstance(value, str) and not value.strip()


def _is_null(host: Host, name: str) -> bool:
    return name in host.written and name in host.variables and host.variables[name] is None


def _quoted_default(default: str) -> str:
    if not default:
        return "is empty (null). Give it a value, roles need it"
    if default in (NONE_OF_LIST, NONE_OF_MAPPING):
        return f"is empty (null). Remove the line to have the default, or write {default} for none"
    return "is empty (null). Remove the line to have the default, or give it a value"


ArgumentSpec = Mapping[str, Any]


def main_entry_point(argument_specs: Any) -> dict[str, Any] | None:
    """The options of `main` in a role's meta/argument_specs.yml, or None where there are none."""
    specs = argument_specs.get("argument_specs") if isinstance(argument_specs, Mapping) else None
    main = specs.get("main") if isinstance(specs, Mapping) else None
    options = main.get("options") if isinstance(main, Mapping) else None
    return dict(options) if isinstance(options, Mapping) else None


def argument_findings(host: Host, role: str, options: ArgumentSpec) -> Iterator[Finding]:
    """What is wrong with a host's variables for a role; a variable that is not known yet is not judged."""
    for name, spec in options.items():
        if name in host.deferred:
            continue
        if name in host.variables:
            yield from of_variable(host, name, spec)
        elif spec.get("required"):
            yield Finding(host.name, f"role {role}", f"missing required arguments: {name}")


def of_variable(host: Host, name: str, spec: ArgumentSpec) -> list[Finding]:
    """What is wrong with one variable: told under its name, so that two roles with one fault tell it once."""
    found = spec_problems({name: spec}, {name: host.variables[name]})
    return [Finding(host.name, problem.path, problem.message) for problem in found]


_WORD = re.compile(r"[A-Za-z_]\w*")
_ROOT = re.compile(r"[.\[]")


@dataclass(frozen=True)
class Call:
    """One run of a task's module: its arguments, and the entry of the loop that it is for."""

    arguments: dict[str, Any]
    failed: dict[str, str] = field(default_factory=dict)
    """Option → why its expression cannot be evaluated; such an argument is LATER."""
    entry: tuple[str, str] = ("", "")
    """Name of the loop's variable, and the number of its entry."""
    item: Any = None


@dataclass(frozen=True)
class Written:
    """What is written about a host's variables, none of it rendered: defaults of its roles, and what its user says."""

    defaults: Mapping[str, Any]
    given: Mapping[str, Any]


class TaskFindings:
    """The findings of all tasks of one host: what one of them says of a variable, no other says in other words."""

    def __init__(self, host: Host, written: Written, reported: set[str]) -> None:
        self._host = host
        self._written = written
        self._reported = reported
        """Paths of which something is known to be wrong."""
        self._failures: list[tuple[frozenset[str], Finding]] = []
        """Expressions that cannot be evaluated, with the variables in them."""

    def of(self, module: Module, task: ModuleTask, call: Call) -> list[Finding]:
        """What the module says of one run of a task."""
        found = []
        problems = argument_problems(module, call.arguments)
        if problems or call.failed:
            variable, index = call.entry
            variables = {**self._host.variables, **({variable: call.item} if variable else {})}
            place = (variable, _entry(task, index))
            for problem in problems:
                path = variable_path(problem.path, task.arguments, call.arguments, variables, place) or task.module
                message = self._with_variables(task, problem.message)
                found.append(Finding(self._host.name, self._as_written(path), message))
            self._remember(task, call.failed, variables)
        fresh = [finding for finding in found if finding.path not in self._reported]
        self._reported.update(finding.path for finding in fresh)
        return fresh

    def _as_written(self, path: str) -> str:
        return written_path(path, self._written.defaults, self._written.given)

    def unexplained(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """Expressions that fail on what a variable holds, where no finding says what is wrong with it."""
        roots = {_ROOT.split(finding.path, maxsplit=1)[0] for finding in findings if finding.host == self._host.name}
        for named, finding in self._failures:
            if not named & roots:
                yield finding

    def _remember(self, task: ModuleTask, failed: Mapping[str, str], variables: Mapping[str, Any]) -> None:
        known = variables.keys() | self._written.defaults.keys() | self._written.given.keys()
        for option, reason in failed.items():
            named = [name for name in dict.fromkeys(_WORD.findall(str(task.arguments[option]))) if name in known]
            written = [self._as_written(name) for name in named] or [task.module]
            finding = Finding(self._host.name, written[0], f"cannot be used: {reason}")
            behind = [word for name in named for word in _WORD.findall(str(self._written.defaults.get(name, "")))]
            self._failures.append((frozenset([*named, *written, *behind]), finding))

    def _with_variables(self, task: ModuleTask, message: str) -> str:
        """The message with the variables in the place of the options that they feed, where these are no plain words."""
        for option, source in task.arguments.items():
            names = handed_on(source) if "_" in option else []
            if names and names[0] != option:
                message = re.sub(rf"(?<![\w.]){option}(?![\w=])", self._as_written(names[0]), message)
        return message


def _entry(task: ModuleTask, index: str) -> str:
    """Where the entry of a loop stands."""
    names = handed_on(task.loop) or _WORD.findall(str(task.loop or ""))
    return f"{names[0]}[{index}]" if names and index else ""
