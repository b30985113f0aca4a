# SPDX-License-Identifier: GPL-3.0-or-later
"""What `meta/argument_specs.yml` of a role must say of defaults and suboptions, from where they are decided.

    PYTHONPATH=tests:collections .venv/bin/python -m support.role_specs

writes the defaults of defaults/main.yml and the suboptions of the modules' documentation into the specifications.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleUndefinedVariable
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from gate.checkout import CHECKOUT
from gate.rules.modules import COLLECTION, FAST_LOADER, documentation
from gate.rules.roles import role_names

MODULES = "ansible_collections.mcpops.platform.plugins.modules"
_WHOLE = re.compile(r"\{\{\s*(\w+)\s*(?:\|\s*default\(omit, true\)|or omit|if \w+ else omit)?\s*\}\}")
# by a lookup or a filter of this collection, from what else the inventory or the run says
_COMPUTED = re.compile(rf"(?:\b(?:query|lookup)\('|\|\s*){re.escape(COLLECTION)}\.")
_OPTION = re.compile(r"\b(O|RV)\((?![\w.]+#)(\w+)")
_KEPT = ("description", "type", "elements", "required", "choices", "default", "aliases")
WIDTH = 120


@cache
def options(role: str) -> dict[str, Any]:
    loaded = yaml.load(_spec_file(role).read_text(encoding="utf-8"), FAST_LOADER)
    found: dict[str, Any] = loaded["argument_specs"]["main"]["options"]
    return found


@cache
def defaults(role: str) -> dict[str, Any]:
    """As Ansible reads them: not rendered."""
    loaded = DataLoader().load_from_file(
        str(CHECKOUT / "roles" / role / "defaults" / "main.yml"), cache="none", trusted_as_template=True
    )
    return dict(loaded or {})


@cache
def true_defaults(role: str) -> dict[str, Any]:
    """What each variable is where the inventory says nothing; without those that the inventory must say."""
    raw = defaults(role)
    templar = Templar(loader=DataLoader(), variables=raw)
    found = {}
    for name, value in raw.items():
        if _COMPUTED.search(str(value)):
            continue
        try:
            found[name] = _plain(templar.template(value))
        except AnsibleUndefinedVariable:
            continue
    return found


def read_by(role: str, variable: str) -> set[str]:
    """The variables of others that a default follows."""
    text = yaml.safe_dump(_plain(defaults(role)[variable]))
    roles = "|".join(role_names(CHECKOUT))
    found = {
        name
        for part in re.findall(r"\{\{.*?\}\}", text, re.DOTALL)
        for name in re.findall(rf"\b(?:mcpops|{roles})_\w+", part)
    }
    return {name for name in found if not name.startswith(f"{role}_")}


def fed_options(role: str) -> Iterator[tuple[str, str, str]]:
    """(variable, module, option) of each option that a variable of the role is handed to as it is."""
    for file in sorted((CHECKOUT / "roles" / role / "tasks").glob("*.yml")):
        for task in yaml.load(file.read_text(encoding="utf-8"), FAST_LOADER) or []:
            for key, arguments in task.items():
                module = key.removeprefix(f"{COLLECTION}.")
                for option, value in arguments.items() if module != key and isinstance(arguments, dict) else ():
                    whole = _WHOLE.fullmatch(value.strip()) if isinstance(value, str) else None
                    if whole and whole[1].startswith(f"{role}_"):
                        yield whole[1], module, option


def suboptions(role: str) -> dict[str, dict[str, Any]]:
    """Variable → its suboptions, of every variable whose module has some."""
    found = {}
    fed = list(fed_options(role))
    for variable, module, option in fed:
        own = {of: name for name, by, of in fed if by == module}
        documented = _documented(module).get(option) or {}
        spec = importlib.import_module(f"{MODULES}.{module}").ARGUMENT_SPEC[option]
        if documented.get("suboptions"):
            found[variable] = _for_role(documented["suboptions"], spec["options"], module, own)
    return found


@cache
def _documented(module: str) -> dict[str, Any]:
    found: dict[str, Any] = documentation(CHECKOUT, module)["options"]
    return found


def _for_role(
    documented: Mapping[str, Any], spec: Mapping[str, Any], module: str, own: Mapping[str, str]
) -> dict[str, Any]:
    found = {}
    for name, about in documented.items():
        option = {key: about[key] for key in _KEPT if key in about}
        option["description"] = _elsewhere(option["description"], module, own)
        if spec[name].get("no_log") is not None:
            option["no_log"] = spec[name]["no_log"]
        if about.get("suboptions"):
            option["options"] = _for_role(about["suboptions"], spec[name]["options"], module, own)
        found[name] = option
    return found


def _elsewhere(text: Any, module: str, own: Mapping[str, str]) -> Any:
    """Options that the documentation of a module names, as those of the role where they are handed on."""
    if isinstance(text, list):
        return [_elsewhere(one, module, own) for one in text]

    def named(found: re.Match[str]) -> str:
        if found[1] == "O" and found[2] in own:
            return f"O({own[found[2]]}"
        return f"{found[1]}({COLLECTION}.{module}#module:{found[2]}"

    return _OPTION.sub(named, str(text))


def rewritten(role: str) -> str:
    """The specification with true defaults and suboptions; everything else as it stands."""
    known, below, stated = true_defaults(role), suboptions(role), options(role)
    lines: list[str] = []
    variable = ""
    generated = False
    for line in _spec_file(role).read_text(encoding="utf-8").splitlines():
        indent = len(line) - len(line.lstrip())
        if indent <= 6 and variable:
            lines += _options_of(below.get(variable))
            variable = ""
        if indent == 6 and line.endswith(":"):
            variable, generated = line.strip()[:-1], False
        if indent <= 8:
            generated = bool(variable) and (
                line.startswith("        default:") or (variable in below and line.startswith("        options:"))
            )
        if generated:
            continue
        lines.append(line)
        typed = "elements:" if stated.get(variable, {}).get("elements") else "type:"
        if indent == 8 and line.strip().startswith(typed) and known.get(variable) is not None:
            lines += _dumped({"default": known[variable]}, 8)
    if variable:
        lines += _options_of(below.get(variable))
    return "\n".join(lines) + "\n"


def _options_of(found: dict[str, Any] | None) -> list[str]:
    return _dumped({"options": found}, 8) if found else []


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)


def _dumped(value: Any, indent: int) -> list[str]:
    text = yaml.dump(value, Dumper=_Dumper, width=WIDTH - indent - 1, sort_keys=False, allow_unicode=True)
    return [f"{' ' * indent}{line}" for line in text.splitlines()]


def _plain(value: Any) -> Any:
    """Without what Ansible remembers of its values."""
    return json.loads(json.dumps(value, default=str))


def _spec_file(role: str) -> Path:
    return CHECKOUT / "roles" / role / "meta" / "argument_specs.yml"


def main() -> int:
    for role in role_names(CHECKOUT):
        text = rewritten(role)
        if text != _spec_file(role).read_text(encoding="utf-8"):
            _spec_file(role).write_text(text, encoding="utf-8")
            print(f"written: {_spec_file(role).relative_to(CHECKOUT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
