# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task declares about one release, checked in full before any request: options, values and their files."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..compare import overlay
from ..domain import Domain, writers_of
from ..errors import Check, InvalidInput, Problem, Rule, check
from ..kube.kubeconfig import CONNECTION
from ..kube.sdk import require, yaml
from ..kube.syntax import json_problems
from ..kube.writers import ARGUMENT_SPEC as IGNORE_DIFFERENCES
from ..kube.writers import IgnoredDifference, Writer, ignored_differences
from ..kube.yaml_loader import read_declaration
from ..names import SUBDOMAIN, namespace_problems, wrong_name
from ..plan import leaves
from ..waiting import wait_timeout_problems
from . import chart as charts
from .chart import Chart
from .content import Content


def file_options(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The options of a task whose relative paths are searched for on the controller."""
    if given.get("state") == "absent":
        return ()
    # with an address of a repository, it is a chart's name in that
    return ("values_files",) if given.get("repo_url") else ("chart_ref", "values_files")


def read_values(values: Mapping[str, Any] | None, files: Sequence[str]) -> tuple[dict[str, Any] | None, list[Problem]]:
    """What the task declares; None when it declares nothing."""
    if values is None and not files:
        return None, []
    result: dict[str, Any] = {}
    problems = []
    for index, file in enumerate(files):
        content, problem = _file(f"values_files[{index}]", Path(file).expanduser())
        if problem is not None:
            problems.append(problem)
        result = overlay(result, content)
    declared = overlay(result, values or {})
    return declared, problems + json_problems(declared, "values")


def _file(option: str, path: Path) -> tuple[Mapping[str, Any], Problem | None]:
    require()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        return {}, Problem(option, f"{path} cannot be read: {getattr(failure, 'strerror', None) or failure}")
    if text.startswith("$ANSIBLE_VAULT"):
        advice = "put its content into values with lookup('file', ...) | from_yaml, which decrypts it"
        return {}, Problem(option, f"{path} is encrypted by ansible-vault: {advice}")
    try:
        documents, duplicates = read_declaration(text)
    except yaml.YAMLError as failure:
        return {}, Problem(option, f"{path} is not YAML ({' '.join(str(failure).split())})")
    if duplicates:
        return {}, Problem(option, f"{path}: {'; '.join(map(str, duplicates))}")
    if not documents:
        return {}, None
    if len(documents) > 1 or not isinstance(documents[0], Mapping):
        return {}, Problem(option, f"{path} is not one mapping of values")
    return documents[0], None


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def stored_number(value: float) -> float:
    """A number as helm's record has it."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def rounding_warnings(values: Mapping[str, Any] | None) -> list[str]:
    """Whole numbers that helm does not keep as they are written; the values themselves may be secret."""
    return [
        f"{path}: helm keeps numbers as 64-bit floats, and this one has more digits than these hold: the chart gets a "
        "rounded one. Quote it, if the chart takes text."
        for path, value in (leaves(values, "values") if values else ())
        if is_number(value) and stored_number(value) != value
    ]


Params = Mapping[str, Any]

RELEASE_NAME_LIMIT = 53  # helm's own: a chart may append to it and still stay within a label's 63
CREATE_CRDS, UPGRADE_CRDS, SKIP_CRDS = "create", "upgrade", "skip"


@dataclass(frozen=True)
class Registry:
    """How the chart's registry is reached."""

    ca_file: str | None = None
    plain_http: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ReleaseSpec:
    """One declared release."""

    name: str
    namespace: str
    chart: Chart
    values: Mapping[str, Any] | None = None
    """The declared user values; None leaves those of the release."""
    secret_values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The part of them that is shown nowhere, whatever its keys are called."""
    purge_values: bool = True
    """The declared values are the whole; else they are merged into those of the release."""
    values_secret: bool = False
    digest: str = ""
    """The SHA-256, in hexadecimal, that the chart's archive, or its manifest in an OCI registry, must have."""
    crds: str = CREATE_CRDS
    take_ownership: bool = False
    atomic: bool = False
    history_max: int = 10
    create_namespace: bool = False
    registry: Registry = Registry()
    ignored: tuple[IgnoredDifference, ...] = ()
    helm_binary: str | None = None
    wait: bool = True
    wait_timeout: int = 300
    stale_after: int = 60
    content: Content | None = field(default=None, repr=False, compare=False)
    """What is in the chart, where it is on disk."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the record that helm is to write."""
    domains: tuple[Domain, ...] = ()
    """What is known of objects that a chart may hold."""

    @property
    def writers(self) -> tuple[Writer, ...]:
        return writers_of(self.domains)


def helm_argument_spec() -> dict[str, Any]:
    """How to reach the registry and helm, and how helm goes about it: shared by the modules that install charts."""
    return {
        "ca_file": {"type": "path"},
        "plain_http": {"type": "bool", "default": False},
        "registry_username": {"type": "str"},
        "registry_password": {"type": "str", "no_log": True},
        "helm_binary": {"type": "path"},
        "take_ownership": {"type": "bool", "default": False},
        "atomic": {"type": "bool", "default": False},
        "history_max": {"type": "int", "default": 10},
        "purge_values": {"type": "bool", "default": True},
        "ignore_differences": IGNORE_DIFFERENCES,
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 300},
        "stale_after": {"type": "int", "default": 60},
    }


def release_spec(params: Mapping[str, Any]) -> ReleaseSpec:
    """From the options of helm_release; raises InvalidInput with every problem."""
    chart, chart_problems = charts.resolve_chart(
        params["chart_ref"], params.get("chart_version"), params.get("repo_url")
    )
    values, values_problems = read_values(params.get("values"), params.get("values_files") or [])
    hidden = params.get("secret_values") or {}
    values_problems += json_problems(hidden, "secret_values")
    wrong = [*problems(params), *file_problems(params), *chart_problems, *values_problems]
    if wrong or chart is None:
        raise InvalidInput(f"release {params['namespace']}/{params['name']}", list(dict.fromkeys(wrong)))
    ignored = ignored_differences(params.get("ignore_differences"))[0]
    return ReleaseSpec(
        name=params["name"],
        namespace=params["namespace"],
        chart=chart,
        values=overlay(values or {}, hidden) if hidden else values,
        secret_values=hidden,
        values_secret=params["values_secret"],
        digest=_hexadecimal(params.get("chart_digest")),
        crds=params["crds"],
        **common_settings(params, ignored),
    )


def problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the options of helm_release, as far as it shows without reading files."""
    own = TIMES if params.get("state") == "absent" else (*RULES, _chart, _digest)
    return check((*CONNECTION, *NAMES, *own), params)


def _chart(params: Mapping[str, Any]) -> list[Problem]:
    if not params["chart_ref"] or ("://" not in params["chart_ref"] and not params.get("repo_url")):
        return []
    return charts.resolve_chart(params["chart_ref"], params.get("chart_version"), params.get("repo_url"))[1]


def _hexadecimal(digest: str | None) -> str:
    return (digest or "").removeprefix("sha256:").lower()


def _digest(params: Mapping[str, Any]) -> list[Problem]:
    given = params.get("chart_digest")
    if not given:
        return []
    if not re.fullmatch(r"[0-9a-f]{64}", _hexadecimal(given)):
        return [Problem("chart_digest", f"{given!r} is not a SHA-256: sha256: and 64 hexadecimal digits")]
    if charts.version_range(params.get("chart_version") or "") is not None:
        return [Problem("chart_digest", "is that of one chart: it needs one exact chart_version, not a range")]
    return []


def common_settings(params: Mapping[str, Any], ignored: tuple[IgnoredDifference, ...]) -> dict[str, Any]:
    """The fields of a ReleaseSpec that come from the shared options."""
    names = ["create_namespace", "purge_values", "take_ownership", "atomic", "history_max"]
    names += ["helm_binary", "wait", "wait_timeout", "stale_after"]
    return {
        **{name: params[name] for name in names if name in params},
        "registry": registry(params),
        "ignored": ignored,
    }


def registry(params: Mapping[str, Any]) -> Registry:
    return Registry(
        ca_file=params.get("ca_file"),
        plain_http=bool(params.get("plain_http")),
        username=params.get("registry_username"),
        password=params.get("registry_password"),
    )


def release_name_problems(option: str, name: str) -> list[Problem]:
    wrong = wrong_name(name, "release name", SUBDOMAIN, RELEASE_NAME_LIMIT)
    return [Problem(option, wrong)] if wrong else []


def file_problems(params: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the files that options name, where the module runs."""
    named = params.get("ca_file")
    if not named or Path(named).is_file():
        return []
    return [Problem("ca_file", f"{named} is not a file on the machine the module runs on")]


NAMES: tuple[Rule[Params], ...] = (
    lambda params: release_name_problems("name", params["name"]),
    lambda params: namespace_problems("namespace", params["namespace"]),
)
TIMES: tuple[Rule[Params], ...] = (
    lambda params: wait_timeout_problems(params["wait_timeout"]),
    lambda params: wait_timeout_problems(params["stale_after"], option="stale_after"),
)
RULES: tuple[Rule[Params], ...] = (
    Check(
        "registry_username",
        lambda params: bool(params.get("registry_username")) != bool(params.get("registry_password")),
        "and registry_password go together: one is missing",
    ),
    Check(
        "registry_username",
        lambda params: ":" in (params.get("registry_username") or ""),
        "holds a colon, which no registry login can carry",
    ),
    Check(
        "ca_file",
        lambda params: params.get("plain_http") and params.get("ca_file"),
        "has no meaning with plain_http: there is no certificate to check",
    ),
    *TIMES,
    Check(
        "history_max",
        lambda params: params["history_max"] < 0,
        "{history_max} is not a number of revisions; 0 keeps all",
    ),
    Check(
        "history_max",
        lambda params: params["history_max"] == 1 and params["atomic"],
        "1 keeps no revision for atomic to go back to: set 2 or more",
    ),
    Check(
        "atomic",
        lambda params: params["atomic"] and not params["wait"],
        "needs wait: without it a release that does not work is not detected",
    ),
    lambda params: ignored_differences(params.get("ignore_differences"))[1],
)
"""What is wrong with how the registry is reached and how helm is to go about it."""
