# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes an automation controller like its declared content, by other collections' lookup and modules."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.loader import lookup_loader, module_loader

from ..module_utils.errors import InvalidInput, Problem, ServiceError
from ..module_utils.plan import Plan
from ..module_utils.secrets import REDACTED, SHORTEST_SECRET
from ..module_utils.task import Result
from ..module_utils.text import counted
from ..modules import controller_content
from ..plugin_utils.controller_content import KINDS, ORGANIZATIONS, Item, Kind, content_problems, title, written
from ..plugin_utils.controller_plan import details_of, password_variables, plan_item, secret_texts
from ..plugin_utils.site_action import SiteAction

SUBJECT = "controller_content"
AWX, AAP, GATEWAY = "awx.awx", "ansible.controller", "ansible.platform"
NONE = "none"


@dataclass(frozen=True)
class Declared:
    """An object of the content, in its place."""

    kind: Kind
    item: Item


class ActionModule(SiteAction):
    MODULE = controller_content
    _passwords: frozenset[str] = frozenset()
    """Variables that surveys of the content ask for as passwords."""

    def look(self, params: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        content: Mapping[str, Any] = params["content"]
        problems = content_problems(content)
        if problems:
            raise InvalidInput(SUBJECT, problems)
        self._passwords = password_variables(content)
        declared = [Declared(kind, written(item)) for kind in KINDS for item in content.get(kind.variable, ())]
        collection = _collection(params["collection"])
        if collection == NONE:
            shown = f"{counted(len(declared), 'object')} checked, no controller was asked."
            return self._result(declared, {}, NONE, shown)
        plans = dict(self._plans(collection, declared, task_vars))
        differing = [index for index, plan in plans.items() if plan.changed]
        if differing and not self._task.check_mode:
            self._apply(collection, [declared[index] for index in differing], task_vars)
            self._look_again(collection, [declared[index] for index in differing], task_vars)
        said = (
            f"{len(differing)} of {counted(len(declared), 'object')} {'differs' if len(differing) == 1 else 'differ'}."
        )
        return self._result(declared, plans, collection, said if differing else f"All {len(declared)} are as declared.")

    def _result(
        self, declared: Sequence[Declared], plans: Mapping[int, Plan], collection: str, msg: str
    ) -> dict[str, Any]:
        rows = [
            {
                "list": one.kind.variable,
                "name": str(one.item["name"]),
                "changed": index in plans and plans[index].changed,
            }
            for index, one in enumerate(declared)
        ]
        changed = any(row["changed"] for row in rows)
        values = {"objects": rows, "collection": collection}
        return Result(changed, msg, tuple(plans.values()), values).to_dict(bool(self._task.diff))

    def _plans(
        self, collection: str, declared: Sequence[Declared], task_vars: Mapping[str, Any]
    ) -> Iterator[tuple[int, Plan]]:
        """One request a kind, and one for each survey, graph and long list of an object that has them."""
        for kind in KINDS:
            of_kind = [(index, one.item) for index, one in enumerate(declared) if one.kind is kind]
            if not of_kind:
                continue
            names = ",".join(sorted({str(item["name"]) for _index, item in of_kind}))
            answer = self._asked(collection, kind.endpoint, task_vars, {"name__in": names, "page_size": 200})
            for index, item in of_kind:
                found = _matching(kind, answer, item)
                details = {
                    option: self._asked(collection, address, task_vars, {})
                    for option, address in (details_of(item, found) if found else {}).items()
                }
                if found is None and item.get("state") == "exists":
                    missing = "is not on the controller: create it there, or declare it"
                    raise ServiceError(title(kind, item), missing, code="NotFound")
                yield index, plan_item(kind, item, found, details, self._passwords)

    def _asked(self, collection: str, endpoint: str, task_vars: Mapping[str, Any], query: Mapping[str, Any]) -> Any:
        lookup = lookup_loader.get(f"{collection}.controller_api", loader=self._loader, templar=self._templar)
        options = {"query_params": dict(query), "return_objects": False, "return_all": True, "max_objects": 10000}
        try:
            (answer,) = lookup.run([endpoint], variables=task_vars, **options)
        except AnsibleError as exc:
            hint = "CONTROLLER_HOST and CONTROLLER_OAUTH_TOKEN say which controller is asked, and as whom."
            raise ServiceError(f"Reading {endpoint} of the controller", str(exc), hint=hint) from exc
        return answer

    def _apply(self, collection: str, differing: Sequence[Declared], task_vars: Mapping[str, Any]) -> None:
        """All that can be made; what failed is told together, because one failure often explains others."""
        failed = []
        for one in differing:
            module = _module(collection, one.kind)
            done = self._execute_module(module_name=module, module_args=dict(one.item), task_vars=dict(task_vars))
            if done.get("failed"):
                failed.append(Problem(title(one.kind, one.item), _said(done, secret_texts(one.item, self._passwords))))
        if failed:
            lines = "; ".join(str(problem) for problem in failed)
            done_ones = len(differing) - len(failed)
            hint = f"{done_ones} of {counted(len(differing), 'object')} were written; run it again once this is right."
            raise ServiceError("Writing to the controller", lines, hint=hint, values={"changed": bool(done_ones)})

    def _look_again(self, collection: str, sent: Sequence[Declared], task_vars: Mapping[str, Any]) -> None:
        """What was sent and not kept is told: the next run would send it again, for ever."""
        shown = [Declared(one.kind, {**one.item, "update_secrets": False}) for one in sent]
        kept = dict(self._plans(collection, shown, task_vars))
        lost = [plan.summary() for plan in kept.values() if plan.changed]
        if lost:
            hint = "The controller changes or drops it. Compare its version with what docs/awx.md was tested with."
            raise ServiceError(
                "Writing to the controller",
                f"sent and not kept: {'; '.join(lost)}",
                hint=hint,
                values={"changed": True},
            )


def _collection(asked: str) -> str:
    if asked == NONE:
        return NONE
    for name in (AAP, AWX) if asked == "auto" else (asked,):
        if module_loader.find_plugin_with_context(f"{name}.job_template").resolved:
            return name
    wanted = f"{AAP} or {AWX}" if asked == "auto" else asked
    raise InvalidInput(
        SUBJECT,
        [
            Problem(
                "collection",
                f"{wanted} is not installed. The content is right; to apply it, install the collection "
                "(docs/awx.md says which). To check the content only, say collection: none",
            )
        ],
    )


def _module(collection: str, kind: Kind) -> str:
    """Organizations of AAP are made at its gateway."""
    gateway = f"{GATEWAY}.organization"
    if (
        collection == AAP
        and kind.variable == ORGANIZATIONS
        and module_loader.find_plugin_with_context(gateway).resolved
    ):
        return gateway
    return f"{collection}.{kind.module}"


def _matching(kind: Kind, answer: Any, item: Item) -> Mapping[str, Any] | None:
    """The object of this name, and of the organization, inventory or template that the item names with it."""
    for each in answer.get("results") or ():
        shown = {option: (each.get("summary_fields") or {}).get(option) for option in kind.within}
        apart = [
            option for option, other in shown.items() if other and item.get(option, other["name"]) != other["name"]
        ]
        if each.get("name") == item["name"] and not apart:
            found: Mapping[str, Any] = each
            return found
    return None


def _said(done: Mapping[str, Any], secrets: Collection[str]) -> str:
    """What the module said, without the secrets that it was given."""
    text = str(done.get("msg") or done.get("module_stderr") or "failed without a message").strip()
    for value in sorted(secrets, key=len, reverse=True):
        if len(value) >= SHORTEST_SECRET:
            text = text.replace(value, REDACTED)
    return text
