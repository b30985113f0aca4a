# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a kubeconfig says that its user logs in through Entra, and the same for another way of logging in.

The exec plugin is kubelogin. What it is told for each way is what `kubelogin convert-kubeconfig` writes (its sources,
pkg/internal/converter/convert.go: the same from 0.1.0 to 0.2.19 for the ways that are offered here).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import Problem

SERVER_APP = "6dae42f8-4368-4678-94ff-3960e28e3630"
"""The application that tokens for the API servers of AKS are made for, everywhere the same (kubelogin: aks.md)."""

TOKEN = "token"
LOGINS = ("azurecli", "spn", "msi", "workloadidentity", "devicecode", TOKEN)

_COMMAND = "kubelogin"
_GET_TOKEN = "get-token"
_API_VERSION = "client.authentication.k8s.io/v1beta1"
_INSTALL_HINT = (
    "\nkubelogin is not installed which is required to connect to AAD enabled cluster.\n\n"
    "To learn more, please go to https://azure.github.io/kubelogin/\n"
)
# the settings of the auth provider that was there before exec plugins, and what they are called now
_LEGACY = {
    "apiserver-id": "--server-id",
    "client-id": "--client-id",
    "tenant-id": "--tenant-id",
    "environment": "--environment",
}
_SWITCHES = ("--legacy", "--pop-enabled", "--disable-environment-override", "--disable-instance-discovery")
# what convert-kubeconfig takes over, or adds when it is asked to; -l and -t are the short forms
_SHORT = {"-l": "--login", "-t": "--tenant-id", "-e": "--environment", "-s": "--subscription"}
_OPTIONS = (
    *("--login", "--server-id", "--client-id", "--tenant-id", "--subscription", "--environment"),
    *("--client-secret", "--client-certificate", "--client-certificate-password", "--username", "--password"),
    *("--identity-resource-id", "--authority-host", "--federated-token-file", "--token-cache-dir", "--cache-dir"),
    *("--pop-claims", "--redirect-url", "--login-hint", "--azure-pipelines-service-connection-id"),
)
_SECRET_OPTIONS = ("--client-secret", "--client-certificate-password", "--password")
_ENVIRONMENT = ("AZURE_CONFIG_DIR",)


@dataclass(frozen=True)
class Entra:
    """The arguments of kubelogin: options with their values (None for a switch), in their order."""

    options: Mapping[str, str | None] = field(default_factory=dict)
    install_hint: str = _INSTALL_HINT

    @property
    def login(self) -> str:
        return self.options.get("--login") or "devicecode"

    @property
    def server_id(self) -> str:
        return self.options.get("--server-id") or SERVER_APP


@dataclass(frozen=True)
class Own:
    """What the module's own credential can tell kubelogin; no secret is ever among it."""

    kind: str
    client_id: str = ""
    tenant: str = ""
    certificate_path: str = ""
    token_file: str = ""
    authority: str = ""
    """Where tokens are asked for, in a cloud that kubelogin does not know by name."""


def entra_of(user: Mapping[str, Any]) -> Entra | None:
    """The Entra login of a kubeconfig's user; None where it is another kind of credential."""
    provider = user.get("auth-provider")
    if isinstance(provider, Mapping) and provider.get("name") == "azure":
        config = provider.get("config")
        config = config if isinstance(config, Mapping) else {}
        found: dict[str, str | None] = {
            option: str(config[setting]) for setting, option in _LEGACY.items() if config.get(setting)
        }
        # of old, an unset mode stands for audiences that begin with spn:
        legacy: dict[str, str | None] = {"--legacy": None} if config.get("config-mode", "0") in ("", "0") else {}
        return Entra({**found, **legacy})
    plugin = user.get("exec")
    if not isinstance(plugin, Mapping) or _COMMAND not in str(plugin.get("command", "")).lower():
        return None
    options = _options(_words(plugin))
    return Entra(options or {}, str(plugin.get("installHint") or _INSTALL_HINT))


def _words(plugin: Mapping[str, Any]) -> list[str]:
    given = plugin.get("args")
    return [str(word) for word in given] if isinstance(given, list) else []


def _variables(plugin: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    given = plugin.get("env")
    return [item for item in given if isinstance(item, Mapping)] if isinstance(given, list) else []


def _options(arguments: Sequence[str]) -> dict[str, str | None] | None:
    """The options behind get-token; None where there is something that convert-kubeconfig never writes."""
    words = list(arguments)
    if words[:1] != [_GET_TOKEN]:
        return None
    found: dict[str, str | None] = {}
    position = 1
    while position < len(words):
        name, given, value = words[position].partition("=")
        name = _SHORT.get(name, name)
        position += 1
        if name in _SWITCHES and not given:
            found[name] = None
            continue
        if name not in _OPTIONS or (not given and position == len(words)):
            return None
        if not given:
            value = words[position]
            position += 1
        found["--cache-dir" if name == "--token-cache-dir" else name] = value
    return found


def secrets_of(user: Mapping[str, Any]) -> list[str]:
    """What a person has given kubelogin in the file although it is a secret."""
    plugin = user.get("exec")
    if not isinstance(plugin, Mapping):
        return []
    words = _words(plugin)
    after = [word for name, word in itertools.pairwise(words) if name in _SECRET_OPTIONS]
    pairs = [word.partition("=") for word in words]
    joined = [value for name, _equals, value in pairs if name in _SECRET_OPTIONS and value]
    named = _variables(plugin)
    return after + joined + [str(item["value"]) for item in named if _is_secret_variable(item)]


def _is_secret_variable(item: Mapping[str, Any]) -> bool:
    return bool(item.get("value")) and any(word in str(item.get("name", "")) for word in ("SECRET", "PASSWORD"))


def login_problems(login: str, own: Own) -> list[Problem]:
    """What this way of logging in needs to know and the credential of the task does not say."""
    if login == "spn" and not (own.client_id and own.kind in ("secret", "certificate")):
        asked = "spn logs in as the application of the task, which has none: set client_id, tenant and secret"
        return [Problem("login", f"{asked} (or x509_certificate_path), or choose another login")]
    return []


def with_login(service: Entra, login: str, own: Own) -> dict[str, Any]:
    """The user of the kubeconfig for this way of logging in, of what the service gave."""
    options: dict[str, str | None] = {"--login": login, "--server-id": service.server_id}
    options |= _login_options(service, login, own)
    if own.authority and login in ("spn", "devicecode"):
        # convert-kubeconfig leaves these out, and kubelogin would ask the public cloud; the second one is of 0.1.7
        options |= {"--authority-host": f"{own.authority.rstrip('/')}/", "--disable-instance-discovery": None}
    words = [word for name, value in options.items() for word in ([name] if value is None else [name, value])]
    return {
        "exec": {
            "apiVersion": _API_VERSION,
            "args": [_GET_TOKEN, *words],
            "command": _COMMAND,
            "env": None,
            "installHint": service.install_hint,
            "provideClusterInfo": False,
        }
    }


def _login_options(service: Entra, login: str, own: Own) -> dict[str, str | None]:
    given = service.options
    environment = {name: given[name] for name in ("--environment",) if given.get(name)}
    legacy = {name: given[name] for name in ("--legacy",) if name in given}
    if login == "devicecode":
        return {**_chosen(given, "--client-id", "--tenant-id"), **environment, **legacy}
    if login == "spn":
        known = {"--client-id": own.client_id, "--tenant-id": own.tenant or given.get("--tenant-id")}
        certificate = {"--client-certificate": own.certificate_path} if own.certificate_path else {}
        return {**known, **environment, **certificate, **legacy}
    if login == "msi" and own.kind == "msi" and own.client_id:
        return {"--client-id": own.client_id}
    if login == "workloadidentity" and own.kind == "workload_identity":
        values = {
            "--client-id": own.client_id,
            "--tenant-id": own.tenant,
            "--authority-host": f"{own.authority.rstrip('/')}/" if own.authority else "",
            "--federated-token-file": own.token_file,
        }
        return {name: value for name, value in values.items() if value}
    return {}


def _chosen(given: Mapping[str, str | None], *names: str) -> dict[str, str | None]:
    return {name: given[name] for name in names if given.get(name)}


def is_converted(current: Mapping[str, Any], service: Entra, wanted: Mapping[str, Any] | None) -> bool:
    """Whether convert-kubeconfig may have made this user of what the service gave.

    Where a login is declared (`wanted` is its user), it has to be that one, with what we tell kubelogin for it; what a
    person added with convert-kubeconfig's own options stays. Anything else is drift.
    """
    plugin = current.get("exec")
    if set(current) != {"exec"} or not isinstance(plugin, Mapping):
        return False
    options = _options(_words(plugin))
    if options is None or plugin.get("command") != _COMMAND or not _plain(plugin):
        return False
    needed = {} if wanted is None else _options(wanted["exec"]["args"]) or {}
    here = Entra(options)
    if here.server_id != service.server_id or (wanted is not None and here.login != needed["--login"]):
        return False
    return all(name in options and options[name] == value for name, value in needed.items())


def _plain(plugin: Mapping[str, Any]) -> bool:
    """Whether the rest of the entry is what clients write, and the environment no more than it may name."""
    named = [item.get("name") for item in _variables(plugin)]
    version = str(plugin.get("apiVersion", ""))
    return version.startswith("client.authentication.k8s.io/") and all(name in _ENVIRONMENT for name in named)
