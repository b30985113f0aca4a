# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of ignore_differences that could never fit anything are refused."""

from __future__ import annotations

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import ignored_differences, ignored_paths

WRONG = {
    "a dot in front": (
        "Deployment",
        [".spec.replicas"],
        "ignore_differences[0].paths[0]",
        "a dot or $",
        "spec.replicas",
    ),
    "the second": ("Service", ["spec.x", ".metadata"], "ignore_differences[0].paths[1]", "a dot or $", ": metadata"),
    "a root": ("Deployment", ["$.spec"], "ignore_differences[0].paths[0]", "a dot or $", ": spec"),
    "a dot behind": ("Deployment", ["spec."], "ignore_differences[0].paths[0]", "without a dot or blanks", ": spec"),
    "a blank": ("Deployment", [" spec"], "ignore_differences[0].paths[0]", "without a dot or blanks", ": spec"),
    "only a dot": ("Deployment", ["."], "ignore_differences[0].paths[0]", "a dot or $", "spec.replicas"),
    "a pointer": ("Deployment", ["/spec/replicas"], "ignore_differences[0].paths[0]", "by dots", "spec.replicas"),
    "no quotes": (
        "ConfigMap",
        ["metadata.labels.example.com/team"],
        "ignore_differences[0].paths[0]",
        "in quotes, as in",
        'metadata.annotations."example.com/key"',
    ),
    "a plural": ("deployments", ["spec"], "ignore_differences[0].kind", "as in manifests", "Deployment"),
    "lower case": ("configMap", ["data"], "ignore_differences[0].kind", "as in manifests", "Deployment"),
    "no kind": ("", ["data"], "ignore_differences[0].kind", "as in manifests", "Deployment"),
    "no path": ("Secret", [], "ignore_differences[0].paths", "must name", "at least one path"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_fits_nothing_is_refused(case: str) -> None:
    kind, paths, where, *words = WRONG[case]
    [problem] = ignored_differences([{"kind": kind, "paths": paths}])[1]
    assert problem.path == where
    for word in words:
        assert word in problem.message


def test_what_differences_show_is_taken() -> None:
    paths = [
        "spec.replicas",
        "**.caBundle",
        "*",
        "webhooks[*].clientConfig.caBundle",
        'metadata.annotations."example.com/key"',
        "spec.ports[80,TCP]",
        "spec.items[a/b]",
        "metadata.annotations.*",
        "spec.**",
        'data.".hidden"',
    ]
    rows, problems = ignored_differences([{"kind": "Deployment", "name": "web", "paths": paths}])
    assert problems == []
    assert ignored_paths(rows, "Deployment", "web") == paths
    assert ignored_paths(rows, "Deployment", "other") == []
