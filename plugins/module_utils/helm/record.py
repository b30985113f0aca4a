# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm's own record of a release, read from the cluster: no helm process is needed to know what is installed.

Helm keeps one Secret a revision (type helm.sh/release.v1) in the release's namespace. Its `release` value is JSON,
compressed with gzip, in base64, and in base64 once more because it is Secret data.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError

DEPLOYED = "deployed"
FAILED = "failed"
UNINSTALLED = "uninstalled"
"""What `helm uninstall --keep-history` leaves: a record, and no object of it."""
PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
UNFINISHED = (*PENDING, "uninstalling")
"""What a helm process leaves behind when it is killed half way."""

VALUES_LABEL = "mcpops.io/values"
"""Of a record: whether the values in it were given as secret ones."""
VALUES_SECRET, VALUES_SHOWN = "secret", "shown"

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Release:
    """One revision of a release."""

    name: str
    namespace: str
    revision: int
    status: str
    description: str
    chart_name: str
    chart_version: str
    app_version: str
    values: Mapping[str, Any]
    """What the user set; the chart's own defaults are not part of it."""
    manifest: str
    started: datetime | None
    """When helm last touched this revision."""
    secret_name: str
    definitions: str = ""
    """The chart's own crds/ directory, as one YAML text; those of its subcharts are in no record."""
    chart: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The chart as the record holds it: metadata, templates, files, default values."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the Secret that holds the record."""

    @property
    def unfinished(self) -> bool:
        return self.status in UNFINISHED

    @property
    def values_secret(self) -> bool:
        """Whether these values were given as secret ones, whatever is declared now."""
        return self.labels.get(VALUES_LABEL) == VALUES_SECRET


@dataclass(frozen=True)
class History:
    """What matters of a release's revisions: the newest, and the last one that was deployed in full."""

    newest: Release | None = None
    deployed: Release | None = None


def selector(name: str) -> str:
    """The label selector of a release's records. Superseded revisions are left out: they can be ten and large."""
    return f"owner=helm,name={name},status!=superseded"


def history(secrets: Iterable[Mapping[str, Any]]) -> History:
    """Sorts out a list of record Secrets; only the two that matter are decoded."""
    ordered = sorted(secrets, key=_revision, reverse=True)
    if not ordered:
        return History()
    newest = decode(ordered[0])
    if newest.status == DEPLOYED:
        return History(newest, newest)
    deployed = next((secret for secret in ordered[1:] if _label(secret, "status") == DEPLOYED), None)
    return History(newest, decode(deployed) if deployed else None)


def decode(secret: Mapping[str, Any]) -> Release:
    """One record; a Secret that does not hold one is an error that names it."""
    name = str(secret.get("metadata", {}).get("name", ""))
    try:
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        text = gzip.decompress(packed) if packed.startswith(_GZIP_MAGIC) else packed
        content = json.loads(text)
        return _release(content, name, secret["metadata"].get("labels") or {})
    except (KeyError, TypeError, ValueError, OSError, EOFError, zlib.error, AttributeError) as failure:
        namespace = secret.get("metadata", {}).get("namespace", "")
        raise ServiceError(
            f"Reading the Helm record {namespace}/{name}",
            f"it holds no release ({type(failure).__name__})",
            hint="Something else wrote to this Secret. Delete it if the release's other revisions are in order.",
        ) from failure


def _release(content: Mapping[str, Any], secret_name: str, labels: Mapping[str, str]) -> Release:
    info = content.get("info") or {}
    chart = content["chart"]["metadata"]
    return Release(
        name=str(content["name"]),
        namespace=str(content.get("namespace", "")),
        revision=int(content["version"]),
        status=str(info.get("status", "unknown")),
        description=str(info.get("description", "")),
        chart_name=str(chart["name"]),
        chart_version=str(chart["version"]).removeprefix("v"),
        app_version=str(chart.get("appVersion") or ""),
        values=content.get("config") or {},
        manifest=str(content.get("manifest") or ""),
        started=_moment(str(info.get("last_deployed") or "")),
        secret_name=secret_name,
        definitions="\n---\n".join(_definitions(content["chart"].get("files") or [])),
        chart=content["chart"],
        labels=labels,
    )


def _definitions(files: Iterable[Mapping[str, Any]]) -> list[str]:
    found = [file for file in files if re.fullmatch(r"crds/.+\.(ya?ml|json)", str(file.get("name", "")))]
    return [base64.b64decode(file.get("data") or "").decode() for file in found]


def _moment(text: str) -> datetime | None:
    """Go writes nanoseconds, which Python 3.10 does not read."""
    whole, _dot, rest = text.partition(".")
    zone = rest.lstrip("0123456789") if rest else ""
    try:
        return datetime.fromisoformat((whole + zone).replace("Z", "+00:00"))
    except ValueError:
        return None


def _revision(secret: Mapping[str, Any]) -> int:
    label = _label(secret, "version")
    return int(label) if label.isdigit() else -1


def _label(secret: Mapping[str, Any], name: str) -> str:
    return str((secret.get("metadata", {}).get("labels") or {}).get(name, ""))
