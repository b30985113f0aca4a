# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of single fields of an MCPServer.

Workload identity, packages of npx and uvx, labels and annotations, and values that the controller cannot decode.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..errors import Reason
from ..kube.config_digest import as_mapping
from ..kube.syntax import parse_quantity
from ..names import wrong_annotation_name, wrong_label_name, wrong_label_value
from ..text import kind_of
from .server_spec import IDENTITY_CLIENT, IDENTITY_LABEL, IDENTITY_TENANT, Declared

Found = Iterator[tuple[str, str]]

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ANNOTATIONS: Mapping[str, str] = {"client_id": IDENTITY_CLIENT, "tenant_id": IDENTITY_TENANT}


def identity_problems(server: Declared) -> Found:
    identity = server.options.get("workload_identity")
    if identity is None:
        return
    name = server.options.get("service_account_name")
    annotations = as_mapping(_own_account(server).get("annotations"))
    for option, annotation in _ANNOTATIONS.items():
        value = identity.get(option)
        if value and name is not None:
            yield (
                f"workload_identity.{option}",
                f"belongs to the account {name} of service_account_name, which KMCP does not change: annotate that "
                f"with {annotation}, or leave service_account_name out",
            )
        elif value and not _UUID.fullmatch(str(value)):
            yield f"workload_identity.{option}", f"{value!r} is not a UUID such as 00000000-0000-0000-0000-000000000000"
        elif value and annotations.get(annotation) != value:
            yield f"workload_identity.{option}", f"contradicts the annotation {annotation} of service_account"
    if name is None and not identity.get("client_id"):
        yield "workload_identity.client_id", "is missing: the client ID of the identity that the server acts as"
    if as_mapping(server.deployment.get("labels")).get(IDENTITY_LABEL) != "true":
        yield "workload_identity", f'contradicts the label {IDENTITY_LABEL} of the pods, which must be "true"'


def identity_warnings(server: Declared) -> Iterator[str]:
    """One of the two places without the other: the pods start, and get no token."""
    label = as_mapping(server.deployment.get("labels")).get(IDENTITY_LABEL)
    client = as_mapping(_own_account(server).get("annotations")).get(IDENTITY_CLIENT)
    own_account = server.deployment.get("serviceAccountName") is None
    if client and label != "true":
        yield (
            f"service_account names a client ID and the pods have no label {IDENTITY_LABEL}: "
            '"true", so they get no token; workload_identity sets both.'
        )
    if label == "true" and not client and own_account:
        yield (
            f"the pods have the label {IDENTITY_LABEL} and their service account has no annotation {IDENTITY_CLIENT}, "
            "so they get no token; workload_identity sets both."
        )


# Options without a value: those of type Boolean in npm 11's config definitions, and its shorthands for such. npx takes
# the argument after any other option for its value, unless it begins with a dash (bin/npx-cli.js).
_SWITCHES = """
    all allow-same-version audit bin-links browser bypass-2fa color commit-hooks description dev diff-ignore-all-space
    diff-name-only diff-no-prefix diff-text dry-run engine-strict expect-results force foreground-scripts
    format-package-lock fund git-tag-version global global-style if-present ignore-scripts include-attestations
    include-staged include-workspace-root init-private install-links json legacy-bundling legacy-peer-deps long
    offline omit-lockfile-registry-resolved optional package-lock package-lock-only parseable prefer-dedupe
    prefer-offline prefer-online production progress provenance read-only rebuild-bundle save save-bundle save-dev
    save-exact save-optional save-peer save-prod shrinkwrap sign-git-commit sign-git-tag strict-peer-deps
    strict-ssl timing unicode update-notifier usage version versions workspaces workspaces-update yes
    y n no no-install quiet q s silent verbose d dd ddd f g l a B D E O P S ws iwr local h help v
"""
# Options with a value, of "uvx --help" 0.13; every other is a switch.
_OPTIONS = """
    --from -w --with --with-editable --with-requirements -c --constraints -b --build-constraints --overrides --env-file
    --python-platform --torch-backend --index --default-index -i --index-url --extra-index-url -f --find-links
    --index-strategy --keyring-provider -P --upgrade-package --upgrade-group --resolution --prerelease
    --prerelease-package --fork-strategy --exclude-newer --exclude-newer-package --no-sources-package
    --reinstall-package --link-mode -C --config-setting --config-settings-package --no-build-isolation-package
    --no-build-package --no-binary-package --cache-dir --refresh-package -p --python --color --allow-insecure-host
    --directory --project --config-file --refresh-package --constraint --override --build-constraint
"""
_NPX_SWITCHES, _UVX_OPTIONS = frozenset(_SWITCHES.split()), frozenset(_OPTIONS.split())
# with one of these the same versions are found tomorrow
_NPX_PINS, _UVX_PINS = ("before", "enjoy-by"), ("-c", "--constraints", "--exclude-newer")
_LOCAL = re.compile(r"(\.{0,2}/|file:|~/)")
_ARCHIVE = re.compile(r"https?://")
_EXACT_NPM = re.compile(r"[v=]?\d+\.\d+\.\d+([-+][\w.+-]+)?")
_EXACT_PYTHON = re.compile(r"===?\s*(?!.*\*)[\w.!+-]+")
_COMMIT = re.compile(r"[#@][0-9a-f]{7,40}$")


def floating_packages(command: str, arguments: Sequence[str]) -> list[str]:
    """The packages whose version is left open, as they are written; none of a command that fetches nothing."""
    if command == "npx":
        return [one for one in _npx_packages(arguments) if not _is_exact_npm(one)]
    if command == "uvx":
        return [one for one in _uvx_packages(arguments) if not _is_exact_python(one)]
    return []


def pin_advice(command: str) -> str:
    return "NAME@1.2.3" if command == "npx" else "NAME==1.2.3"


def _leading_options(
    arguments: Sequence[str], has_value: Callable[[str, str], bool]
) -> tuple[list[tuple[str, str]], list[str]]:
    """The options before the first argument with their values, and what follows; `has_value` looks at the next word."""
    found, rest = [], list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "--":
        name, sign, value = rest.pop(0).partition("=")
        if not sign and rest and has_value(name, rest[0]):
            value = rest.pop(0)
        found.append((name, value))
    return found, rest[1:] if rest[:1] == ["--"] else rest


def _npx_packages(arguments: Sequence[str]) -> list[str]:
    def has_value(option: str, following: str) -> bool:
        name = option.lstrip("-")
        return name not in _NPX_SWITCHES and not name.startswith("no-") and not following.startswith("-")

    options, rest = _leading_options(arguments, has_value)
    values = [(option.lstrip("-"), value) for option, value in options]
    if any(name in _NPX_PINS for name, _value in values):
        return []
    found = [value for name, value in values if name in ("package", "p") and value]
    # with packages named, or a command, the first argument is not a package
    return found or ([] if any(name in ("call", "c") for name, _value in values) else rest[:1])


def _uvx_packages(arguments: Sequence[str]) -> list[str]:
    options, rest = _leading_options(arguments, lambda option, _following: option in _UVX_OPTIONS)
    if any(name in _UVX_PINS for name, _value in options):
        return []
    named = [(name, value) for name, value in options if name in ("--from", "--with", "-w") and value]
    found = [one for name, value in named for one in ([value] if name == "--from" else value.split(","))]
    return found if any(name == "--from" for name, _value in named) else [*rest[:1], *found]


def _is_exact_npm(package: str) -> bool:
    if _LOCAL.match(package) or _ARCHIVE.match(package):
        return True
    if ":" in package or "/" in package.removeprefix("@").partition("/")[2] or _is_github(package):
        return bool(_COMMIT.search(package))
    version = package[1:].partition("@")[2]
    return bool(_EXACT_NPM.fullmatch(version))


def _is_github(package: str) -> bool:
    """owner/repository stands for one of GitHub."""
    return "/" in package and not package.startswith("@")


def _is_exact_python(package: str) -> bool:
    text = package.strip()
    if _LOCAL.match(text):
        return True
    if "git+" in text:
        return bool(_COMMIT.search(text))
    if _ARCHIVE.search(text):
        return True
    name = re.match(r"[A-Za-z0-9][\w.-]*(\[[^]]*\])?", text)
    version = text[name.end() :].partition(";")[0].strip() if name else ""
    if version.startswith("@"):
        return bool(re.fullmatch(r"\d[\w.!+-]*", version[1:].strip()))
    return bool(_EXACT_PYTHON.fullmatch(version))


def text_problems(server: Declared) -> Found:
    """Structures where the MCPServer's own metadata wants text; scalars have become text."""
    metadata = server.resource["metadata"]
    for path, field in (("server_labels", "labels"), ("server_annotations", "annotations")):
        for name, value in (metadata.get(field) or {}).items():
            if not isinstance(value, str):
                yield f"{path}.{name}", f"is {kind_of(value)}: give a text"


def label_problems(server: Declared) -> Found:
    """Labels and annotations that the API server refuses, on the MCPServer or on what the controller makes of it."""
    deployment, metadata, account = server.deployment, server.resource["metadata"], _own_account(server)
    labels = {
        "labels": deployment.get("labels"),
        # these are the labels of nodes
        "node_selector": deployment.get("nodeSelector"),
        "server_labels": metadata.get("labels"),
        "service_account.labels": account.get("labels"),
    }
    annotations = {
        "annotations": deployment.get("annotations"),
        "server_annotations": metadata.get("annotations"),
        "service_account.annotations": account.get("annotations"),
    }
    for path, values in labels.items():
        for name, value in as_mapping(values).items():
            wrong = wrong_label_name(str(name)) or (wrong_label_value(value) if isinstance(value, str) else "")
            if wrong:
                yield f"{path}.{name}", wrong
    for path, values in annotations.items():
        for name in as_mapping(values):
            if wrong := wrong_annotation_name(str(name)):
                yield f"{path}.{name}", wrong


def _own_account(server: Declared) -> Mapping[str, Any]:
    return as_mapping(server.deployment.get("serviceAccount"))


UNREADABLE = "UnreadableServer"
"""The reason code of what such a server does to all others."""

# Go: Port uint16, TargetPort uint32; the schema says integer, and int32
_PORT = range(2**16)
_TARGET_PORT = range(2**32)
# Go: int32, also in intstr.IntOrString; the API server takes larger ones although the schema says int32
_INT32 = range(-(2**31), 2**31)
# fields of core/v1 that are int64; the schema says so, and the API server refuses what is larger still
_INT64 = frozenset(
    {
        *("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups", "tolerationSeconds"),
        *("terminationGracePeriodSeconds", "expirationSeconds", "seconds"),
    }
)
# fields that hold a quantity, and those that hold a mapping of names to quantities (core/v1)
_QUANTITIES = frozenset({"divisor", "sizeLimit"})
_QUANTITY_MAPS = frozenset({"limits", "requests"})
# handlers of a container whose port may be a number or a name
_HANDLERS = frozenset({"httpGet", "tcpSocket"})
# structures whose keys are the user's own names
_OWN_NAMES = frozenset({"env", "labels", "annotations", "nodeSelector", "matchLabels"})
# time.ParseDuration, by unit in nanoseconds
_UNITS: Mapping[str, int] = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_LONGEST = 2**63 - 1
_TOO_LARGE = "which is too large"


@dataclass(frozen=True)
class Unreadable:
    """One value that the controller cannot read: its place in the MCPServer, and why."""

    path: str
    value: Any
    why: str

    def __str__(self) -> str:
        return f"{self.path} is {self.value!r}, {self.why}"


def unreadable_fields(server: Mapping[str, Any]) -> list[Unreadable]:
    """The values of an MCPServer, as it stands or as it is declared, that end the controller's list of all servers."""
    spec = server.get("spec")
    return list(_of_spec(spec)) if isinstance(spec, Mapping) else []


def unreadable_servers(servers: Iterable[Mapping[str, Any]]) -> list[Reason]:
    """One reason for each MCPServer because of which none of the cluster is reconciled; terminal, as it stays so."""
    return [
        Reason(
            f"MCPServer {server['metadata'].get('namespace')}/{server['metadata'].get('name')}",
            UNREADABLE,
            f"the KMCP controller cannot read it, and so reconciles no MCPServer of the cluster: "
            f"{'; '.join(map(str, found))}",
            "Correct or delete this one; the others then go on by themselves.",
            terminal=True,
        )
        for server in servers
        for found in [unreadable_fields(server)]
        if found
    ]


def nanoseconds(text: str) -> Decimal | None:
    """A duration as Go reads it (time.ParseDuration), or None."""
    sign, rest = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    if rest == "0":
        return Decimal(0)
    parts = list(_PART.finditer(rest))
    if not rest or "".join(part[0] for part in parts) != rest:
        return None
    total = sum((Decimal(part[1]) * _UNITS[part[2]] for part in parts), Decimal(0))
    if int(total) > _LONGEST:
        return None
    return -total if sign == "-" else total


def _of_spec(spec: Mapping[str, Any]) -> Iterator[Unreadable]:
    timeout = spec.get("timeout")
    if isinstance(timeout, str) and nanoseconds(timeout) is None:
        yield Unreadable("spec.timeout", timeout, "which is not a duration such as 30s or 1m30s")
    http, deployment = spec.get("httpTransport"), spec.get("deployment")
    target = http.get("targetPort") if isinstance(http, Mapping) else None
    if _is_outside(target, _TARGET_PORT):
        yield Unreadable("spec.httpTransport.targetPort", target, "which is not a port (1 to 65535)")
    if isinstance(deployment, Mapping):
        if _is_outside(deployment.get("port"), _PORT):
            yield Unreadable("spec.deployment.port", deployment["port"], "which is not a port (1 to 65535)")
        if _is_outside(deployment.get("replicas"), _INT32):
            yield Unreadable("spec.deployment.replicas", deployment["replicas"], _TOO_LARGE)
        yield from _below(deployment, "spec.deployment")


def _below(value: Any, path: str, name: str = "") -> Iterator[Unreadable]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _below(item, f"{path}[{index}]", name)
        return
    for key, item in value.items() if isinstance(value, Mapping) else ():
        place = f"{path}.{key}"
        if key in _QUANTITY_MAPS and isinstance(item, Mapping):
            for resource, amount in item.items():
                yield from _quantity(amount, f"{place}.{resource}")
        elif key in _QUANTITIES:
            yield from _quantity(item, place)
        elif key not in _INT64 and path != "spec.deployment" and _is_outside(item, _INT32):
            port = key == "port" and name in _HANDLERS
            yield Unreadable(place, item, "which is not a port (1 to 65535)" if port else _TOO_LARGE)
        elif key not in _OWN_NAMES or isinstance(item, list):
            # the list `env` of a container has variables, the mapping `env` of the server has names of its own
            yield from _below(item, place, key)


def _quantity(value: Any, path: str) -> Iterator[Unreadable]:
    if isinstance(value, (str, int, float)) and parse_quantity(value) is None:
        yield Unreadable(path, value, "which is not an amount such as 500m or 256Mi")


def _is_outside(value: Any, allowed: range) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value not in allowed
