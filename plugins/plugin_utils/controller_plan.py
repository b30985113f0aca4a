# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declared content against what an automation controller has: pure, from its answers as they come."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import yaml

from ..module_utils.plan import ABSENT, Change, Plan
from ..module_utils.secrets import REDACTED, secrets_in
from .controller_content import CREDENTIALS, LINKS, TEMPLATES, WORKFLOWS, Content, Item, Kind, title

NOT_FIELDS = frozenset(
    {"copy_from", "destroy_current_nodes", "interval", "name", "new_name", "state", "update_project"}
    | {"update_secrets", "wait"}
)
"""Options of the modules that say how, not what."""
DETAILS = {"survey_spec": "survey_spec", "workflow_nodes": "workflow_nodes"}
"""Option -> the related address whose answer holds it."""
LISTED = ("instance_groups", "credentials", "labels", "galaxy_credentials")
"""Options whose items a controller keeps as relations, by name: with those of notifications."""
MAPPINGS = ("extra_vars", "variables", "source_vars", "inputs", "injectors", "extra_data", "notification_configuration")
"""Options that are mappings, which the API holds as such or as a text of JSON or YAML."""
ENCRYPTED = "$encrypted$"
"""What a controller shows in place of a secret: of credentials and notifications, of passwords that surveys ask for."""


def details_of(item: Item, found: Mapping[str, Any]) -> dict[str, str]:
    """What else must be asked to compare this item: option -> address."""
    related = found.get("related") or {}
    names = [*DETAILS, *(option for option in item if is_listed(option) and _summary(found, option) is None)]
    addresses = {option: related.get(DETAILS.get(option, option)) for option in names if option in item}
    return {option: str(address) for option, address in addresses.items() if address}


def is_listed(option: str) -> bool:
    return option in LISTED or option.startswith("notification_templates_")


def password_variables(content: Content) -> frozenset[str]:
    """The variables that surveys ask for as passwords."""
    surveys = (item.get("survey_spec") or {} for name in (TEMPLATES, WORKFLOWS) for item in content.get(name, ()))
    questions = (question for survey in surveys for question in survey.get("spec") or ())
    return frozenset(str(each.get("variable")) for each in questions if each.get("type") == "password")


def plan_item(
    kind: Kind,
    item: Item,
    found: Mapping[str, Any] | None,
    details: Mapping[str, Any],
    passwords: Collection[str] = (),
) -> Plan:
    """The changes that a run of the module would make.

    A secret that stands counts as the declared one, because a controller does not show it: only those of credentials
    are written anew, when asked. `passwords` are the variables that surveys ask for as such.
    """
    subject = title(kind, item)
    if item.get("state") == "exists":
        return Plan(subject)
    if item.get("state") == "absent":
        gone = (Change("", str(item["name"]), ABSENT),) if found else ()
        return Plan(subject, gone)
    options = {option: value for option, value in item.items() if option not in NOT_FIELDS}
    if found is None:
        made = tuple(_change(kind, option, ABSENT, value, passwords) for option, value in options.items())
        return Plan(subject, made or (Change("", ABSENT, str(item["name"])),), is_new=True)
    changes = []
    for option, declared in options.items():
        if option in kind.derived:
            continue
        before, after = _sides(option, declared, found, details)
        anew = option == "inputs" and kind.variable == CREDENTIALS and item.get("update_secrets", True)
        if not anew:
            before = _revealed(before, after)
        if before != after:
            changes.append(_change(kind, option, before, after, passwords))
    return Plan(subject, tuple(changes))


def secret_texts(item: Item, passwords: Collection[str] = ()) -> frozenset[str]:
    """All texts of an item that no message may have."""
    inputs = (item.get("inputs") or {}).values() if isinstance(item.get("inputs"), Mapping) else ()
    texts = [*secrets_in(item), *_passwords(item, passwords), *(value for value in inputs if isinstance(value, str))]
    return frozenset(texts)


def _change(kind: Kind, option: str, before: Any, after: Any, passwords: Collection[str]) -> Change:
    secret = option == "inputs" and kind.variable == CREDENTIALS
    return Change(option, _masked(before, passwords), _masked(after, passwords), secret=secret)


def _is_password(key: Any, beside: Mapping[str, Any], passwords: Collection[str]) -> bool:
    """Whether what stands at this key is the default of a question for a password, or an answer to one."""
    return key in passwords or (key == "default" and beside.get("type") == "password")


def _masked(value: Any, passwords: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            key: REDACTED if below and _is_password(key, value, passwords) else _masked(below, passwords)
            for key, below in value.items()
        }
    return [_masked(each, passwords) for each in value] if isinstance(value, list) else value


def _passwords(value: Any, passwords: Collection[str]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            if isinstance(below, str) and _is_password(key, value, passwords):
                yield below
            yield from _passwords(below, passwords)
    elif isinstance(value, list):
        for each in value:
            yield from _passwords(each, passwords)


def _revealed(before: Any, after: Any) -> Any:
    """What stands, with what is declared wherever the controller does not show it."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return {key: _revealed(value, after[key]) if key in after else value for key, value in before.items()}
    if isinstance(before, list) and isinstance(after, list):
        return [*map(_revealed, before, after), *before[len(after) :]]
    return after if before == ENCRYPTED and isinstance(after, str) and after else before


def _sides(option: str, declared: Any, found: Mapping[str, Any], details: Mapping[str, Any]) -> tuple[Any, Any]:
    """What stands and what is declared, in one form."""
    if is_listed(option):
        return sorted(_names(details.get(option, _summary(found, option)))), sorted(map(str, declared))
    if option == "workflow_nodes":
        standing = {node["identifier"]: _standing_node(node) for node in _results(details.get(option))}
        ours = {str(node["identifier"]): _declared_node(node) for node in declared}
        by_number = {node["id"]: node["identifier"] for node in _results(details.get(option))}
        for node in standing.values():
            node["related"] = {
                link: sorted(by_number.get(each, str(each)) for each in ids) for link, ids in node["related"].items()
            }
        # a node that is not declared stays: the module does not remove it either
        return _like({name: node for name, node in standing.items() if name in ours}, ours), ours
    if option == "survey_spec":
        return _like(details.get(option) or {}, declared), declared
    if option in MAPPINGS and isinstance(declared, Mapping):
        return _mapping(found.get(option)), _mapping(declared)
    summary = (found.get("summary_fields") or {}).get(option)
    if isinstance(summary, Mapping) and isinstance(declared, str):
        return summary.get("name"), declared
    value = found.get(option)
    if isinstance(value, int) and isinstance(declared, str) and not isinstance(value, bool):
        # a relation whose name is not shown
        return ABSENT, declared
    if option == "scm_type" and declared == "manual":
        return value or "manual", declared
    return value, declared


def _mapping(value: Any) -> Any:
    """A mapping with text for the values that an API keeps as text, whatever it was written as."""
    if isinstance(value, str):
        try:
            value = yaml.safe_load(value) if value.strip() not in ("", "---") else {}
        except yaml.YAMLError:
            return value
    return value or {}


def _like(standing: Any, declared: Any) -> Any:
    """What stands, without the keys that are not declared: a controller fills in some of its own."""
    if isinstance(standing, Mapping) and isinstance(declared, Mapping):
        return {key: _like(standing[key], value) for key, value in declared.items() if key in standing}
    if isinstance(standing, list) and isinstance(declared, Sequence) and not isinstance(declared, str):
        further = standing[len(declared) :]
        return [_like(*pair) for pair in zip(standing, declared)] + further
    return standing


def _declared_node(node: Item) -> dict[str, Any]:
    started = node["unified_job_template"]
    related = node.get("related") or {}
    shown = {key: value for key, value in node.items() if key not in ("identifier", "related", "unified_job_template")}
    return {
        # a controller leaves out what is false, and the module does not send it
        **{key: value for key, value in shown.items() if value not in (False, None, "", {})},
        "starts": {key: started[key] for key in ("name", "description", "timeout") if started.get(key)},
        "related": {
            link: sorted(str(each["identifier"]) for each in related[link]) for link in LINKS if related.get(link)
        },
    }


def _standing_node(node: Mapping[str, Any]) -> dict[str, Any]:
    started = (node.get("summary_fields") or {}).get("unified_job_template") or {}
    return {
        **{key: value for key, value in node.items() if key not in ("identifier", "related", *LINKS)},
        "starts": started,
        "related": {link: list(node[link]) for link in LINKS if node.get(link)},
    }


def _summary(found: Mapping[str, Any], option: str) -> Any:
    """The names that the answer itself has; of labels it may be only the first ten, with their count."""
    value = (found.get("summary_fields") or {}).get(option)
    if isinstance(value, Mapping) and value.get("count", 0) > len(value.get("results") or ()):
        return None
    return value


def _results(answer: Any) -> list[Any]:
    return list(answer.get("results") or ()) if isinstance(answer, Mapping) else list(answer or ())


def _names(answer: Any) -> list[str]:
    return [str(each["name"]) for each in _results(answer)]
