# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart
from ansible_collections.mcpops.platform.plugins.module_utils.helm.cli import helm_failure, reason_of

CHART = Chart("oci://r.example.org/a/web", "web", "9.9.9")
HEAD = 'failed to do request: Head "https://r.example.org/v2/a/web/manifests/9.9.9": '
OWNED = (
    'Unable to continue with install: CustomResourceDefinition "mcpservers.kagent.dev" in namespace "" exists and '
    "cannot be imported into the current release: invalid ownership metadata; annotation validation error: key "
    '"meta.helm.sh/release-name" must equal "kmcp-crds": current value is "kagent-crds"'
)


@pytest.mark.parametrize(
    ("stderr", "code", "hint"),
    [
        # helm 3.17
        ("Error: r.example.org/a/web:9.9.9: not found", "ChartVersionNotFound", "leading v"),
        (f"Error: {HEAD}dial tcp 127.0.0.1:1: connect: connection refused", "RegistryUnreachable", "proxy"),
        (f"Error: {HEAD}dial tcp: lookup r.example.org: no such host", "RegistryUnreachable", "proxy"),
        (
            "Error: unexpected status from HEAD request to https://r/v2/a: 500 Internal Server Error",
            "RegistryUnreachable",
            "",
        ),
        (
            "Error: unexpected status from HEAD request to https://r/v2/a: 403 Forbidden",
            "RegistryRefused",
            "registry_user",
        ),
        (
            "Error: pull access denied, repository does not exist or may require authorization: authorization failed: "
            "no basic auth credentials",
            "RegistryRefused",
            "registry_username",
        ),
        (
            f"Error: {HEAD}tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "CertificateNotTrusted",
            "ca_file",
        ),
        (
            "Error: missing registry client: can't create TLS config for client: failed to append certs from file: /c",
            "CertificateNotTrusted",
            "PEM file",
        ),
        (f"Error: {HEAD}http: server gave HTTP response to HTTPS client", "PlainHttp", "plain_http: true"),
        (f"Error: {OWNED}", "OwnedByAnotherRelease", "release-name"),
        (
            "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
            "OperationInProgress",
            "",
        ),
        ('Error: create: failed to create: namespaces "nons" not found', "NamespaceNotFound", "create_namespace"),
        (
            "Error: execution error at (kmcp/templates/rbac/x.yaml:2:4): rbac.clusterScoped has been removed.",
            "ChartRefusedValues",
            "",
        ),
        (
            "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nweb:\n- a",
            *["ValuesAgainstSchema", ""],
        ),
        ("Error: Kubernetes cluster unreachable: Get ...: dial tcp: connection refused", "ClusterUnreachable", ""),
        (
            'Error: unable to build kubernetes objects: resource mapping not found for name: "x": no matches for kind '
            '"X" in version "a/v1"\nensure CRDs are installed first',
            "KindNotServed",
            "CRDs",
        ),
        (
            "Error: INSTALLATION FAILED: failed pre-install: 1 error occurred: timed out waiting for the condition",
            *["HookNotFinished", "Job"],
        ),
        (
            'Error: UPGRADE FAILED: cannot patch "db" with kind StatefulSet: StatefulSet.apps "db" is invalid: spec: '
            "Forbidden: updates to statefulset spec for fields other than 'replicas' and 'template' are forbidden",
            *["FieldImmutable", "--cascade=orphan"],
        ),
        (
            'Error: UPGRADE FAILED: cannot patch "web" with kind Service: Service "web" is invalid: '
            'spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set',
            *["FieldImmutable", "keep its old value"],
        ),
        (
            'Error: UPGRADE FAILED: cannot patch "rb" with kind RoleBinding: RoleBinding.rbac.authorization.k8s.io '
            '"rb" is invalid: roleRef: Invalid value: {"Name":"b"}: cannot change roleRef',
            *["FieldImmutable", "delete the object named here"],
        ),
        (
            # what it is about stands behind the whole object
            'Error: UPGRADE FAILED: cannot patch "j" with kind Job:  "" is invalid: patch: Invalid value: "{'
            + "x" * 3000
            + '}": field is immutable',
            *["FieldImmutable", "run again"],
        ),
        (
            'Error: 1 error occurred:\n\t* Service "dp" is invalid: spec.ports[1]: Duplicate value: {"Port":80}',
            *["DuplicateValue", "--show-managed-fields"],
        ),
        ("Error: something nobody foresaw", "HelmFailed", "own message"),
        # the same words as of a repository without an index
        ("Error: YAML parse error on web/templates/x.yaml: error converting YAML to JSON", "HelmFailed", ""),
        (f"Error: {HEAD}context deadline exceeded (Client.Timeout exceeded)", "RegistryUnreachable", "proxy"),
        # helm 4
        (
            'Error: failed to perform "FetchReference" on source: r.example.org/a/web:9.9.9: not found',
            "ChartVersionNotFound",
            "",
        ),
        (
            'Error: GET "https://r/v2/a": response status code 401: unauthorized: authentication required',
            "RegistryRefused",
            "",
        ),
    ],
)
def test_what_helm_says_becomes_a_code_and_advice(stderr: str, code: str, hint: str) -> None:
    error = helm_failure(
        "Installing release shop/web", f'Release "web" does not exist. Installing it now.\n{stderr}\n', 1, CHART
    )
    assert error.code == code
    assert hint in error.hint
    assert error.message().startswith("Installing release shop/web: ")
    assert "does not exist. Installing" not in error.message()


def test_a_missing_version_names_chart_and_version() -> None:
    message = helm_failure("Installing", "Error: r.example.org/a/web:9.9.9: not found", 1, CHART).message()
    assert "oci://r.example.org/a/web has no version 9.9.9" in message


def test_a_chart_on_disk_blames_no_registry() -> None:
    error = helm_failure(
        "Installing", "Error: failed post-thing: dial tcp: no such host", 1, Chart("/c", "web", "1.0.0")
    )
    assert error.code == "HelmFailed"


def test_silence_is_said() -> None:
    assert "ended with status -9" in helm_failure("Installing", "", -9).message()


def test_a_long_reason_is_cut() -> None:
    assert len(reason_of("Error: " + "x" * 9000)) < 2000


NOT_FOUND = 'Error: 1 error occurred:\n\t* namespaces "{}" not found\n'


def test_the_namespace_of_the_release_is_create_namespaces_business() -> None:
    error = helm_failure("Installing", NOT_FOUND.format("shop"), 1, CHART, "shop")
    assert error.code == "NamespaceNotFound"
    assert "set create_namespace: true" in error.hint


def test_another_namespace_is_the_charts() -> None:
    error = helm_failure("Installing", NOT_FOUND.format("monitoring"), 1, CHART, "shop")
    assert error.code == "NamespaceNotFound"
    assert "The chart has objects in monitoring, and create_namespace makes only" in error.hint
    assert "set create_namespace" not in error.hint
