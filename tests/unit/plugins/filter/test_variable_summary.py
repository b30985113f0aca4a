# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of hosts as lines: what is shared first, structures by entry, empty defaults by name only."""

from __future__ import annotations

import pytest

from ansible_collections.mcpops.platform.plugins.filter.variable_summary import variable_summary

ROWS = [
    {"name": "kmcp_version", "value": "0.3.0", "from": "default"},
    {"name": "kmcp_values", "value": {}, "from": "default"},
    {"name": "kmcp_chart_username", "value": "", "from": "default"},
    {"name": "mcpops_tags", "value": {}, "from": "inventory"},
    {"name": "aks_cluster_tags", "value": {}, "from": "mcpops_tags"},
    {"name": "gateway_address", "known_later": "'fact' is undefined", "from": "group_vars/all.yml:3"},
    {"name": "sizes", "value": [f"Standard_D{number}s_v5" for number in range(12)], "from": "default"},
    {"name": "servers", "value": [{"name": "echo", "image": "r.example.com/" + "x" * 60}], "from": "hosts.yml:9"},
]


def test_a_block_for_each_host() -> None:
    lines = variable_summary({"variables": [{"host": "one", "variables": ROWS}, {"host": "two", "variables": []}]})
    assert lines[0] == "one:"
    assert lines[1].split() == ["mcpops_tags", "=", "{}", "(inventory)"]
    assert lines[-2:] == ["", "two:"]
    by_name = {line.split()[0]: " ".join(line.split()[1:]) for line in lines if line.startswith("  ") and line.split()}
    assert by_name["kmcp_version"] == "= 0.3.0 (default)"
    assert by_name["aks_cluster_tags"] == "= mcpops_tags"
    assert by_name["gateway_address"] == "is known later: 'fact' is undefined (group_vars/all.yml:3)"
    assert by_name["not"] == "set: kmcp_chart_username, kmcp_values"
    assert by_name["servers"] == "= (hosts.yml:9)"
    assert by_name["-"].startswith('{"name": "echo"')
    assert max(map(len, lines)) <= 130


@pytest.mark.parametrize(("number", "shown"), [(7, 7), (8, 6), (40, 6)])
def test_a_long_structure_is_shown_whole_only_where_somebody_has_set_it(number: int, shown: int) -> None:
    rights = [{"resource": f"resource{index}", "verbs": ["get", "list"]} for index in range(number)]
    rows = {"defaulted": "default", "stated": "hosts.yml:9"}
    variables = [{"name": name, "value": rights, "from": source} for name, source in rows.items()]
    lines = variable_summary({"variables": [{"host": "one", "variables": variables}]})
    start = next(index for index, line in enumerate(lines) if line.split()[0] == "stated")
    assert sum("- {" in line for line in lines[:start]) == shown
    assert sum("- {" in line for line in lines[start:]) == number
    assert [line.strip() for line in lines if "more" in line] == [f"... and {number - 6} more lines"] * (shown < number)


def test_nothing_was_asked_for() -> None:
    assert variable_summary({"hosts": ["one"]}) == []
