# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP chart repository: its index.yaml, the newest version that fits a range, and the archive of one version.

It is read here and not by helm, because helm takes a repository's password on its command line only, or out of the
user's own configuration. The credentials go to the repository's own address, and nowhere a redirect or an index leads.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import Registry
from ansible_collections.mcpops.platform.plugins.module_utils.helm.versions import exact_version
from ansible_collections.mcpops.platform.plugins.module_utils.kube import sdk
from ansible_collections.mcpops.platform.plugins.module_utils.kube.documents import read_documents

INDEX_LIMIT = 64 * 1024 * 1024
ARCHIVE_LIMIT = 20 * 1024 * 1024
_SECONDS = 30.0
_REDIRECTS = 5


@dataclass(frozen=True)
class Entry:
    """One version of a chart in an index."""

    version: str
    address: str
    digest: str
    """SHA-256 of the archive, in hexadecimal; empty where the index has none."""


def entries(index: Any, name: str, repository: str) -> list[Entry]:
    """The versions an index has of a chart; what is no exact version or has no address is left out."""
    listed = index.get("entries") if isinstance(index, Mapping) else None
    found = []
    for item in (listed or {}).get(name) or []:
        addresses = item.get("urls") or []
        if exact_version(str(item.get("version", ""))) and addresses:
            address = urljoin(f"{repository}/", str(addresses[0]))
            found.append(Entry(str(item["version"]), address, str(item.get("digest") or "").removeprefix("sha256:")))
    return found


def newest(chart: Chart, registry: Registry) -> str:
    """The exact version that the chart's range means now."""
    listed = _listed(chart, registry)
    best = chart.range.newest(entry.version for entry in listed) if chart.range else None
    if best is None:
        raise _no_version(chart, listed)
    return exact_version(best) or best


def download(chart: Chart, registry: Registry, directory: Path) -> Path:
    """The archive of the chart's version, checked against the index's digest."""
    listed = _listed(chart, registry)
    entry = next((entry for entry in listed if exact_version(entry.version) == chart.version), None)
    if entry is None:
        raise _no_version(chart, listed)
    action = f"Downloading chart {chart.name} {chart.version}"
    content = _get(action, entry.address, chart, registry, ARCHIVE_LIMIT)
    found = hashlib.sha256(content).hexdigest()
    if entry.digest and found != entry.digest:
        raise ServiceError(
            action,
            f"{entry.address} has the SHA-256 {found}, and the index of {chart.repository} says {entry.digest}",
            code="DigestMismatch",
            hint="The archive was replaced or is damaged: publish it anew, and its index with it.",
        )
    path = directory / f"{chart.name}-{chart.version}.tgz"
    path.write_bytes(content)
    return path


def _listed(chart: Chart, registry: Registry) -> list[Entry]:
    action = f"Reading the chart repository {chart.repository}"
    text = _get(action, f"{chart.repository}/index.yaml", chart, registry, INDEX_LIMIT)
    try:
        documents = read_documents(text.decode())
    except (sdk.yaml.YAMLError, UnicodeDecodeError) as failure:
        raise _no_index(action, chart) from failure
    index = documents[0] if documents else None
    if not isinstance(index, Mapping) or not isinstance(index.get("entries"), Mapping):
        raise _no_index(action, chart)
    return entries(index, chart.name, chart.repository)


def _get(action: str, address: str, chart: Chart, registry: Registry, limit: int) -> bytes:
    """The body of a page; redirects are followed, and leave the credentials behind when they lead elsewhere."""
    sdk.require()
    _refuse_plain(action, address, registry)
    for _redirect in range(_REDIRECTS):
        headers = {"User-Agent": "mcpops.platform"}
        if registry.username and registry.password and _origin(address) == _origin(chart.repository):
            headers.update(sdk.urllib3.util.make_headers(basic_auth=f"{registry.username}:{registry.password}"))
        try:
            response = _pool(address, registry).request(
                "GET", address, headers=headers, redirect=False, retries=False, timeout=_SECONDS, preload_content=False
            )
            body = response.read(limit + 1)
        except sdk.urllib3.exceptions.HTTPError as failure:
            raise _unreachable(action, address, failure) from failure
        location = response.headers.get("Location")
        if response.status in (301, 302, 303, 307, 308) and location:
            address = urljoin(address, location)
            _refuse_plain(action, address, registry)
            continue
        if response.status != 200:
            raise _refused(action, address, response.status)
        if len(body) > limit:
            raise ServiceError(action, f"{address} is larger than {limit // 1024 // 1024} MiB", code="TooLarge")
        return bytes(body)
    raise ServiceError(action, f"{address} redirects more than {_REDIRECTS} times", code="TooManyRedirects")


def _pool(address: str, registry: Registry) -> Any:
    context = None
    if address.startswith("https://"):
        context = ssl.create_default_context(cafile=registry.ca_file)
        # Python 3.13 refuses authorities without key identifiers, which Go, and so helm, accepts
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    parts = urlsplit(address)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.hostname or ""):
        return sdk.urllib3.ProxyManager(proxy, ssl_context=context)
    return sdk.urllib3.PoolManager(ssl_context=context)


def _refuse_plain(action: str, address: str, registry: Registry) -> None:
    if address.startswith("http://") and not registry.plain_http:
        raise ServiceError(
            action,
            f"{address} is plain HTTP",
            code="PlainHttp",
            hint="Use https, or set plain_http: true, if that is meant.",
        )


def _origin(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _no_version(chart: Chart, listed: list[Entry]) -> ServiceError:
    if not listed:
        reason = f"{chart.repository} has no chart {chart.name}"
    else:
        newest_ones = ", ".join(entry.version for entry in listed[:5])
        reason = f"{chart.repository} has no version {chart.shown_version} of {chart.name}; it has {newest_ones}"
        reason += f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return ServiceError(
        f"Looking for chart {chart.name} {chart.shown_version}",
        reason,
        code="ChartVersionNotFound",
        hint="Check chart_ref and chart_version; a mirror may lack this one.",
    )


def _no_index(action: str, chart: Chart) -> ServiceError:
    return ServiceError(
        action,
        f"{chart.repository}/index.yaml is no index of charts",
        code="NoIndex",
        hint="Check repo_url: it is the address below which index.yaml lies, without that name.",
    )


def _refused(action: str, address: str, status: int) -> ServiceError:
    if status in (401, 403):
        hint = "Give registry_username and registry_password of an account that may read this repository."
        return ServiceError(action, f"{address} answered {status}", code="RegistryRefused", hint=hint)
    hint = "Check repo_url: it is the address below which index.yaml lies." if status == 404 else ""
    return ServiceError(action, f"{address} answered {status}", code="RepositoryAnswer", hint=hint)


def _unreachable(action: str, address: str, failure: Exception) -> ServiceError:
    text = str(failure)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return ServiceError(
            action,
            f"{urlsplit(address).netloc} presents a certificate that is not trusted",
            code="CertificateNotTrusted",
            hint="Set ca_file to a PEM file with the authority that signed the repository's certificate.",
        )
    return ServiceError(
        action,
        f"{urlsplit(address).netloc} does not answer: {text}",
        code="RegistryUnreachable",
        hint="Check that the repository runs and that this machine reaches it (proxy, firewall, name resolution).",
    )
