# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server stores and KMCP's Go types cannot hold: one such MCPServer stops the controller for all."""

from __future__ import annotations

from typing import Any

import pytest
from support import mcpserver_schema

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_fields
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_fields import (
    unreadable_fields,
    unreadable_servers,
)


def server(name: str = "theirs", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "other", "name": name}, "spec": spec}


def sidecar(**container: Any) -> dict[str, Any]:
    return {"sidecars": [{"name": "proxy", **container}]}


# spec → the places that cannot be read
FIELDS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "port too large": ({"deployment": {"port": 70000}}, ["spec.deployment.port"]),
    "port below 0": ({"deployment": {"port": -1}}, ["spec.deployment.port"]),
    "highest": ({"deployment": {"port": 65535}}, []),
    "port 0 can be read": ({"deployment": {"port": 0}}, []),
    "no port": ({"deployment": {}}, []),
    "target below 0": ({"httpTransport": {"targetPort": -1}}, ["spec.httpTransport.targetPort"]),
    "target that only the Service breaks on": ({"httpTransport": {"targetPort": 70000}}, []),
    "no unit": ({"timeout": "30"}, ["spec.timeout"]),
    "no duration": ({"timeout": "soon"}, ["spec.timeout"]),
    "empty": ({"timeout": ""}, ["spec.timeout"]),
    "too long for a duration": ({"timeout": "9999999h"}, ["spec.timeout"]),
    "days": ({"timeout": "1d"}, ["spec.timeout"]),
    "Go's durations": ({"timeout": "1h2m3.5s"}, []),
    "a fraction": ({"timeout": ".5s"}, []),
    "below 0": ({"timeout": "-1µs"}, []),
    "nothing": ({"timeout": "0"}, []),
    # the pattern of the schema lets it pass
    "amount with a broken exponent": (
        {"deployment": {"resources": {"limits": {"cpu": "1e1.5"}}}},
        ["spec.deployment.resources.limits.cpu"],
    ),
    "adapter's amount": (
        {"deployment": {"initContainer": {"resources": {"requests": {"memory": "1e.5"}}}}},
        ["spec.deployment.initContainer.resources.requests.memory"],
    ),
    "amounts": (
        {"deployment": {"resources": {"limits": {"cpu": 1, "memory": "1.5Gi"}, "requests": {"cpu": "1e3"}}}},
        [],
    ),
    "size of a volume": (
        {"deployment": {"volumes": [{"name": "a", "emptyDir": {"sizeLimit": "1e1.5"}}]}},
        ["spec.deployment.volumes[0].emptyDir.sizeLimit"],
    ),
    "a sidecar's divisor": (
        {"deployment": sidecar(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"divisor": "1e1.5"}}}])},
        ["spec.deployment.sidecars[0].env[0].valueFrom.resourceFieldRef.divisor"],
    ),
    "a probe's port": (
        {
            "deployment": sidecar(
                livenessProbe={"httpGet": {"port": 2**31}}, lifecycle={"preStop": {"tcpSocket": {"port": "a"}}}
            )
        },
        ["spec.deployment.sidecars[0].livenessProbe.httpGet.port"],
    ),
    "replicas": ({"deployment": {"replicas": 2**31}}, ["spec.deployment.replicas"]),
    "a mode and a weight": (
        {
            "deployment": {
                "volumes": [{"name": "a", "secret": {"secretName": "b", "defaultMode": 2**40}}],
                "affinity": {
                    "podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": -(2**40)}]}
                },
            }
        },
        [
            "spec.deployment.volumes[0].secret.defaultMode",
            "spec.deployment.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight",
        ],
    ),
    "numbers of 64 bits": (
        {
            "deployment": {
                "securityContext": {"runAsUser": 2**40},
                "podSecurityContext": {"supplementalGroups": [2**40], "fsGroup": 2**40},
                "tolerations": [{"tolerationSeconds": 2**40}],
            }
        },
        [],
    ),
    "names that are the user's": (
        {"deployment": {"env": {"limits": "x", "sizeLimit": "y"}, "annotations": {"divisor": "z"}}},
        [],
    ),
    "several": (
        {"timeout": "x", "deployment": {"port": 65536}, "httpTransport": {"targetPort": -5}},
        ["spec.timeout", "spec.httpTransport.targetPort", "spec.deployment.port"],
    ),
}


@pytest.mark.parametrize(("spec", "paths"), FIELDS.values(), ids=FIELDS)
def test_values_that_end_the_controllers_list(spec: dict[str, Any], paths: list[str]) -> None:
    assert [found.path for found in unreadable_fields(server(**spec))] == paths


def test_what_is_no_spec_at_all_is_nothing_to_read() -> None:
    assert unreadable_fields({"metadata": {"name": "x"}}) == []
    assert unreadable_fields(server(deployment=None, httpTransport=[], timeout=None)) == []


def test_the_one_server_is_named_with_what_to_do() -> None:
    sound, poisonous = server("sound", deployment={"port": 3000}), server(deployment={"port": 70000})
    [reason] = unreadable_servers([sound, poisonous])
    assert reason.terminal
    assert str(reason) == (
        "MCPServer other/theirs: the KMCP controller cannot read it, and so reconciles no MCPServer of the cluster: "
        "spec.deployment.port is 70000, which is not a port (1 to 65535). "
        "Correct or delete this one; the others then go on by themselves."
    )


def test_every_kind_of_value_whose_range_the_schema_leaves_open_is_looked_at() -> None:
    """The API server keeps numbers to 64 bits, whatever their format says, and reads no quantity as Go does."""
    without_range = {
        path for path, part in mcpserver_schema.leaves(mcpserver_schema.schema())
        if (part.get("type") == "integer" and part.get("format") != "int64") or part.get("x-kubernetes-int-or-string")
    }  # fmt: skip
    seen = set()
    for path in without_range:
        value: Any = "1e1.5" if path[-1] in ("*", "divisor", "sizeLimit") else 2**40
        for step in reversed(path):
            value = [value] if step == "[]" else {"x" if step == "*" else step: value}
        if unreadable_fields(server(**value)):
            seen.add(path)
    assert without_range - seen == set()
    assert len(without_range) > 20


def test_numbers_that_the_schema_gives_64_bits_are_those_that_may_have_them() -> None:
    wide = {
        next(step for step in reversed(path) if step not in ("[]", "*"))
        for path, part in mcpserver_schema.leaves(mcpserver_schema.schema())
        if part.get("format") == "int64"
    }
    assert wide == server_fields._INT64
