# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of ignore_differences that could never fit anything are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kube.fields import undeclared_foreign
from ansible_collections.mcpops.platform.plugins.module_utils.kube.writers import (
    ignored_differences,
    ignored_paths,
    tolerated,
)

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


def test_what_others_add_is_ignored_however_its_item_is_named() -> None:
    declared: dict[str, Any] = {"kind": "Service", "spec": {"ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}}
    ports = [{**declared["spec"]["ports"][0], "nodePort": 30080}, {"name": "debug", "port": 81, "protocol": "TCP"}]
    owned = {
        "k:" + json.dumps({"port": 80, "protocol": "TCP"}): {"f:nodePort": {}},
        "k:" + json.dumps({"port": 81, "protocol": "TCP"}): {".": {}, "f:name": {}, "f:port": {}},
    }
    entry = {"manager": "other", "operation": "Update", "fieldsV1": {"f:spec": {"f:ports": owned}}}
    live = {"kind": "Service", "metadata": {"managedFields": [entry]}, "spec": {"ports": ports}}

    def foreign(*paths: str) -> int:
        return len(undeclared_foreign(live, declared, {"ours"}, expected=tolerated("Service", paths=paths)))

    assert foreign() == 2
    for names in (("80,TCP", "81,TCP"), ("http", "debug"), ("0", "1")):
        assert foreign(f"spec.ports[{names[0]}].nodePort") == 1, names
        assert foreign(f"spec.ports[{names[1]}]") == 1, names
        assert foreign(f"spec.ports[{names[0]}].nodePort", f"spec.ports[{names[1]}]") == 0, names
    # what is named otherwise is somebody else's
    assert foreign("spec.ports[2]", "spec.ports[80].nodePort", "spec.ports[https].nodePort") == 2
