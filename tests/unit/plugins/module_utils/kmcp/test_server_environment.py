# SPDX-License-Identifier: GPL-3.0-or-later
"""A variable that env and a Secret both set."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_rotation
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import declared_from
from ansible_collections.mcpops.platform.plugins.module_utils.kube.manifests import ObjectRef

KEYS = {"data": {"API_KEY": "c2VjcmV0", "LOG_LEVEL": "ZGVidWc="}}
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "one of two": ({"env": {"LOG_LEVEL": "info"}, "secret_refs": ["keys"]}, ["env.LOG_LEVEL"]),
    "none": ({"env": {"OTHER": "x"}, "secret_refs": ["keys"]}, []),
    "a Secret that is not there": ({"env": {"LOG_LEVEL": "info"}, "secret_refs": ["other"]}, []),
    "no Secret": ({"env": {"LOG_LEVEL": "info"}}, []),
    "no env": ({"secret_refs": ["keys"]}, []),
    "in the raw spec": (
        {"spec": {"deployment": {"env": {"API_KEY": "x"}, "secretRefs": [{"name": "keys"}]}}},
        ["env.API_KEY"],
    ),
}


@pytest.mark.parametrize(("options", "paths"), CASES.values(), ids=CASES)
def test_what_both_set_is_refused_without_its_value(options: dict[str, Any], paths: list[str]) -> None:
    [server] = declared_from({"name": "echo", "namespace": "mcp", "image": "a:1", **options})
    live = {ObjectRef("v1", "Secret", "keys", "mcp"): KEYS}
    refusals = server_rotation.variable_clashes(server, live)
    assert [refusal.path for refusal in refusals] == paths
    for refusal in refusals:
        assert "Secret mcp/keys" in refusal.sentence
        assert not {"secret", "debug", "info"} & set(refusal.sentence.split())


def test_only_secrets_that_can_clash_are_read() -> None:
    servers = declared_from(
        {
            "servers": [
                {"name": "a", "namespace": "mcp", "env": {"A": "1"}, "secret_refs": ["one", "two"]},
                {"name": "b", "namespace": "mcp", "secret_refs": ["three"]},
            ]
        }
    )
    assert [target.ref.name for target in server_rotation.secret_targets(servers)] == ["one", "two"]
