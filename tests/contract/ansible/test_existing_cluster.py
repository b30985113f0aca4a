# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters that somebody else has made, and a site's own releases: what is needed of their variables, and told."""

from __future__ import annotations

from typing import Any

import pytest
from support.site_validation import validate

EXISTING: dict[str, Any] = {
    "aks_cluster_backend": "existing",
    "mcpops_mcp_servers": [{"name": "echo", "image": "echo:1"}],
}
CHART = {"chart_ref": "oci://registry.example.org/charts/web", "chart_version": "1.0.0"}
OWN = {"name": "own", "namespace": "web"}


def of_file(context: str) -> dict[str, Any]:
    return {**EXISTING, "mcpops_kubeconfig": {"path": "~/.kube/config", "context": context}}


# variables of a host → what is told of it, by place
HOSTS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "one": (of_file("one"), {}),
    "two": (of_file("two"), {}),
    "content": ({**EXISTING, "mcpops_kubeconfig": {"content": "clusters: []", "context": "c"}}, {}),
    "the-same-context": (of_file("two"), {"mcpops_kubeconfig": "is the cluster of host two, too"}),
    "no-kubeconfig": (EXISTING, {"mcpops_kubeconfig": "is not set"}),
    "misspelt-key": (
        {**EXISTING, "mcpops_kubeconfig": {"path": "~/.kube/k", "contxt": "a"}},
        {"mcpops_kubeconfig": "has an unknown key 'contxt'"},
    ),
    "unknown-backend": (
        {**of_file("three"), "aks_cluster_backend": "exists", "mcpops_platform": "dev"},
        {"aks_cluster_backend": "must be one of: arm, existing"},
    ),
    "azure-without-a-region": (
        {"mcpops_kubeconfig": "~/.kube/azure", "mcpops_platform": "dev", "mcpops_resource_group": "rg"},
        {"mcpops_location": "is not set", "mcpops_environment": "is not set"},
    ),
    "sound-release": ({**of_file("four"), "extras_releases": [{**OWN, **CHART, "values": {"a": 1}}]}, {}),
    "second-release": (
        {**of_file("five"), "extras_releases": [{**OWN, **CHART}, {**OWN, **CHART, "name": "Bad_Name"}]},
        {"extras_releases[1].name": "'Bad_Name' is not a valid release name"},
    ),
    "release-without-a-chart": (
        {**of_file("six"), "cluster_setup_releases": [OWN]},
        {"cluster_setup_releases[0]": "chart_ref"},
    ),
    "digest-of-a-range": (
        {**of_file("seven"), "extras_releases": [{**OWN, **CHART, "chart_version": "~1.0", "chart_digest": "a" * 64}]},
        {"extras_releases[0].chart_digest": "needs one exact chart_version"},
    ),
    "digest-of-something-else": (
        {**of_file("eight"), "extras_releases": [{**OWN, **CHART, "chart_digest": "sha1:abc"}]},
        {"extras_releases[0].chart_digest": "is not a SHA-256"},
    ),
    "option-of-a-release": (
        {**of_file("nine"), "extras_releases": [{**OWN, **CHART, "verson": "1"}]},
        {"extras_releases[0]": "has an unknown option 'verson'"},
    ),
    "extra-object": (
        {**of_file("ten"), "extras_objects": [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "A_B"}}]},
        {"extras_objects[0].metadata.name": "is not a valid Service name"},
    ),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    clusters = {name: variables for name, (variables, _told) in HOSTS.items()}
    groups = {"platforms": {"dev": {"mcpops_location": "l", "mcpops_resource_group": "r"}}, "clusters": clusters}
    return validate(tmp_path_factory.mktemp("site"), groups).reported


@pytest.mark.parametrize("host", HOSTS)
def test_what_is_told_of_a_host(told: dict[str, dict[str, str]], host: str) -> None:
    found, wanted = told.get(host, {}), HOSTS[host][1]
    assert sorted(found) == sorted(wanted)
    assert all(words in found[place] for place, words in wanted.items()), found
