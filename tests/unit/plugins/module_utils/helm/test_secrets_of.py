# SPDX-License-Identifier: GPL-3.0-or-later
"""The Secrets of a release, in whatever notation its chart writes them."""

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.helm import secret_values
from ansible_collections.mcpops.platform.plugins.module_utils.helm.chart import Chart
from ansible_collections.mcpops.platform.plugins.module_utils.helm.plan import plan_release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.release_record import History, Release
from ansible_collections.mcpops.platform.plugins.module_utils.helm.spec import ReleaseSpec

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
    [found] = secret_values._secrets_of(release)
    assert found["stringData"] == {"x": "c4nary-77"}


class Seen:
    """A task that remembers what is to be kept back."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()

    def secret(self, value: str) -> None:
        self.secrets.add(value)


@pytest.mark.parametrize(
    ("existing", "declared", "hidden", "shown"),
    [
        pytest.param(
            {"settings": {"phrase": "old-77-x"}}, {"settings": {"phrase": "new-88-y"}}, "new-88-y", "", id="a"
        ),
        pytest.param({"words": ["old-77-x"]}, {"words": [{"text": "new-88-y"}]}, "new-88-y", "", id="below it"),
        pytest.param({"motd": {"text": "old-77-x"}}, {"motd": "new-88-y"}, "new-88-y", "", id="instead of it"),
        pytest.param(
            {"motd": "old-77-x", "hue": "red"}, {"motd": "new-88-y", "hue": "blue"}, "new-88-y", "blue", id="b"
        ),
    ],
)
def test_what_comes_in_place_of_a_secret_is_one(
    existing: dict[str, object], declared: dict[str, object], hidden: str, shown: str
) -> None:
    data = base64.b64encode(b"old-77-x").decode()
    made = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: made}}\ndata: {{x: {data}}}\n"
    release = Release("web", "shop", 1, "deployed", "", "web", "1", "1", existing, made, None, "s")
    spec = ReleaseSpec("web", "shop", Chart("oci://registry/web", "web", "1"), values=declared)
    task = Seen()
    known = secret_values.protect_values(task, spec, History(release, release))  # type: ignore[arg-type]
    diff = plan_release(spec, release, known=known).diff()
    assert hidden in task.secrets and hidden not in str(diff)
    assert "old-77-x" not in str(diff) and shown in diff["after"]
