# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection options of every Kubernetes module, and what they resolve to together with the environment.

Names, aliases and environment variables are those of kubernetes.core, so that module_defaults, AWX credential types
and habits carry over. One rule is stricter: the environment never changes which cluster a task named by option. A job's
credential for another cluster (K8S_AUTH_HOST, K8S_AUTH_CONTEXT, a token) would send the work there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput, Problem


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

EMPTY = (
    "is empty, and KUBECONFIG or ~/.kube/config may be of another cluster. Name the cluster's kubeconfig (roles take "
    "mcpops_kubeconfig, or a variable of their own); leave the option out to use that of the environment"
)


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


def resolve(params: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> ConnectionOptions:
    """Options first, then K8S_AUTH_*, then KUBECONFIG, then ~/.kube/config.

    Beside the option kubeconfig, of the variables only those count that do not say which cluster it is.
    """
    environ = os.environ if environ is None else environ
    option = params.get("kubeconfig")
    if isinstance(option, str) and not option.strip() and not params.get("host"):
        raise InvalidInput("Kubernetes connection", [Problem("kubeconfig", EMPTY)])
    said = {
        name: _said(params.get(name), None if option and name not in _OF_ANY_CLUSTER else environ.get(variable))
        for name, variable in _ENVIRONMENT.items()
    }
    kubeconfig = said.pop("kubeconfig")
    groups = said.pop("impersonate_groups")
    validate = said.pop("validate_certs")
    content, paths, named = _kubeconfig(kubeconfig, environ)
    return ConnectionOptions(
        kubeconfig=content,
        kubeconfig_paths=paths,
        kubeconfig_named=named,
        validate_certs=None if validate is None else boolean(validate),
        impersonate_groups=tuple(groups.split(",") if isinstance(groups, str) else groups or ()),
        **said,
    )


def _said(option: Any, variable: str | None) -> Any:
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
