# SPDX-License-Identifier: GPL-3.0-or-later
"""A played automation controller: the part of AWX' REST API that awx.awx' modules use for the content of this project.

Lists with filters, details with `related` and `summary_fields`, relations, surveys, nodes of workflows and approvals.
It keeps what it is given, and refuses what AWX refuses: names twice, relations that are not there, an unknown token.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "canary-controller-token"
PREFIX = "/api/v2/"
NOTIFIED = tuple(f"notification_templates_{event}" for event in ("started", "success", "error", "approvals"))
LINKS = ("success_nodes", "failure_nodes", "always_nodes")
UNIFIED = ("job_templates", "workflow_job_templates", "projects", "inventory_sources")
ENCRYPTED = "$encrypted$"


@dataclass(frozen=True)
class Type:
    """A kind of object: its name in answers, its relations to one other object, and those to many."""

    name: str
    one: Mapping[str, str] = field(default_factory=dict)
    many: Mapping[str, str] = field(default_factory=dict)
    unique: tuple[str, ...] = ("name", "organization")
    needs: tuple[str, ...] = ("name",)


_TOLD = dict.fromkeys(NOTIFIED, "notification_templates")
_ORGANIZATION = {"organization": "organizations"}
_RUN = {"inventory": "inventories", "execution_environment": "execution_environments"}
_ASSOCIATED = {"credentials": "credentials", "labels": "labels", "instance_groups": "instance_groups"}
TYPES = {
    "organizations": Type("organization", {}, {**_TOLD, "galaxy_credentials": "credentials"}),
    "labels": Type("label", _ORGANIZATION),
    "credential_types": Type("credential_type", needs=("name", "kind")),
    "credentials": Type(
        "credential",
        {**_ORGANIZATION, "credential_type": "credential_types"},
        unique=("name", "organization", "credential_type"),
        needs=("name", "credential_type"),
    ),
    "execution_environments": Type(
        "execution_environment",
        {**_ORGANIZATION, "credential": "credentials"},
        unique=("name",),
        needs=("name", "image"),
    ),
    "notification_templates": Type("notification_template", _ORGANIZATION, needs=("name", "organization")),
    "projects": Type(
        "project",
        {**_ORGANIZATION, "credential": "credentials", "default_environment": "execution_environments"},
        _TOLD,
    ),
    "inventories": Type("inventory", _ORGANIZATION, needs=("name", "organization")),
    "inventory_sources": Type(
        "inventory_source",
        {**_RUN, "source_project": "projects", "credential": "credentials"},
        _TOLD,
        unique=("name", "inventory"),
        needs=("name", "inventory", "source"),
    ),
    "job_templates": Type(
        "job_template", {**_RUN, "project": "projects"}, {**_ASSOCIATED, **_TOLD}, needs=("name", "project", "playbook")
    ),
    "workflow_job_templates": Type("workflow_job_template", {**_RUN, **_ORGANIZATION}, {**_ASSOCIATED, **_TOLD}),
    "workflow_job_template_nodes": Type(
        "workflow_job_template_node",
        {**_RUN, "workflow_job_template": "workflow_job_templates", "unified_job_template": "unified_job_templates"},
        {**_ASSOCIATED, **dict.fromkeys(LINKS, "workflow_job_template_nodes")},
        unique=("identifier", "workflow_job_template"),
        needs=("workflow_job_template",),
    ),
    "workflow_approval_templates": Type("workflow_approval_template", unique=("id",)),
    "schedules": Type(
        "schedule",
        {**_RUN, "unified_job_template": "unified_job_templates"},
        _ASSOCIATED,
        unique=("name", "unified_job_template"),
        needs=("name", "unified_job_template", "rrule"),
    ),
}
BUILT_IN_TYPES = {"Microsoft Azure Resource Manager": "cloud", "Vault": "vault", "Source Control": "scm"}


class Refusal(Exception):
    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(body))
        self.status, self.body = status, body


@dataclass
class Controller:
    """The state, and every request that came: `METHOD path`."""

    objects: dict[str, dict[int, dict[str, Any]]] = field(default_factory=lambda: {name: {} for name in TYPES})
    requests: list[str] = field(default_factory=list)
    surveys: dict[int, Any] = field(default_factory=dict)
    address: str = ""
    _last: int = 0

    def __post_init__(self) -> None:
        for name, kind in BUILT_IN_TYPES.items():
            self.add("credential_types", {"name": name, "kind": kind})

    @property
    def writes(self) -> list[str]:
        return [request for request in self.requests if not request.startswith("GET")]

    def environment(self) -> dict[str, str]:
        return {"CONTROLLER_HOST": self.address, "CONTROLLER_OAUTH_TOKEN": TOKEN, "CONTROLLER_VERIFY_SSL": "false"}

    def named(self, kind: str, name: str) -> dict[str, Any]:
        (found,) = (each for each in self.objects[kind].values() if each.get("name", each.get("identifier")) == name)
        return found

    def add(self, kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        described = TYPES[kind]
        missing = {each: ["This field is required."] for each in described.needs if not fields.get(each)}
        if missing:
            raise Refusal(400, missing)
        self._check(kind, fields)
        same = [
            each
            for each in self.objects[kind].values()
            if all(each.get(option) == fields.get(option) for option in described.unique)
        ]
        if same:
            raise Refusal(
                400, {"__all__": [f"{described.name} with this {' and '.join(described.unique)} already exists."]}
            )
        self._last += 1
        made = {**fields, "id": self._last, **{relation: [] for relation in described.many}}
        self.objects[kind][self._last] = made
        return made

    def _check(self, kind: str, fields: Mapping[str, Any]) -> None:
        for option, of in TYPES[kind].one.items():
            value = fields.get(option)
            if value not in (None, "") and self._find(of, int(value)) is None:
                raise Refusal(400, {option: [f'Invalid pk "{value}" - object does not exist.']})

    def _find(self, kind: str, number: int) -> dict[str, Any] | None:
        kinds = (*UNIFIED, "workflow_approval_templates") if kind == "unified_job_templates" else (kind,)
        return next((self.objects[each][number] for each in kinds if number in self.objects.get(each, {})), None)

    def _organization(self, kind: str, one: Mapping[str, Any]) -> int | None:
        """Of a job template it is that of its project, of a source that of its inventory."""
        through = {"job_templates": "project", "inventory_sources": "inventory"}.get(kind)
        if not through:
            return one.get("organization")
        owner = self._find(TYPES[kind].one[through], int(one[through]))
        return (owner or {}).get("organization")

    def shown(self, kind: str, one: Mapping[str, Any]) -> dict[str, Any]:
        described = TYPES[kind]
        url = f"{PREFIX}{kind}/{one['id']}/"
        summary: dict[str, Any] = {}
        relations = {**described.one, "organization": "organizations"}
        values = {**one, "organization": self._organization(kind, one)}
        for option, of in relations.items():
            other = self._find(of, int(values[option])) if values.get(option) else None
            if other is not None:
                keys = ("id", "name", "description", "timeout")
                summary[option] = {key: other[key] for key in keys if key in other}
        for relation in ("credentials", "labels"):
            if relation in described.many and kind in ("job_templates", "workflow_job_templates"):
                names = [{"id": each, "name": self._name(described.many[relation], each)} for each in one[relation]]
                summary[relation] = names if relation == "credentials" else {"count": len(names), "results": names}
        fields = {key: value for key, value in values.items() if key not in described.many or key in LINKS}
        if kind == "credentials":
            secret = re.compile("secret|password|kubeconfig|token$")
            fields["inputs"] = {
                key: ENCRYPTED if secret.search(key) else value for key, value in (one.get("inputs") or {}).items()
            }
        if kind == "projects":
            # an update begins with every change, and has ended by the time somebody looks
            fields["scm_revision"] = ""
            summary["current_update"] = {"id": one["id"]}
        related = {relation: f"{url}{relation}/" for relation in described.many}
        if kind in ("job_templates", "workflow_job_templates"):
            related["survey_spec"] = f"{url}survey_spec/"
        if kind == "workflow_job_templates":
            related["workflow_nodes"] = f"{url}workflow_nodes/"
        if kind == "workflow_job_template_nodes" and one.get("unified_job_template"):
            number = int(one["unified_job_template"])
            place = next(each for each, all_of in self.objects.items() if number in all_of)
            related["unified_job_template"] = f"{PREFIX}{place}/{number}/"
        return {**fields, "type": described.name, "url": url, "related": related, "summary_fields": summary}

    def _name(self, kind: str, number: int) -> str:
        return str((self._find(kind, number) or {}).get("name"))

    def answer(self, method: str, path: str, query: list[tuple[str, str]], body: Any) -> tuple[int, Any]:
        kind, *rest = path.removeprefix(PREFIX).strip("/").split("/")
        if kind == "unified_job_templates" and method == "GET" and not rest:
            return 200, _page([self.shown(each, one) for each in UNIFIED for one in self.objects[each].values()], query)
        if kind == "project_updates":
            return 200, {"status": "successful", "failed": False}
        if kind not in TYPES:
            # what this controller has none of: instance groups
            return 200, _page([], query)
        if not rest:
            if method == "POST":
                return 201, self.shown(kind, self.add(kind, body))
            return 200, _page([self.shown(kind, one) for one in self.objects[kind].values()], query)
        one = self.objects[kind].get(int(rest[0]))
        if one is None:
            return 404, {"detail": "Not found."}
        return self._sub(method, kind, one, rest[1], query, body) if rest[1:] else self._object(method, kind, one, body)

    def _object(self, method: str, kind: str, one: dict[str, Any], body: Any) -> tuple[int, Any]:
        if method == "PATCH":
            self._check(kind, body)
            one.update(body)
        elif method == "DELETE":
            del self.objects[kind][one["id"]]
            return 204, None
        return 200, self.shown(kind, one)

    def _sub(
        self, method: str, kind: str, one: dict[str, Any], name: str, query: list[tuple[str, str]], body: Any
    ) -> tuple[int, Any]:
        if name == "survey_spec":
            if method == "POST":
                self.surveys[one["id"]] = body
            return 200, self.surveys.get(one["id"], {})
        if name == "workflow_nodes":
            of = "workflow_job_template_nodes"
            nodes = [each for each in self.objects[of].values() if each["workflow_job_template"] == one["id"]]
            return 200, _page([self.shown(of, each) for each in nodes], query)
        if name == "create_approval_template":
            made = self.add(
                "workflow_approval_templates", {key: body.get(key) for key in ("name", "description", "timeout")}
            )
            one["unified_job_template"] = made["id"]
            return 201, self.shown("workflow_approval_templates", made)
        of = TYPES[kind].many[name]
        if method == "POST":
            number = int(body["id"])
            if body.get("disassociate"):
                one[name].remove(number)
            elif self._find(of, number) is None:
                return 400, {"detail": f"{number} does not exist"}
            else:
                one[name].append(number)
            return 204, None
        return 200, _page([self.shown(of, self.objects[of][each]) for each in one[name]], query)


def _page(found: list[dict[str, Any]], query: list[tuple[str, str]]) -> dict[str, Any]:
    for key, value in query:
        if key in ("page_size", "page", "order_by"):
            continue
        option, _, how = key.partition("__")
        accepted = value.split(",") if how == "in" else [value]
        found = [each for each in found if str(each.get(option)) in accepted]
    return {"count": len(found), "next": None, "previous": None, "results": found}


@contextmanager
def playing() -> Iterator[Controller]:
    """A controller that answers while the block runs."""
    controller, lock = Controller(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            with lock:
                controller.requests.append(f"{self.command} {url.path}")
                try:
                    if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                        raise Refusal(401, {"detail": "Authentication credentials were not provided."})
                    status, answer = controller.answer(self.command, url.path, parse_qsl(url.query), body)
                except Refusal as refusal:
                    status, answer = refusal.status, refusal.body
            content = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-API-Product-Name", "AWX")
            self.send_header("X-API-Product-Version", "24.6.1")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = respond

        def log_message(self, *_arguments: Any) -> None:
            """Nothing: `requests` has it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    controller.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield controller
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
