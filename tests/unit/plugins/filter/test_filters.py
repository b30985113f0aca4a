# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.mcpops.platform.plugins.filter import site_report as site_report_file
from ansible_collections.mcpops.platform.plugins.filter.host_names import host_names
from ansible_collections.mcpops.platform.plugins.filter.namespaces import namespaces
from ansible_collections.mcpops.platform.plugins.filter.probe_targets import probe_targets
from ansible_collections.mcpops.platform.plugins.filter.site_report import site_report
from ansible_collections.mcpops.platform.plugins.filter.teardown_refusal import teardown_refusal
from ansible_collections.mcpops.platform.plugins.module_utils import domains
from ansible_collections.mcpops.platform.plugins.plugin_utils.commands import Commands

SERVERS = [{"name": "echo", "image": "x", "port": 3000}, {"name": "time", "namespace": "other", "path": "/t"}]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("", []),
        (None, []),
        ([], []),
        ("a", ["a"]),
        (" a, b ,,a", ["a", "b"]),
        (["b", " a "], ["b", "a"]),
    ],
)
def test_host_names(given: Any, names: list[str]) -> None:
    assert host_names(given) == names


def test_namespaces_carry_the_level_and_all_labels() -> None:
    (namespace,) = namespaces([{"name": "mcp", "pod_security": "restricted", "labels": {"b": "2"}}], {"a": "1"})
    assert namespace["kind"] == "Namespace"
    assert namespace["metadata"] == {
        "name": "mcp",
        "labels": {"a": "1", "pod-security.kubernetes.io/enforce": "restricted", "b": "2"},
    }


def test_a_wrong_level_is_named_with_the_right_ones() -> None:
    with pytest.raises(AnsibleFilterError, match="namespace mcp: pod_security is 'strict'; use one of privileged"):
        namespaces([{"name": "mcp", "pod_security": "strict"}])


def test_each_call_is_a_target_and_a_server_without_calls_is_one_too() -> None:
    calls = [
        {"server": "echo", "tool": "echo", "arguments": {"text": "x"}, "expect": "x"},
        {"server": "echo", "tool": "add"},
    ]
    assert probe_targets(SERVERS, calls, "mcp") == [
        {"name": "echo", "namespace": "mcp", "port": 3000, "tool": "echo", "arguments": {"text": "x"}, "expect": "x"},
        {"name": "echo", "namespace": "mcp", "port": 3000, "tool": "add"},
        {"name": "time", "namespace": "other", "path": "/t"},
    ]


def test_a_server_is_asked_with_headers_and_at_the_address_of_its_entry() -> None:
    calls = [{"server": "echo", "headers": {"X-Key": "k"}}, {"server": "time", "url": "https://time.example.com/mcp"}]
    assert probe_targets(SERVERS, calls, "mcp") == [
        {"name": "echo", "namespace": "mcp", "port": 3000, "headers": {"X-Key": "k"}},
        {"name": "time", "url": "https://time.example.com/mcp"},
    ]


def test_a_call_for_an_unknown_server_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="nobody, not an MCP server of this site; it has echo, time"):
        probe_targets(SERVERS, [{"server": "nobody", "tool": "x"}], "mcp")


def test_only_how_a_server_is_asked_is_kept_where_nothing_is_called() -> None:
    calls = [
        {"server": "echo", "tool": "echo", "expect": "x", "era": "legacy", "headers": {"X-Key": "k"}},
        {"server": "time", "tool": "now", "url": "https://mcp.example.com/mcp"},
    ]
    address = {"name": "echo", "namespace": "mcp", "port": 3000}
    assert probe_targets(SERVERS, calls, "mcp", True) == [{**address, "era": "legacy", "headers": {"X-Key": "k"}}]


LABELS = {"control-plane": "controller-manager", "helm.sh/chart": "kmcp-0.3.0", "app.kubernetes.io/version": "0.3.0"}
STANDING: dict[str, list[dict[str, Any]]] = {
    "Node": [{"status": {"nodeInfo": {"kubeletVersion": "v1.35.4"}}}],
    "Deployment": [
        {"metadata": {"name": "corp", "labels": LABELS}},
        {"metadata": {"name": "another", "labels": {**LABELS, "helm.sh/chart": "other-1.0"}}},
    ],
}
HOST: dict[str, Any] = {
    "inventory_hostname": "local-1",
    "site_verify_read": {"results": [{"item": read, "objects": STANDING[read["kind"]]} for read in domains.reads()]},
    "mcp_servers_verified": {
        "servers": [
            {
                "name": "echo",
                "namespace": "mcp",
                "eras": ["modern", "legacy"],
                "tools": [{"name": "echo"}, {"name": "add"}],
                "answer": "hello\nworld",
                "duration_ms": 41,
            }
        ]
    },
}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_the_report_is_aligned_and_complete() -> None:
    clusters, local, empty, header, row, *_rest = site_report([HOST])
    assert clusters.split() == ["cluster", "kubernetes", "nodes", "kmcp"]
    assert local.split() == ["local-1", "1.35.4", "1", "0.3.0"]
    assert empty == ""
    assert cells(header) == ["mcp server", "transport", "era", "ms", "answer", "tools"]
    assert cells(row) == ["mcp/echo", "http", "modern, legacy", "41", "hello world", "echo,add"]
    assert header.index("answer") == row.index("hello world")


def test_a_controller_whose_labels_do_not_say_kmcp_is_known_by_the_release_of_the_role() -> None:
    labels = {**LABELS, "helm.sh/chart": "tools-1.0", "app.kubernetes.io/instance": "tools"}
    existing = [{"metadata": {"name": "x", "namespace": "kmcp-system", "labels": labels}}]
    reads = [read for read in domains.reads() if read["kind"] == "Deployment"]
    host = {**HOST, "site_verify_read": {"results": [{"item": read, "objects": existing} for read in reads]}}
    assert site_report([host])[1].split()[-1] == "-"
    assert site_report([{**host, "kmcp_release_name": "tools"}])[1].split()[-1] == "0.3.0"


def test_servers_of_several_clusters_name_theirs() -> None:
    report = site_report([HOST, {**HOST, "inventory_hostname": "local-2"}])
    assert [cells(line)[:2] for line in report[4:7]] == [
        ["cluster", "mcp server"],
        ["local-1", "mcp/echo"],
        ["local-2", "mcp/echo"],
    ]


def test_a_usual_line_is_not_folded_and_a_long_cell_is_cut() -> None:
    (server,) = HOST["mcp_servers_verified"]["servers"]
    many = {
        **server,
        "name": "calendar",
        "tools": [{"name": f"tool-{n}"} for n in range(99)],
        "answer": "a day of the week " * 9,
    }
    report = site_report([{**HOST, "mcp_servers_verified": {"servers": [server, many]}}])
    # what a callback makes of it: a folded line goes on with blanks
    assert not any(line.startswith(" ") for line in yaml.safe_dump(report[:6]).splitlines())
    assert "tool-0,tool-1," in report[5] and report[5].count("...") == 2


def test_a_host_where_nothing_was_found_still_has_a_row() -> None:
    report = site_report([{"inventory_hostname": "local-2"}])
    assert report[1].split() == ["local-2", "-", "0", "-"]
    assert not any("mcp server" in line for line in report)


@pytest.mark.parametrize(
    "variables",
    [
        {"mcpops_mcp_servers": [{"name": "echo", "transport": "stdio"}, {"name": "time"}]},
        {"mcp_servers_servers": [{"name": "echo", "namespace": "mcp", "transport": "stdio"}], "mcpops_mcp_servers": []},
        {"mcpops_mcp_servers": [{"name": "echo", "transport": "stdio"}], "mcp_servers_namespace": "mcp"},
    ],
    ids=["common variable", "the role's", "namespace of the role"],
)
def test_the_report_says_what_a_program_itself_speaks(variables: dict[str, Any]) -> None:
    row = site_report([{**HOST, **variables}])[4]
    assert "  stdio  " in row and "  modern, legacy  " in row


def test_the_end_of_all_clusters_is_offered() -> None:
    report = site_report([HOST, {"inventory_hostname": "local-2"}])
    assert report[-2].strip() == "ansible-playbook mcpops.platform.teardown \\"
    assert report[-1].strip() == "-e teardown_confirm=local-1,local-2"


STARTED = Commands("/home/me", ("mine.yml",), ("inventories/x",), "local-1", (), ("--tags", "mcp,verify"))
AGAIN = "ansible-playbook mine.yml -i inventories/x --limit local-1 --tags mcp,verify"
SITE_AGAIN = "ansible-playbook other.yml -i inventories/x --limit local-1"
END = "ansible-playbook mcpops.platform.teardown -i inventories/x --limit local-1 -e teardown_confirm=local-1"
# arguments → commands
NEXT: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a run of the site": ({}, [AGAIN, f"{AGAIN} --check --diff", END]),
    "in check mode": ({"check_mode": True}, [AGAIN]),
    "a verification": ({"playbook": "other.yml"}, [f"{SITE_AGAIN} --check --diff", END]),
    "a verification that failed": (
        {"playbook": "other.yml", "failed": ["local-1"]},
        [AGAIN, f"{SITE_AGAIN} --check --diff", END],
    ),
    "a verification in check mode": ({"playbook": "other.yml", "check_mode": True}, [SITE_AGAIN]),
}


@pytest.mark.parametrize(("arguments", "commands"), NEXT.values(), ids=NEXT)
def test_the_next_commands_are_those_of_this_run(
    monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], commands: list[str]
) -> None:
    monkeypatch.setattr(site_report_file, "of_this_run", lambda: STARTED)
    report = site_report([HOST], **arguments)
    shown = report[report.index("next, in /home/me:") + 1 :]
    # a shell reads continued lines as one
    lines = "\n".join(line for line in shown if line.startswith("  ")).replace("\\\n", "").splitlines()
    assert [" ".join(line.split()) for line in lines] == commands


SILENT = {"name": "time", "namespace": "mcp", "reachable": False, "error": {"code": "NoService"}}
FAILED: dict[str, tuple[dict[str, Any], str]] = {
    "before the servers": (
        {"mcpops_mcp_servers": [{"name": "echo"}]},
        "local-2: failed before its MCP servers were asked",
    ),
    "servers of the role alone": (
        {"mcp_servers_servers": [{"name": "echo"}]},
        "local-2: failed before its MCP servers were asked",
    ),
    "no servers are declared": ({}, "local-2: failed before anything of it was asked"),
    "no servers are declared, and a mesh is not as it should be": (
        {"mcpops_mcp_servers": [], "mcp_mesh_agents_verified": {"failed": True, "agents": []}},
        "local-2: the mesh is not as declared",
    ),
    "a server does not answer": (
        {"mcp_servers_verified": {"servers": [{"name": "echo", "namespace": "mcp", "reachable": True}, SILENT]}},
        "local-2: mcp/time did not answer as declared",
    ),
    "after the servers": (
        {"mcp_servers_verified": {"servers": [{"name": "echo", "namespace": "mcp", "reachable": True}]}},
        "local-2: failed after its MCP servers had answered",
    ),
}


@pytest.mark.parametrize(("known", "reported"), FAILED.values(), ids=FAILED)
def test_a_host_that_failed_is_told_with_what_is_missing(known: dict[str, Any], reported: str) -> None:
    report = site_report([HOST, {"inventory_hostname": "local-2", **known}], failed=["local-2"])
    assert any(line.split()[:4] == ["local-2", "-", "-", "-"] for line in report)
    heading = report.index("not verified, for the error that is shown above:")
    assert report[heading + 1] == f"  {reported}"
    assert "again, when what failed is mended:" in report
    assert not any("which changes nothing" in line for line in report)


# confirmed, hosts of the site, hosts of the run → words
SITE = ["c1", "c2", "p"]
REFUSED: dict[str, tuple[Any, list[str], list[str], str]] = {
    "all is well": ("c1,p", SITE, SITE, ""),
    "a list": (["c1"], SITE, ["c1"], ""),
    "nobody": ("", SITE, SITE, "Name the hosts to tear down, for example -e teardown_confirm=c1; this inventory knows"),
    "no site": ("c1", [], ["localhost"], "no host in the groups clusters and platforms. Give the inventory"),
    "unknown": ("c1,c3", SITE, SITE, "not in the groups clusters and platforms: c3. Name the hosts"),
    "two unknown": ("c3,c4", SITE, SITE, "not in the groups clusters and platforms: c3, c4."),
    "left out": ("c1,c2", SITE, ["c1"], "left out of this run by --limit: c2. Widen --limit"),
    "two left out": ("c1,c2", SITE, ["p"], "left out of this run by --limit: c1, c2."),
}


@pytest.mark.parametrize(("confirmed", "known", "present", "words"), REFUSED.values(), ids=REFUSED)
def test_a_teardown_is_refused_with_the_hosts_by_name(
    confirmed: Any, known: list[str], present: list[str], words: str
) -> None:
    reported = teardown_refusal(confirmed, known, present)
    assert bool(reported) == bool(words) and words in reported
    assert reported == "" or reported.startswith("Nothing was removed")


def test_in_check_mode_check_mode_is_not_advised() -> None:
    report = site_report([HOST], check_mode=True)
    assert not any("--check" in line or "teardown" in line for line in report)
    assert report[-1].strip() == "ansible-playbook mcpops.platform.site"
