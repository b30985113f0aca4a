# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway needs for its routes: namespaces, servers, claims, and where the keys of issuers are."""

from __future__ import annotations

from typing import Any

import pytest
from support.gateways import AUTH, ISSUER, of_gateway

from ansible_collections.mcpops.platform.plugins.filter.gateway_needs import gateway_needs
from ansible_collections.mcpops.platform.plugins.module_utils import domains
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.domain import SPREAD
from ansible_collections.mcpops.platform.plugins.module_utils.gateway.route_spec import CHILDREN


@pytest.mark.parametrize(
    ("issuers", "ports"),
    [
        ([{"issuer": ISSUER}], [443]),
        ([{"issuer": "https://i.test:9000", "jwks_uri": "https://k.test:8443/keys"}], [8443]),
        ([{"issuer": ISSUER}, {"issuer": "https://i.test", "jwks_uri": "https://[2001:db8::1]:6443/"}], [443, 6443]),
        ([{"issuer": "https://i.test:9000", "jwks_config_map": "keys"}], []),
        ([{"issuer": "https://[x"}, {"issuer": "https://i.test", "jwks_uri": "https://k.test:x"}], []),
        ([{"name": "lacks an issuer"}], []),
    ],
)
def test_the_keys_of_issuers_are_let_out_to(issuers: list[dict[str, Any]], ports: list[int]) -> None:
    found = gateway_needs([], [{"name": "a", **one} for one in issuers], "mcp")["issuer_ports"]
    assert found == ports
    [policy] = [one for some in of_gateway(issuer_ports=found) for one in some if one["kind"] == "NetworkPolicy"]
    ways = [([peer.get("ipBlock", {}).get("cidr") for peer in one["to"]], one) for one in policy["spec"]["egress"]]
    outside = [rule for cidrs, rule in ways if "::/0" in cidrs and "0.0.0.0/0" in cidrs]
    # without keys to fetch there is no way out at all
    assert [[port["port"] for port in rule["ports"]] for rule in outside] == ([ports] if ports else [])


def test_claims_of_callers_and_places_of_servers() -> None:
    routes = [{"name": "a"}, {"name": "b", "namespace": "n", "port": 80, "pod_port": 8080}, {"name": "c"}]
    found = gateway_needs(routes, [{**AUTH[0], "caller_claim": "oid"}], "mcp")
    assert found["route_namespaces"] == ["mcp", "n"]
    assert found["callers"] == [{"name": "entra", "claim": "oid"}]
    assert found["backends"] == [{"namespace": "mcp", "port": 3000}, {"namespace": "n", "port": 8080}]


def test_rights_of_a_gateway_are_asked_where_there_is_one() -> None:
    without = domains.rights({"kmcp": ["k"], "mcp": ["m"], "gateway": []})
    uses = {"gateway": ["g", "m"], "gateway_controller": ["c"], "gateway_trial": ["g"]}
    more = domains.rights({"kmcp": ["k"], "mcp": ["m"], **uses})
    added = [one for one in more if one not in without]
    of_class = [one for one in added if one["resource"] == "gatewayclasses"]
    assert not any(one["namespaces"] for one in of_class)
    assert {"get", "create", "patch", "delete"} <= {verb for one in of_class for verb in one["verbs"]}
    everywhere = {one["resource"] for one in added if not one["namespaces"] and "list" in one["verbs"]}
    # what routes consist of is looked for wherever it is
    assert {kind for kind, _suffix in CHILDREN} == {*SPREAD, "NetworkPolicy"}
    assert {"httproutes", "httproutefilters", "backendtrafficpolicies", "securitypolicies"} <= everywhere
    assert "networkpolicies" in everywhere
    pods = {("jobs", "create"), ("secrets", "delete"), ("namespaces", "create")}
    for lacking, gone in (("gateway_trial", pods), ("gateway_controller", {("gatewayclasses", "create")})):
        fewer = domains.rights({use: places for use, places in uses.items() if use != lacking})
        held, all_held = (
            {(one["resource"], verb) for one in some if one not in without for verb in one["verbs"]}
            for some in (fewer, more)
        )
        assert gone <= all_held
        assert not gone & held, lacking
    # whoever installed the controller, that a class is accepted is awaited
    assert ("gatewayclasses", "get") in {(one["resource"], verb) for one in fewer for verb in one["verbs"]}
    assert not [one for one in without if one["resource"] in ("gateways", "gatewayclasses", "httproutes")]
