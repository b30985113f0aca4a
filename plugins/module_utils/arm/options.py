# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Azure identity of a task: options, environment, profile and CLI resolved into one."""

from __future__ import annotations

import configparser
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import InvalidInput, Problem, ServiceError, refuse
from ..run_cache import RunCache

SUBJECT = "Azure credentials"
AUTH_SOURCES = ("auto", "cli", "credential_file", "env", "msi", "workload_identity")

# option: the variables that stand for it, the first that is set wins. Ansible's and AWX's spelling, then the SDK's.
VARIABLES: dict[str, tuple[str, ...]] = {
    "auth_source": ("ANSIBLE_AZURE_AUTH_SOURCE",),
    "profile": ("AZURE_PROFILE",),
    "subscription_id": ("AZURE_SUBSCRIPTION_ID",),
    "client_id": ("AZURE_CLIENT_ID",),
    "secret": ("AZURE_SECRET", "AZURE_CLIENT_SECRET"),
    "tenant": ("AZURE_TENANT", "AZURE_TENANT_ID"),
    "x509_certificate_path": ("AZURE_X509_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PATH"),
    "thumbprint": ("AZURE_THUMBPRINT",),
    "federated_token_file": ("AZURE_FEDERATED_TOKEN_FILE",),
    "cloud_environment": ("AZURE_CLOUD_ENVIRONMENT",),
    "authority_host": ("AZURE_AUTHORITY_HOST",),
    "cert_validation_mode": ("AZURE_CERT_VALIDATION_MODE",),
    "disable_instance_discovery": ("AZURE_DISABLE_INSTANCE_DISCOVERY",),
}
_IDENTITY = ("client_id", "secret", "tenant", "x509_certificate_path", "thumbprint", "federated_token_file")
# the keys of a section of ~/.azure/credentials, as azure.azcollection reads them
_PROFILE_KEYS = ("subscription_id", "client_id", "secret", "tenant", "x509_certificate_path", "thumbprint")


def azure_argument_spec() -> dict[str, Any]:
    """The authentication options of every Azure module; no `env_fallback`, `resolve_identity` reads the environment."""
    return {
        "auth_source": {"type": "str", "choices": list(AUTH_SOURCES)},
        "profile": {"type": "str"},
        "subscription_id": {"type": "str"},
        "client_id": {"type": "str"},
        "secret": {"type": "str", "no_log": True},
        "tenant": {"type": "str"},
        "x509_certificate_path": {"type": "path"},
        "thumbprint": {"type": "str", "no_log": True},
        "cloud_environment": {"type": "str"},
        "cert_validation_mode": {"type": "str", "choices": ["validate", "ignore"]},
        "disable_instance_discovery": {"type": "bool"},
    }


@dataclass(frozen=True)
class Identity:
    """Everything needed to get a token and to reach Azure; `secret` never shows in a repr."""

    kind: str
    subscription_id: str
    cloud: str = "AzureCloud"
    tenant: str = ""
    client_id: str = ""
    secret: str = field(default="", repr=False)
    certificate_path: str = ""
    token_file: str = ""
    authority_host: str = ""
    disable_instance_discovery: bool | None = None
    verify: bool | str = True

    def fingerprint(self) -> str:
        """Tells identities apart in caches without holding the secret; another secret is another identity."""
        known = (self.kind, self.cloud, self.tenant, self.client_id, self.secret, self.certificate_path)
        where = (self.token_file, self.authority_host)
        return hashlib.sha256(json.dumps([*known, *where]).encode()).hexdigest()


def resolve_identity(params: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Identity:
    """The identity of this task: options, then environment, then profile, then the Azure CLI."""
    env = os.environ if environ is None else environ
    source = _setting("auth_source", params, env) or "auto"
    if source not in AUTH_SOURCES:
        known = ", ".join(AUTH_SOURCES)
        raise InvalidInput(SUBJECT, [Problem("ANSIBLE_AZURE_AUTH_SOURCE", f"{source!r} is not one of {known}")])
    found = _gather(source, params, env)
    kind = _kind(source, found, env)
    refuse(SUBJECT, _problems(kind, source, found))
    return Identity(
        kind=kind,
        subscription_id=found["subscription_id"],
        cloud=_setting("cloud_environment", params, env) or found.get("cloud_environment") or "AzureCloud",
        tenant=found.get("tenant", ""),
        client_id=found.get("client_id", ""),
        secret=found.get("secret", "") if kind == "secret" else "",
        certificate_path=found.get("x509_certificate_path", "") if kind == "certificate" else "",
        token_file=found.get("federated_token_file", "") if kind == "workload_identity" else "",
        authority_host=_setting("authority_host", {}, env),
        disable_instance_discovery=_flag(params.get("disable_instance_discovery"), env),
        verify=_verify(params, env),
    )


def _setting(option: str, params: Mapping[str, Any], env: Mapping[str, str]) -> str:
    value = params.get(option)
    if value not in (None, ""):
        return str(value)
    return next((env[name] for name in VARIABLES[option] if env.get(name)), "")


def _gather(source: str, params: Mapping[str, Any], env: Mapping[str, str]) -> dict[str, str]:
    """Where each value comes from under `source`. An option always wins over a variable."""
    options = {name: str(params[name]) for name in ("subscription_id", *_IDENTITY) if params.get(name)}
    variables = {name: _setting(name, {}, env) for name in ("subscription_id", *_IDENTITY)}
    variables = {name: value for name, value in variables.items() if value}
    if source in ("cli", "msi"):
        own = {name: value for name, value in options.items() if name in ("subscription_id", "client_id", "tenant")}
        subscription = (
            own.get("subscription_id") or variables.get("subscription_id", "") or _cli_subscription(source, env)
        )
        if source == "msi" and "client_id" not in own and variables.get("client_id"):
            own["client_id"] = variables["client_id"]
        return {**own, "subscription_id": subscription}
    if source == "credential_file":
        return {**_profile(_setting("profile", params, env) or "default", env, required=True), **options}
    named_profile = _setting("profile", params, env)
    if source == "auto" and named_profile and not _has_secret({**variables, **options}):
        return {**_profile(named_profile, env, required=True), **options}
    found = {**variables, **options}
    if source == "auto" and not _has_secret(found) and not _has_platform_identity(env):
        profile = _profile("default", env, required=False)
        found = {**profile, **found} if _has_secret(profile) else found
    if source == "auto" and not found.get("subscription_id") and not _has_secret(found):
        found["subscription_id"] = _cli_subscription("cli", env)
    return found


# what proves an identity, and which kind of login it is for; the first that is set wins
_KIND_OF = {"secret": "secret", "x509_certificate_path": "certificate", "federated_token_file": "workload_identity"}


def _has_secret(found: Mapping[str, str]) -> bool:
    return any(found.get(name) for name in _KIND_OF)


def _has_platform_identity(env: Mapping[str, str]) -> bool:
    """A managed identity that announces itself; one on a bare virtual machine must be asked for (`msi`)."""
    return bool(env.get("IDENTITY_ENDPOINT") or env.get("MSI_ENDPOINT"))


def _kind(source: str, found: Mapping[str, str], env: Mapping[str, str]) -> str:
    if source in ("cli", "msi", "workload_identity"):
        return source
    given = next((kind for option, kind in _KIND_OF.items() if found.get(option)), "")
    if given or source != "auto":
        return given or "none"
    if _has_platform_identity(env):
        return "msi"
    logged_in = not found.get("client_id") and (_azure_directory(env) / "azureProfile.json").is_file()
    return "cli" if logged_in else "none"


def _problems(kind: str, source: str, found: Mapping[str, str]) -> list[Problem]:
    problems = []
    needed: dict[str, tuple[str, ...]] = {
        "secret": ("client_id", "tenant"),
        "certificate": ("client_id", "tenant"),
        "workload_identity": ("client_id", "tenant", "federated_token_file"),
        "none": ("client_id", "secret", "tenant"),
    }
    for option in needed.get(kind, ()):
        if not found.get(option):
            named = " or ".join(VARIABLES[option][:2])
            how = (
                f"set the variable {named}" if option == "federated_token_file" else f"set it, or the variable {named}"
            )
            problems.append(Problem(option, f"is not set: {how}"))
    if kind == "none":
        other = "log in with `az login`, or name another way with auth_source"
        problems.append(Problem("auth_source", f"{source} found no credentials: give the values above, {other}"))
    if not found.get("subscription_id"):
        problems.append(Problem("subscription_id", "is not set: set it, or the variable AZURE_SUBSCRIPTION_ID"))
    return problems


def _azure_directory(env: Mapping[str, str]) -> Path:
    return Path(env.get("AZURE_CONFIG_DIR") or Path(env.get("HOME") or Path.home()) / ".azure")


def _profile(name: str, env: Mapping[str, str], required: bool) -> dict[str, str]:
    path = _azure_directory(env) / "credentials"
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as exc:
        raise InvalidInput(
            SUBJECT, [Problem(str(path), f"cannot be read ({type(exc).__name__}): it is an INI file")]
        ) from exc
    if not parser.has_section(name):
        if not required:
            return {}
        have = ", ".join(parser.sections()) or "none"
        raise InvalidInput(SUBJECT, [Problem("profile", f"{path} has no section [{name}] (it has: {have})")])
    keys = (*_PROFILE_KEYS, "cloud_environment")
    return {key: parser.get(name, key) for key in keys if parser.get(name, key, fallback="")}


def _cli_subscription(source: str, env: Mapping[str, str]) -> str:
    """The subscription `az account set` chose, from the CLI's own file: no process is started for it."""
    if source != "cli":
        return ""
    try:
        profile = json.loads((_azure_directory(env) / "azureProfile.json").read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return ""
    chosen = [entry for entry in profile.get("subscriptions", []) if entry.get("isDefault")]
    return str(chosen[0].get("id", "")) if chosen else ""


def _flag(option: Any, env: Mapping[str, str]) -> bool | None:
    if option is not None:
        return bool(option)
    raw = _setting("disable_instance_discovery", {}, env).lower()
    return raw in ("1", "true", "yes", "on") if raw else None


def _verify(params: Mapping[str, Any], env: Mapping[str, str]) -> bool | str:
    if _setting("cert_validation_mode", params, env) == "ignore":
        return False
    return env.get("REQUESTS_CA_BUNDLE") or env.get("SSL_CERT_FILE") or True


METADATA_API_VERSION = "2022-09-01"
_GOOD_FOR_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Cloud:
    """Where to ask for tokens, for what audience, and where ARM answers (no trailing slash)."""

    resource_manager: str
    authority: str
    audience: str
    well_known: bool

    @property
    def scope(self) -> str:
        return f"{self.audience.rstrip('/')}/.default"


def _known(resource_manager: str, authority: str) -> Cloud:
    return Cloud(resource_manager, authority, resource_manager, True)


# the endpoints azure.core and azure.identity hold for the same names
_CLOUDS = {
    "azurecloud": _known("https://management.azure.com", "https://login.microsoftonline.com"),
    "azurechinacloud": _known("https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
    "azureusgovernment": _known("https://management.usgovcloudapi.net", "https://login.microsoftonline.us"),
}
_ALIASES = {
    "azure_public_cloud": "azurecloud",
    "azurepubliccloud": "azurecloud",
    "azure_china_cloud": "azurechinacloud",
    "azure_us_government": "azureusgovernment",
    "azureusgovernmentcloud": "azureusgovernment",
}


def _well_known(name: str) -> Cloud | None:
    return _CLOUDS.get(_ALIASES.get(name.lower(), name.lower()))


def cloud_problems(name: Any) -> list[Problem]:
    """What is wrong with the name of a cloud; none is the one of everybody."""
    if not name or _well_known(str(name)) or (urlsplit(str(name)).scheme == "https" and urlsplit(str(name)).netloc):
        return []
    names = "AzureCloud, AzureChinaCloud, AzureUSGovernment"
    return [Problem("cloud_environment", f"{name!r} is neither a cloud ({names}) nor the https URL of an ARM endpoint")]


def find_cloud(name: str, authority_host: str, cache: RunCache, get_json: Callable[[str], Any]) -> Cloud:
    """The cloud called `name`, or the one whose ARM endpoint is the URL `name`; `get_json` reads one URL."""
    refuse("Azure cloud", cloud_problems(name))
    # a person may paste the document's own address as well as the endpoint
    endpoint = name.split("/metadata/endpoints", 1)[0].rstrip("/")
    cloud = _well_known(name) or Cloud(
        **cache.get_or_make(("arm-cloud", endpoint), lambda: (_discover(endpoint, get_json), _GOOD_FOR_SECONDS))
    )
    host = authority_host if "://" in authority_host else f"https://{authority_host}"
    return replace(cloud, authority=host.rstrip("/")) if authority_host else cloud


def _discover(endpoint: str, get_json: Callable[[str], Any]) -> dict[str, Any]:
    url = f"{endpoint}/metadata/endpoints?api-version={METADATA_API_VERSION}"
    document = get_json(url)
    try:
        authentication = document["authentication"]
        found = Cloud(
            resource_manager=str(document.get("resourceManager") or endpoint).rstrip("/"),
            authority=str(authentication["loginEndpoint"]).rstrip("/"),
            audience=str(authentication["audiences"][0]),
            well_known=False,
        )
    except (KeyError, IndexError, TypeError, AttributeError) as exc:
        raise ServiceError(
            f"Reading the cloud's endpoints at {url}",
            "the answer has no authentication.loginEndpoint and authentication.audiences",
            hint="Set cloud_environment to the URL of an Azure Resource Manager endpoint.",
        ) from exc
    return asdict(found)
