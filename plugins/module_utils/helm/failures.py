# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a helm process that failed meant: a code, the reason in its own words, and what to do. Pure.

One table for helm 3 and helm 4. The first row that matches wins, so that a reason inside a reason is found.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.mcpops.platform.plugins.module_utils.errors import ServiceError
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart
from ansible_collections.mcpops.platform.plugins.module_utils.kube.dumps import without_dumps
from ansible_collections.mcpops.platform.plugins.module_utils.kube.explained import IMMUTABLE
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import redact

REASON_LIMIT = 1500


@dataclass(frozen=True)
class _Row:
    pattern: re.Pattern[str]
    code: str
    hint: str


def _row(pattern: str, code: str, hint: str) -> _Row:
    return _Row(re.compile(pattern, re.IGNORECASE | re.DOTALL), code, hint)


_ROWS = (
    _row(
        r"Kubernetes cluster unreachable",
        "ClusterUnreachable",
        "Check that the cluster runs and that this machine reaches its address.",
    ),
    _row(
        r"invalid ownership metadata",
        "OwnedByAnotherRelease",
        "Uninstall the release that owns the object, or let that release keep it and leave it out of this chart. "
        "To hand it over, set its annotations meta.helm.sh/release-name and meta.helm.sh/release-namespace to this "
        "release.",
    ),
    _row(
        r"another operation \(install/upgrade/rollback\) is in progress",
        "OperationInProgress",
        "Another helm works on this release. Wait for it and run again; what a killed helm left is recovered then.",
    ),
    _row(
        IMMUTABLE.pattern,
        "FieldImmutable",
        "Kubernetes lets this field be set only when the object is created: keep its old value, or delete the object "
        "named here and run again, and helm creates it again (kubectl delete --cascade=orphan keeps the pods of a "
        "StatefulSet or Deployment running).",
    ),
    _row(
        r"execution error at \(|template: |parse error at \(|nil pointer evaluating",
        "ChartRefusedValues",
        "The chart's templates refuse these values: correct the values, or choose the chart version they are for.",
    ),
    _row(
        r"values don't meet the specifications of the schema",
        "ValuesAgainstSchema",
        "Correct the values named here: the chart ships a schema for them.",
    ),
    _row(
        r"unable to retrieve the complete list of server APIs|stale GroupVersion discovery",
        "ApiServiceDown",
        "An aggregated API does not answer, and helm asks for all of them (kubectl get apiservices shows which): look "
        "at the pods behind its Service, or delete its APIService if what served it is gone for good.",
    ),
    _row(
        r'namespaces "[^"]*" not found',
        "NamespaceNotFound",
        "Create the namespace first, or set create_namespace: true.",
    ),
    _row(
        r"Duplicate value|duplicate entries for key",
        "DuplicateValue",
        "Two items of this list have the same name or port: in the chart with these values, or together with an item "
        "that others added to the live object (see kubectl get -o yaml --show-managed-fields).",
    ),
    _row(
        r"ensure CRDs are installed first|no matches for kind",
        "KindNotServed",
        "Install the CRDs this chart needs first; where they are there, the chart is older or newer than they.",
    ),
    _row(
        r"x509: |certificate signed by unknown authority|tls: failed to verify|can't create TLS config|append certs",
        "CertificateNotTrusted",
        "Set ca_file to a PEM file with the authority that signed the certificate of the registry or repository.",
    ),
    _row(
        r"server gave HTTP response to HTTPS client",
        "PlainHttp",
        "The registry speaks plain HTTP: set plain_http: true, if that is intended.",
    ),
    _row(
        r"pull access denied|authorization failed|failed to authorize|\b401\b|\b403 Forbidden|status code 403|denied:"
        r"|no basic auth credentials|unauthorized",
        "RegistryRefused",
        "Give registry_username and registry_password of an account that may pull, or check the chart's name: "
        "registries answer the same for what does not exist.",
    ),
    _row(
        r"is forbidden: User",
        "Forbidden",
        "The identity of the kubeconfig lacks this permission; give it a role that covers what the chart creates.",
    ),
    _row(
        r"(:\S+: not found\s*$)|manifest unknown|failed to resolve reference|(fetchreference.*not found)"
        r"|could not locate a version matching",
        "ChartVersionNotFound",
        "Check the chart's name and version: versions in a registry carry no leading v, and a mirror may "
        "lack this one.",
    ),
    _row(
        r"dial tcp|no such host|connection refused|connection reset|i/o timeout|TLS handshake timeout|: EOF\s*$"
        r"|unexpected status from \w+ request to|status code 5\d\d|Client\.Timeout exceeded",
        "RegistryUnreachable",
        "Check that it runs and that this machine reaches it (proxy, firewall, name resolution).",
    ),
    _row(
        r"(pre|post)-(install|upgrade|delete|rollback) hooks? failed|timed out waiting for the condition"
        r"|context deadline exceeded",
        "HookNotFinished",
        "A hook of the chart did not finish. Look at its Job and pods in the release's namespace.",
    ),
    _row(
        r"has no deployed releases",
        "NothingDeployed",
        "Remove the release with state: absent and install it again.",
    ),
    _row(
        r"failed to fetch \S+ : \d{3} |stopped after \d+ redirects",
        "RepositoryAnswer",
        "Check repo_url: it is the address below which index.yaml lies.",
    ),
    _row(
        r"error unmarshaling JSON|error converting YAML to JSON|no API version specified",
        "NoIndex",
        "Check repo_url: it is the address below which an index of charts, index.yaml, lies, without that name.",
    ),
)
_REGISTRY_CODES = (
    "CertificateNotTrusted",
    "PlainHttp",
    "RegistryRefused",
    "ChartVersionNotFound",
    "RegistryUnreachable",
)
_REPOSITORY_CODES = ("RepositoryAnswer", "NoIndex")


def failure(action: str, stderr: str, returncode: int, chart: Chart | None = None, namespace: str = "") -> ServiceError:
    """The error for a helm process that ended with `returncode`; `namespace` is the release's."""
    reason = reason_of(stderr) or f"helm ended with status {returncode} and wrote nothing"
    # what matters may stand behind a whole object, where a long reason is cut
    whole = _error(stderr)
    row = next((row for row in _ROWS if row.pattern.search(whole) and _concerns(row.code, chart)), None)
    if row is None:
        return ServiceError(action, reason, code="HelmFailed", hint="This is helm's own message.")
    if row.code == "ChartVersionNotFound" and chart is not None:
        reason = f"{chart.location} has no version {chart.shown_version}: {reason}"
    elif row.code == "RegistryUnreachable" and chart is not None:
        reason = f"{chart.host} does not answer: {reason}"
    elif row.code == "NamespaceNotFound":
        return ServiceError(action, reason, code=row.code, hint=_namespace_hint(reason, namespace) or row.hint)
    return ServiceError(action, reason, code=row.code, hint=row.hint)


def _concerns(code: str, chart: Chart | None) -> bool:
    """Whether such a failure can be one of this chart: of a chart on disk nobody is asked."""
    if code in _REPOSITORY_CODES:
        return chart is not None and bool(chart.repository)
    return code not in _REGISTRY_CODES or chart is None or bool(chart.host)


def _namespace_hint(reason: str, namespace: str) -> str:
    """A chart may put objects elsewhere, and create_namespace is for the release's own namespace."""
    missing = sorted(set(re.findall(r'namespaces "([^"]*)" not found', reason)) - {namespace})
    if not missing or not namespace:
        return ""
    return (
        f"The chart has objects in {', '.join(missing)}, and create_namespace makes only the namespace of the release "
        f"({namespace}): create {'it' if len(missing) == 1 else 'them'} before, or change the value of the chart that "
        "names it."
    )


def reason_of(stderr: str) -> str:
    """Helm's error without its progress lines and warnings, cut where it is long."""
    # before it is cut: what is left of an object that was cut off is not recognised as one
    text = redact(without_dumps(_error(stderr)))
    return text if len(text) <= REASON_LIMIT else f"{text[:REASON_LIMIT]} ..."


def _error(stderr: str) -> str:
    lines = stderr.strip().splitlines()
    start = next((index for index, line in enumerate(lines) if line.startswith("Error:")), None)
    kept = lines[start:] if start is not None else lines[-5:]
    return " ".join(line.strip() for line in kept if line.strip()).removeprefix("Error:").strip()
