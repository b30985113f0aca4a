# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of aks_kubeconfig.

The kubeconfig of an AKS cluster in a private file of its own, replaced atomically. How its user logs in through Entra
is told kubelogin there (kubelogin.py), or a token of the task's own credential lies beside it (cluster_token.py).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import copy
import hashlib
import os
import re
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import Check, MissingLibrary, Problem, Refused, ServiceError, check, refuse
from ..names import NO_KUBECONFIG
from ..plan import ABSENT, Change, Plan, Refusal, leaves
from ..run_cache import MODE, mark_pending, write_check_mode_copy, write_private
from ..task import Result, Task
from . import errors, kubelogin, names
from .client import Arm, sign_in
from .cluster_token import (
    ClusterToken,
    check_mode_token_file,
    forget_token,
    keep_token,
    request_token,
    token_changes,
    token_file,
)
from .options import resolve_identity

YAML_ERROR = ""
try:
    import yaml
except ImportError as _exc:
    yaml = None  # type: ignore[assignment]
    YAML_ERROR = str(_exc)

# below users[].user; everything there proves an identity, these are text worth hiding wherever they turn up
_CREDENTIALS = ("token", "client-key-data", "client-certificate-data", "password")
_LONG = 64
# the rest of a user proves an identity; a name has no brackets
_HOW_TO_LOG_IN = re.compile(r"users\[[^\[\]]*\]\.user\.(exec\.|tokenFile$)")


@dataclass(frozen=True)
class Kubeconfig:
    """`document` is None for text that is no kubeconfig."""

    text: str
    document: dict[str, Any] | None

    @property
    def contexts(self) -> list[str]:
        return [str(item["name"]) for item in _named(self.document, "contexts") if item.get("name")]

    @property
    def current_context(self) -> str:
        return str((self.document or {}).get("current-context") or "")

    @property
    def server(self) -> str:
        return str(self._cluster.get("server") or "")

    @property
    def _cluster(self) -> Mapping[str, Any]:
        """The first one: AKS names no other."""
        return _mapping(next(iter(_named(self.document, "clusters")), {}).get("cluster"))

    def beside(self, contexts: Collection[str]) -> str:
        """What it holds that is not of these contexts, for people; empty where there is nothing."""
        others = [name for name in self.contexts if name not in contexts]
        if others:
            return f"contexts of other clusters ({', '.join(others)})"
        return "something other than a kubeconfig" if self.document is None else ""

    @property
    def user(self) -> Mapping[str, Any]:
        return _mapping(next(iter(_named(self.document, "users")), {}).get("user"))

    @property
    def proxy_url(self) -> str:
        return str(self._cluster.get("proxy-url") or "")

    def with_proxy(self, url: str) -> Kubeconfig:
        """The same by way of a proxy, or of none."""
        if url == self.proxy_url:
            return self
        document = copy.deepcopy(self.document or {})
        cluster = _named(document, "clusters")[0]["cluster"]
        cluster.pop("proxy-url", None)
        if url:
            cluster["proxy-url"] = url
        return Kubeconfig(yaml.safe_dump(document, sort_keys=False), document)

    def with_user(self, user: Mapping[str, Any]) -> Kubeconfig:
        """The same for another login."""
        if user == self.user:
            return self
        document = copy.deepcopy(self.document or {})
        _named(document, "users")[0]["user"] = dict(user)
        return Kubeconfig(yaml.safe_dump(document, sort_keys=False), document)

    def credentials(self) -> list[str]:
        users = [_mapping(item.get("user")) for item in _named(self.document, "users")]
        own = [str(user[key]) for user in users for key in _CREDENTIALS if user.get(key)]
        told = [secret for user in users for secret in kubelogin.secrets_of(user)]
        return own + told + [secret for secret in (urlsplit(self.proxy_url).password,) if secret]


def parse_kubeconfig(text: str) -> Kubeconfig:
    if yaml is None:
        raise MissingLibrary(["PyYAML"], YAML_ERROR)
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        # a file of somebody else's, with a date that is none or without an end to its brackets
        document = None
    return Kubeconfig(text, document if isinstance(document, dict) else None)


def kubeconfig_changes(current: Kubeconfig | None, wanted: Kubeconfig) -> list[Change]:
    """Leaf by leaf; credentials are compared and not shown, long certificates are shown by their digest."""
    before = _flat(current.document) if current is not None else {}
    after = _flat(wanted.document)
    return [
        Change(
            path,
            _shown(before[path]) if path in before else ABSENT,
            _shown(after[path]) if path in after else ABSENT,
            secret=path.startswith("users") and not _HOW_TO_LOG_IN.match(path),
        )
        for path in sorted({*before, *after})
        if before.get(path, ABSENT) != after.get(path, ABSENT)
    ]


def _flat(document: Mapping[str, Any] | None) -> dict[str, Any]:
    """Leaves by path, the items of the three lists by their names: their order means nothing."""
    flat: dict[str, Any] = {}
    for key, value in (document or {}).items():
        if key in ("clusters", "contexts", "users") and isinstance(value, list):
            for item in _named(document, key):
                flat.update(leaves({k: v for k, v in item.items() if k != "name"}, f"{key}[{item.get('name')}]"))
        elif key not in ("apiVersion", "kind", "preferences"):
            flat.update(leaves(value, key))
    return flat


def _named(document: Mapping[str, Any] | None, key: str) -> list[dict[str, Any]]:
    found = (document or {}).get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _shown(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONG:
        return f"sha256:{hashlib.sha256(value.encode()).hexdigest()[:16]}"
    return value


_PROXIES = ("http", "https", "socks5")
_VERBS = {"user": "listClusterUserCredential", "admin": "listClusterAdminCredential"}


def converge(task: Task) -> Result:
    wrong = problems(task.params)
    path = Path(os.path.abspath(os.path.expanduser(task.params["path"] or "")))
    subject = f"kubeconfig {path}"
    if task.params["path"]:
        wrong += path_problems(path, task.params["state"])
    refuse(subject, wrong)
    if task.params["state"] == "absent":
        return _absent(task, path, subject)
    return _present(task, path, subject)


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of aks_kubeconfig; whether the file can be written shows where it is to be."""
    without_login = "is for the credential user: the administrator's is a certificate; leave one of the two out"
    rules = (
        _names,
        Check("path", lambda given: not given["path"], NO_KUBECONFIG),
        Check("login", lambda given: given.get("login") and given["credential"] == "admin", without_login),
    )
    return check(rules, params) + _proxy_problems(params.get("proxy_url"))


def _proxy_problems(url: Any) -> list[Problem]:
    """What neither this collection's modules nor kubectl and helm reach an API server by."""
    parts = urlsplit(str(url or ""))
    if not url or (parts.scheme in _PROXIES and parts.hostname):
        return []
    return [Problem("proxy_url", "is not the URL of a proxy, as http://proxy.example.org:3128: http, https or socks5")]


def _names(params: Mapping[str, Any]) -> list[Problem]:
    return [
        *names.name_problems("name", names.MANAGED_CLUSTERS, params["name"]),
        *names.name_problems("resource_group", names.RESOURCE_GROUPS, params["resource_group"]),
    ]


def _present(task: Task, path: Path, subject: str) -> Result:
    own = _own(task)
    refuse(subject, kubelogin.login_problems(task.params["login"] or "", own))
    service = _requested(task)
    if service is None:
        cluster = f"AKS cluster {task.params['name']}"
        mark_pending(task, path, f"{cluster} does not exist yet")
        note = f"{subject} depends on {cluster}, which does not exist yet"
        whole = Change("", ABSENT, f"the {task.params['credential']} credential of {cluster}")
        plan = Plan(subject, (whole,), notes=(note,), is_new=True)
        return Result.of(plan, _values(path, None), f"{subject}: would be written")
    existing = _current_content(task, path)
    wanted = logged_in(subject, service, existing, task.params["login"] or "", own, token_file(path))
    # undeclared, it is the user's: `kubectl config set-cluster --proxy-url`
    standing = existing.proxy_url if existing is not None else ""
    declared = task.params["proxy_url"]
    wanted = wanted.with_proxy(standing if declared is None else declared)
    for credential in wanted.credentials():
        task.secret(credential)
    token = None if "tokenFile" not in wanted.user else request_token(task, _server_id(service))
    plan = plan_file(path, existing, wanted)
    plan = replace(plan, changes=plan.changes + tuple(_token_changes(path, existing, token)))
    if plan.refused:
        raise Refused(subject, plan.refused)
    if task.check_mode:
        _leave_copy(task, path, wanted, token, bool(plan.changes))
    else:
        _write(task, path, wanted, token, plan)
    written = f"{subject}: {'would be written' if task.check_mode else 'written'}"
    return Result.of(plan, _values(path, wanted), written if existing is None else "")


def _own(task: Task) -> kubelogin.Own:
    """What kubelogin may be told of the task's credential; nothing where it is told nothing."""
    if task.params["login"] in (None, kubelogin.TOKEN):
        return kubelogin.Own("")
    identity, cloud, _credential = sign_in(task)
    known = cloud.well_known and not identity.authority_host
    return kubelogin.Own(
        kind=identity.kind,
        client_id=identity.client_id,
        tenant=identity.tenant,
        certificate_path=identity.certificate_path,
        token_file=identity.token_file,
        authority="" if known else cloud.authority,
    )


def logged_in(
    subject: str, service: Kubeconfig, existing: Kubeconfig | None, login: str, own: kubelogin.Own, token: Path
) -> Kubeconfig:
    """The service's kubeconfig with the login that was asked for, or that `kubelogin convert-kubeconfig` has left."""
    entra = kubelogin.entra_of(service.user)
    if entra is None:
        if login:
            sentence = "the cluster has no Entra authentication, and its credential is a certificate"
            remedy = "Leave login out, or give the cluster an aadProfile"
            raise Refused(subject, [Refusal.because("login", sentence, remedy)])
        return service
    if login == kubelogin.TOKEN:
        return service.with_user({"tokenFile": str(token)})
    user = kubelogin.with_login(entra, login, own) if login else None
    if existing is not None and kubelogin.is_converted(existing.user, entra, user):
        return service.with_user(existing.user)
    return service if user is None else service.with_user(user)


def _server_id(service: Kubeconfig) -> str:
    entra = kubelogin.entra_of(service.user)
    return entra.server_id if entra is not None else kubelogin.SERVER_APP


def _token_changes(path: Path, existing: Kubeconfig | None, token: ClusterToken | None) -> list[Change]:
    file = token_file(path)
    if token is not None:
        return token_changes(file, token.text)
    left = existing is not None and existing.user.get("tokenFile") == str(file) and file.exists()
    return [Change("token", "", ABSENT, secret=True)] if left else []


def _leave_copy(task: Task, path: Path, wanted: Kubeconfig, token: ClusterToken | None, changed: bool) -> None:
    """For the tasks that follow in check mode; with a token of its own, as the one that lies there may have expired."""
    if token is not None:
        file = check_mode_token_file(task, path)
        if task.run_directory is not None:
            keep_token(task, file, path, token)
        wanted = wanted.with_user({"tokenFile": str(file)})
    if changed or token is not None:
        write_check_mode_copy(task, path, wanted.text)


def _write(task: Task, path: Path, wanted: Kubeconfig, token: ClusterToken | None, plan: Plan) -> None:
    if token is not None:
        keep_token(task, token_file(path), path, token)
    if any(not change.path.startswith("token") for change in plan.changes):
        write_kubeconfig(path, wanted.text)
    if token is None and any(change.path == "token" for change in plan.changes):
        forget_token(task, path)


def _absent(task: Task, path: Path, subject: str) -> Result:
    existing = _current_content(task, path)
    if existing is None:
        return Result.of(Plan(subject), _values(path, None))
    name = task.params["name"]
    what = existing.beside((name, f"{name}-admin"))
    if what:
        remedy = "Delete it by hand, or give the path of this cluster's own file"
        raise Refused(subject, [Refusal.because(str(path), f"will not be deleted: it holds {what}", remedy)])
    changes = (Change("contexts", existing.contexts, ABSENT), *_token_changes(path, existing, None))
    if not task.check_mode:
        if len(changes) > 1:
            forget_token(task, path)
        path.unlink()
    return Result.of(Plan(subject, changes), _values(path, None))


def plan_file(path: Path, existing: Kubeconfig | None, wanted: Kubeconfig) -> Plan:
    """What differs between the file and the service's answer, its permissions included."""
    subject = f"kubeconfig {path}"
    refused = []
    what = existing.beside(wanted.contexts) if existing is not None and existing.text.strip() else ""
    if existing is not None and what:
        advice = "Remove it if it is not needed, or give" if existing.document is None else "Give"
        remedy = f"{advice} this cluster a file of its own"
        refused.append(Refusal.because(str(path), f"will not be overwritten: it holds {what}", remedy))
    changes = kubeconfig_changes(existing, wanted)
    mode = stat.S_IMODE(path.stat().st_mode) if existing is not None else MODE
    if mode & 0o077:
        changes.append(Change("mode", f"{mode:04o}", f"{MODE:04o}"))
    return Plan(subject, tuple(changes), tuple(refused), is_new=existing is None)


def _requested(task: Task) -> Kubeconfig | None:
    """The service's kubeconfig; None in check mode when there is no cluster to ask for one yet."""
    params = task.params
    arm = Arm.connect(task)
    cluster = names.cluster_id(resolve_identity(params).subscription_id, params["resource_group"], params["name"])
    action = f"Getting the {params['credential']} credential of AKS cluster {params['name']}"
    url = arm.url(f"{cluster}/{_VERBS[params['credential']]}", names.api_version_of(names.MANAGED_CLUSTERS))
    response = arm.call("POST", url, action)
    if task.check_mode and (errors.is_absent(response) or errors.is_unregistered(response)):
        return None
    if response.status != 200:
        failure = arm.failure(action, response)
        if response.status == 400 and params["credential"] == "admin" and "local account" in str(failure):
            failure.hint = "Use the credential user, with a login through Entra (login)."
        if errors.is_absent(response) and not failure.hint:
            failure.hint = "Create the cluster first (mcpops.platform.aks_cluster), or check its name and group."
        raise failure
    try:
        text = base64.b64decode(response.json_or_none()["kubeconfigs"][0]["value"]).decode("utf-8")
    except (KeyError, IndexError, TypeError, binascii.Error, UnicodeDecodeError) as exc:
        raise ServiceError(action, "the answer holds no kubeconfig", code="NoKubeconfig", status=200) from exc
    # AKS ends some kubeconfigs without a newline
    return parse_kubeconfig(text if text.endswith("\n") else f"{text}\n")


def _current_content(task: Task, path: Path) -> Kubeconfig | None:
    if not path.exists():
        return None
    existing = parse_kubeconfig(path.read_text(encoding="utf-8", errors="replace"))
    for credential in existing.credentials():
        task.secret(credential)
    if existing.user.get("tokenFile") == str(token_file(path)):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            task.secret(token_file(path).read_text(encoding="utf-8").strip())
    return existing


def path_problems(path: Path, state: str) -> list[Problem]:
    """Whether this user can have a file there, told before a credential is asked for."""
    # os.path: what lies in a directory that may not be entered does not exist, where pathlib would raise
    there = os.path.exists(path)
    if os.path.isdir(path):
        return [Problem("path", f"{path} is a directory: name a file in it")]
    parent = path.parent
    while not os.path.exists(parent) and parent != parent.parent:
        parent = parent.parent
    if not os.path.isdir(parent):
        return [Problem("path", f"{parent} is not a directory, so {path} cannot be made")]
    user = f"user {os.geteuid()}"
    if not os.access(parent, os.X_OK) or (not os.access(parent, os.W_OK) and (there or state == "present")):
        return [Problem("path", f"{user} may not write in {parent}: name a path in a directory of its own")]
    if there and not os.access(path, os.R_OK):
        return [Problem("path", f"{user} may not read {path}: name another path, or correct its owner")]
    return []


def write_kubeconfig(path: Path, text: str) -> None:
    try:
        write_private(path, text, durable=True)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise ServiceError(f"Writing kubeconfig {path}", reason, hint="Check the disk and the directory.") from exc


def _values(path: Path, kubeconfig: Kubeconfig | None) -> dict[str, Any]:
    context, server = (kubeconfig.current_context, kubeconfig.server) if kubeconfig is not None else (None, None)
    return {"path": str(path), "context": context, "server": server}
