# SPDX-License-Identifier: GPL-3.0-or-later
"""The Secrets of a release, in whatever notation its chart writes them."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.helm import operation
from ansible_collections.mcpops.platform.plugins.module_utils.helm.record import Release

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "made"}, "stringData": {"x": "c4nary-77"}}
OTHER = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n"
TAIL = "metadata: {name: made}\nstringData: {x: c4nary-77}\n"
MANIFESTS = {
    "plain": f"---\napiVersion: v1\nkind: Secret\n{TAIL}",
    "in double quotes": f'---\napiVersion: v1\nkind: "Secret"\n{TAIL}',
    "in single quotes": f"---\napiVersion: v1\nkind:  'Secret'\n{TAIL}",
    "a quoted key": f'---\n"apiVersion": v1\n"kind" : Secret\n{TAIL}',
    "JSON": f"---\n# Source: a/b.yaml\n{json.dumps(SECRET)}\n",
    "tight JSON": f"---\n{json.dumps(SECRET, separators=(',', ':'))}\n",
    "indented JSON": f"---\n{json.dumps(SECRET, indent=2)}\n",
    "a list": f"---\n{json.dumps({'apiVersion': 'v1', 'kind': 'List', 'items': [SECRET]})}\n",
}


@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS.keys())
def test_every_notation_of_a_secret_counts(manifest: str) -> None:
    release = Release("web", "shop", 1, "deployed", "", "web", "1", "1", {}, OTHER + manifest + OTHER, None, "s")
    [found] = operation._secrets_of(release)
    assert found["stringData"] == {"x": "c4nary-77"}
