# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From connection options, environment and kubeconfig to the address and the credentials of one cluster."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ..errors import Check, InvalidInput, Problem, Rule, check, refuse
from ..names import NO_KUBECONFIG
from ..text import listed
from .sdk import require, yaml
from .yaml_loader import read_documents


def kubernetes_argument_spec() -> dict[str, Any]:
    """The documentation fragment `kubernetes` describes these options; a module adds its own to a fresh copy."""
    return {
        "kubeconfig": {"type": "raw"},
        "context": {"type": "str"},
        "host": {"type": "str"},
        "api_key": {"type": "str", "no_log": True},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "validate_certs": {"type": "bool", "aliases": ["verify_ssl"]},
        "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"]},
        "client_cert": {"type": "path", "aliases": ["cert_file"]},
        "client_key": {"type": "path", "aliases": ["key_file"], "no_log": False},
        "proxy": {"type": "str"},
        "no_proxy": {"type": "str"},
        "impersonate_user": {"type": "str"},
        "impersonate_groups": {"type": "list", "elements": "str"},
    }


_ENVIRONMENT = {
    "kubeconfig": "K8S_AUTH_KUBECONFIG",
    "context": "K8S_AUTH_CONTEXT",
    "host": "K8S_AUTH_HOST",
    "api_key": "K8S_AUTH_API_KEY",
    "username": "K8S_AUTH_USERNAME",
    "password": "K8S_AUTH_PASSWORD",
    "validate_certs": "K8S_AUTH_VERIFY_SSL",
    "ca_cert": "K8S_AUTH_SSL_CA_CERT",
    "client_cert": "K8S_AUTH_CERT_FILE",
    "client_key": "K8S_AUTH_KEY_FILE",
    "proxy": "K8S_AUTH_PROXY",
    "no_proxy": "K8S_AUTH_NO_PROXY",
    "impersonate_user": "K8S_AUTH_IMPERSONATE_USER",
    "impersonate_groups": "K8S_AUTH_IMPERSONATE_GROUPS",
}
# how to get there and as whom to act there; all others say which cluster it is, and with which credentials
_OF_ANY_CLUSTER = frozenset({"proxy", "no_proxy", "impersonate_user", "impersonate_groups"})


def _is_unnamed(params: Mapping[str, Any]) -> bool:
    option: Any = params.get("kubeconfig")
    named = option.get("path", option.get("content")) if _is_chosen(option) else option
    return isinstance(named, str) and not named.strip() and not params.get("host")


_CHOICE = ("path", "content", "context")
"""The keys of a mapping that names a kubeconfig, as a file or as its content, and the context of it to use."""


def _is_chosen(option: Any) -> bool:
    """Whether it names a kubeconfig, and the context of it; any other mapping is the kubeconfig itself."""
    return isinstance(option, Mapping) and bool({"path", "content"} & set(option))


def _choice_problems(params: Mapping[str, Any]) -> list[Problem]:
    option: Any = params.get("kubeconfig")
    if not _is_chosen(option):
        return []
    takes = f"it is a kubeconfig, or a mapping of {listed(_CHOICE, len(_CHOICE))}"
    unknown = sorted(map(str, set(option) - {*_CHOICE}))
    found = [Problem("kubeconfig", f"has an unknown key {key!r}: {takes}") for key in unknown]
    if "path" in option and "content" in option:
        found.append(Problem("kubeconfig", "has both path and content: give one of them"))
    for key in ("path", "context"):
        if key in option and not isinstance(option[key], (str, type(None))):
            found.append(Problem(f"kubeconfig.{key}", f"is a {type(option[key]).__name__}, not text"))
    content = option.get("content")
    if isinstance(content, str) and content.strip() and _parsed(content) is None:
        found.append(Problem("kubeconfig.content", "is not the YAML of a kubeconfig"))
    elif "content" in option and not isinstance(content, (str, Mapping)):
        found.append(Problem("kubeconfig.content", f"is a {type(content).__name__}, not a kubeconfig"))
    return found


def _parsed(text: str) -> Mapping[str, Any] | None:
    """The kubeconfig in a text; None where it is none."""
    require()
    try:
        documents = read_documents(text)
    except yaml.YAMLError:
        return None
    return documents[0] if documents and isinstance(documents[0], Mapping) else None


# what every module that asks a cluster refuses of these options
CONNECTION: tuple[Rule[Mapping[str, Any]], ...] = (Check("kubeconfig", _is_unnamed, NO_KUBECONFIG), _choice_problems)


@dataclass(frozen=True)
class ConnectionOptions:
    """What the user said about reaching the cluster; None means unsaid."""

    kubeconfig: Mapping[str, Any] | None = None
    kubeconfig_paths: tuple[Path, ...] = ()
    kubeconfig_named: bool = False
    """The file was asked for by option or variable; otherwise it is the default place."""
    context: str | None = None
    host: str | None = None
    api_key: str | None = None
    username: str | None = None
    password: str | None = None
    validate_certs: bool | None = None
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = None
    no_proxy: str | None = None
    impersonate_user: str | None = None
    impersonate_groups: tuple[str, ...] = ()

    @property
    def self_contained(self) -> bool:
        """Host and credentials were given: no kubeconfig is needed."""
        credentials = self.api_key or (self.username and self.password) or (self.client_cert and self.client_key)
        return bool(self.host and credentials)


def resolve_options(params: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> ConnectionOptions:
    """Options first, then K8S_AUTH_*, then KUBECONFIG, then ~/.kube/config.

    Beside the option kubeconfig, of the variables only those count that do not say which cluster it is.
    """
    environ = os.environ if environ is None else environ
    option: Any = params.get("kubeconfig")
    refuse("Kubernetes connection", check(CONNECTION, params))
    if _is_chosen(option):
        content = option.get("content")
        chosen = _parsed(content) if isinstance(content, str) and content.strip() else content or option.get("path")
        # the option of that name is said for this task alone
        params = {**params, "kubeconfig": chosen, "context": params.get("context") or option.get("context")}
    given = {
        name: _given(params.get(name), None if option and name not in _OF_ANY_CLUSTER else environ.get(variable))
        for name, variable in _ENVIRONMENT.items()
    }
    kubeconfig = given.pop("kubeconfig")
    groups = given.pop("impersonate_groups")
    validate = given.pop("validate_certs")
    content, paths, named = _kubeconfig(kubeconfig, environ)
    return ConnectionOptions(
        kubeconfig=content,
        kubeconfig_paths=paths,
        kubeconfig_named=named,
        validate_certs=None if validate is None else boolean(validate),
        impersonate_groups=tuple(groups.split(",") if isinstance(groups, str) else groups or ()),
        **given,
    )


def _given(option: Any, variable: str | None) -> Any:
    if option is not None and option != "":
        return option
    return variable or None


def _kubeconfig(kubeconfig: Any, environ: Mapping[str, str]) -> tuple[Mapping[str, Any] | None, tuple[Path, ...], bool]:
    if isinstance(kubeconfig, Mapping):
        return kubeconfig, (), True
    if kubeconfig:
        return None, (_expanded(str(kubeconfig), environ),), True
    listed = [part for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    if listed:
        return None, tuple(_expanded(part, environ) for part in listed), True
    return None, (_expanded("~/.kube/config", environ),), False


def _expanded(path: str, environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME")
    if home and (path == "~" or path.startswith("~/")):
        return Path(home + path[1:])
    return Path(path).expanduser()


SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Access:
    """How to reach one API server, and as whom."""

    server: str
    verify: bool = True
    ca_pem: str | None = None
    tls_server_name: str | None = None
    token: str | None = None
    token_file: Path | None = None  # where the token came from: whoever keeps it there renews it
    username: str | None = None
    password: str | None = None
    client_cert_pem: str | None = None
    client_key_pem: str | None = None
    exec_spec: Mapping[str, Any] | None = None
    exec_directory: Path | None = None
    exec_cluster: Mapping[str, Any] = field(default_factory=dict)
    proxy: str | None = None
    no_proxy: str | None = None
    impersonate_user: str | None = None
    impersonate_groups: tuple[str, ...] = ()
    origin: str = ""
    """Where the address came from, for messages."""

    @property
    def exec_command(self) -> str:
        """The credential plugin; one with a path is relative to the kubeconfig that names it."""
        command = str((self.exec_spec or {}).get("command", ""))
        return str(self.exec_directory / command) if os.sep in command and self.exec_directory else command

    def secrets(self) -> list[str]:
        """What must appear in no result: whole values, and the lines of a key (a PEM rarely leaks in one piece)."""
        # not the last, short line: it would mask innocent text
        key_lines = [
            line for line in (self.client_key_pem or "").splitlines() if len(line) > 40 and "-----" not in line
        ]
        return [value for value in (self.token, self.password, *key_lines) if value]


def load_access(options: ConnectionOptions, environ: Mapping[str, str] | None = None) -> Access:
    """The access these options stand for; problems in the files are InvalidInput."""
    environ = os.environ if environ is None else environ
    pod = None
    if not options.kubeconfig_named and options.context is None and not options.self_contained:
        pod = in_cluster(environ)
    if options.self_contained:
        access = Access(server=str(options.host), origin="option host")
    elif pod is not None:
        access = pod
    elif options.kubeconfig is not None:
        access = from_config(options.kubeconfig, options.context, Path.cwd(), "kubeconfig")
    else:
        config = merge_configs([(path, read_config(path)) for path in options.kubeconfig_paths if path.exists()])
        first = options.kubeconfig_paths[0]
        access = from_config(config, options.context, first.parent, str(first))
    return _with_options(access, options)


def read_config(path: Path) -> Mapping[str, Any]:
    """One kubeconfig file, its relative paths made absolute."""
    require()
    try:
        documents = read_documents(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise _invalid(str(path), f"cannot be read: {exc.strerror}") from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise _invalid(str(path), "is not YAML; write it again with aks_kubeconfig or az aks get-credentials") from exc
    content = documents[0] if documents else None
    if not isinstance(content, Mapping):
        raise _invalid(str(path), "holds no kubeconfig; write it again with aks_kubeconfig or az aks get-credentials")
    return _absolute(content, path.parent)


def merge_configs(configs: list[tuple[Path, Mapping[str, Any]]]) -> Mapping[str, Any]:
    """kubectl's rule for several files in KUBECONFIG: the first to name something wins."""
    if len(configs) == 1:
        return configs[0][1]
    merged: dict[str, Any] = {}
    for section in ("clusters", "users", "contexts"):
        named: dict[str, Any] = {}
        for _path, config in configs:
            for entry in config.get(section) or []:
                named.setdefault(str(entry.get("name")), entry)
        merged[section] = list(named.values())
    merged["current-context"] = next((c["current-context"] for _p, c in configs if c.get("current-context")), None)
    return merged


def from_config(config: Mapping[str, Any], context: str | None, directory: Path, origin: str) -> Access:
    """The access of one context of a kubeconfig."""
    wanted = context or config.get("current-context")
    if not wanted:
        raise _invalid(origin, "names no current-context; set the option context")
    chosen = _entry(config, "contexts", "context", str(wanted), origin)
    cluster = _entry(config, "clusters", "cluster", str(chosen.get("cluster")), origin)
    user = _entry(config, "users", "user", str(chosen["user"]), origin) if chosen.get("user") else {}
    server = cluster.get("server")
    if not server:
        raise _invalid(origin, f"cluster {chosen.get('cluster')} has no server")
    return Access(
        server=str(server).rstrip("/"),
        verify=not cluster.get("insecure-skip-tls-verify", False),
        ca_pem=_pem(cluster, "certificate-authority", directory, origin),
        tls_server_name=cluster.get("tls-server-name"),
        token=_token(user, directory, origin),
        token_file=directory / Path(str(user["tokenFile"])).expanduser() if user.get("tokenFile") else None,
        username=user.get("username"),
        password=user.get("password"),
        client_cert_pem=_pem(user, "client-certificate", directory, origin),
        client_key_pem=_pem(user, "client-key", directory, origin),
        exec_spec=user.get("exec"),
        exec_directory=directory,
        exec_cluster=cluster,
        proxy=cluster.get("proxy-url"),
        impersonate_user=user.get("as"),
        impersonate_groups=tuple(user.get("as-groups") or ()),
        origin=f"{origin}, context {wanted}",
    )


def _entry(config: Mapping[str, Any], section: str, key: str, name: str, origin: str) -> Mapping[str, Any]:
    entries = {str(entry.get("name")): entry.get(key) or {} for entry in config.get(section) or []}
    if name not in entries:
        known = ", ".join(sorted(entries)) or "none"
        raise _invalid(origin, f"has no {key} {name}; it has: {known}")
    found: Mapping[str, Any] = entries[name]
    return found


def _pem(entry: Mapping[str, Any], key: str, directory: Path, origin: str) -> str | None:
    encoded = entry.get(f"{key}-data")
    if encoded:
        try:
            return base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as exc:
            raise _invalid(origin, f"{key}-data is not base64 of PEM") from exc
    return _file(entry[key], directory, key) if entry.get(key) else None


def _token(user: Mapping[str, Any], directory: Path, origin: str) -> str | None:
    if user.get("tokenFile"):
        return _file(user["tokenFile"], directory, "tokenFile").strip()
    provider = user.get("auth-provider") or {}
    config = provider.get("config") or {}
    found = user.get("token") or config.get("id-token") or config.get("access-token")
    if provider and not found:
        reported = f"uses the legacy auth-provider {provider.get('name')} and holds no token"
        raise _invalid(origin, f"{reported}; use an exec credential plugin (kubelogin) or the option api_key")
    return str(found) if found else None


def in_cluster(environ: Mapping[str, str] | None = None) -> Access | None:
    """The pod's own service account, when this runs inside a cluster."""
    environ = os.environ if environ is None else environ
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    token, authority = SERVICE_ACCOUNT / "token", SERVICE_ACCOUNT / "ca.crt"
    if not host or not port or not token.exists() or not authority.exists():
        return None
    shown = f"[{host}]" if ":" in host else host
    return Access(
        server=f"https://{shown}:{port}",
        ca_pem=authority.read_text(encoding="utf-8"),
        token=token.read_text(encoding="utf-8").strip(),
        token_file=token,
        origin="the service account of this pod",
    )


def _with_options(access: Access, options: ConnectionOptions) -> Access:
    """Single options win over what the kubeconfig says; a new identity replaces the old one whole."""

    def content(option: str) -> str | None:
        return _file(getattr(options, option), Path.cwd(), option) if getattr(options, option) else None

    given = {
        "server": (options.host or "").rstrip("/"),
        "verify": options.validate_certs,
        "ca_pem": content("ca_cert"),
        **{name: getattr(options, name) for name in ("proxy", "no_proxy", "impersonate_user", "impersonate_groups")},
    }
    changed = {name: value for name, value in given.items() if value not in (None, "", ())}
    if options.api_key or options.username or options.client_cert:
        changed |= {
            "token": options.api_key,
            "token_file": None,
            "username": options.username,
            "password": options.password if options.username else None,
            "exec_spec": None,
            "client_cert_pem": content("client_cert"),
            "client_key_pem": content("client_key") if options.client_cert else None,
        }
    return replace(access, **changed)


def _absolute(config: Mapping[str, Any], directory: Path) -> Mapping[str, Any]:
    """File names in a kubeconfig are relative to it; after a merge nobody knows to which."""
    for section, inner, keys in (
        ("clusters", "cluster", ("certificate-authority",)),
        ("users", "user", ("client-certificate", "client-key", "tokenFile")),
    ):
        for entry in config.get(section) or []:
            values = entry.get(inner) or {}
            for key in keys:
                if values.get(key):
                    values[key] = str(directory / str(values[key]))
    return config


def _file(name: str, directory: Path, what: str) -> str:
    path = directory / Path(name).expanduser()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise _invalid(what, f"{path} cannot be read: {getattr(exc, 'strerror', None) or 'not text'}") from exc


def _invalid(path: str, message: str) -> InvalidInput:
    return InvalidInput("Kubernetes connection", [Problem(path, message)])
