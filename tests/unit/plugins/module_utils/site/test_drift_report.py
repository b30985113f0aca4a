# SPDX-License-Identifier: GPL-3.0-or-later
"""From results to the state of every host, the report, and its summary in a terminal."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from support.playbook import CHECKOUT
from unit.plugins.module_utils.site import drift_rows as rows

from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT, Change
from ansible_collections.mcpops.platform.plugins.module_utils.site import drift_report
from ansible_collections.mcpops.platform.plugins.module_utils.site.drift_report import HostDrift

SCHEMA = json.loads((CHECKOUT / "docs" / "drift-report.schema.json").read_text(encoding="utf-8"))
STATES = {
    "shared": "in_sync",
    "in-sync": "in_sync",
    "drifted": "drifted",
    "gone": "gone",
    "stopped": "stopped",
    "unreachable": "unreachable",
    "failed": "failed",
    "never-reached": "failed",
}


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return rows.report()


def host(report: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (one for one in report["hosts"] if one["name"] == name)
    return found


@pytest.mark.parametrize(("name", "state"), STATES.items())
def test_state(report: dict[str, Any], name: str, state: str) -> None:
    assert host(report, name)["state"] == state


def test_the_report_fits_its_schema(report: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(report)))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**report, "hosts": [{**report["hosts"][0], "state": "odd"}]}, SCHEMA)


def test_the_summary_counts(report: dict[str, Any]) -> None:
    summary = report["summary"]
    assert {state: summary[state] for state in drift_report.STATES if summary[state]} == {
        "in_sync": 2,
        "drifted": 1,
        "gone": 1,
        "stopped": 1,
        "unreachable": 1,
        "failed": 2,
    }
    assert (summary["hosts"], summary["differences"], summary["fine"]) == (8, 7, False)


LOST = rows.row("lost", "k8s_objects", "setup", failed=True, msg="refused")
IGNORED = rows.row("c", "kmcp", "kmcp", failed=True, ignored=True, msg="no")
SEEN = rows.cluster("c", changed=True, diff=rows.diff("AKS cluster c", Change("tags.a", 1, 2)))
CUT = "Not compared to the end: the run ended before, "
# rows, whether the host came to the end → its state, verdict and message, and whether another try can help
ENDS: dict[str, tuple[list[dict[str, Any]], bool, str, str, str, bool]] = {
    "to the end": ([rows.cluster("c")], True, "in_sync", "clean", "", False),
    "to the end, and another failed": ([rows.cluster("c"), LOST], True, "in_sync", "clean", "", False),
    "another's failure": ([rows.cluster("c"), LOST], False, "failed", "unknown", f"{CUT}when lost failed.", True),
    "after a difference": ([SEEN, LOST], False, "failed", "drift", f"{CUT}when lost failed.", True),
    "before its first task": (
        [LOST],
        False,
        "failed",
        "unknown",
        f"Nothing was compared on this host. {CUT}when lost failed.",
        True,
    ),
    "nobody failed": ([rows.cluster("c")], False, "failed", "unknown", f"{CUT}and no host failed.", True),
    "its own failure": (
        [rows.cluster("c"), rows.row("c", "kmcp", "kmcp", failed=True, msg="no"), LOST],
        False,
        "failed",
        "unknown",
        "no",
        False,
    ),
    "a failure that the playbook ignores": ([rows.cluster("c"), IGNORED], True, "failed", "unknown", "no", False),
    "an ignored failure, then another's": ([IGNORED, LOST], False, "failed", "unknown", "no", True),
    "an ignored failure, then its own": (
        [IGNORED, rows.row("c", "kmcp", "kmcp", failed=True, msg="end"), LOST],
        False,
        "failed",
        "unknown",
        "end",
        False,
    ),
    "no task for it": ([], True, "failed", "unknown", "Nothing was compared on this host.", False),
    "its cluster is gone": ([rows.cluster("c", cluster={"exists": False}), LOST], False, "gone", "drift", "", True),
}


@pytest.mark.parametrize(("reported", "ended", "state", "verdict", "message", "again"), ENDS.values(), ids=ENDS.keys())
def test_only_a_host_that_came_to_the_end_is_in_sync(
    reported: list[dict[str, Any]], ended: bool, state: str, verdict: str, message: str, again: bool
) -> None:
    end = ["c"] if ended else []
    (found,) = drift_report.hosts_of(reported, ["c"], {}, end)
    assert (found.state, drift_report.verdict_of(found), found.message) == (state, verdict, message)
    assert drift_report.cut_short(reported, ["c"], end) == (["c"] if again else [])


# of a host: clean, drift or unknown; "failed" had differences before it failed
HOST_VERDICTS = {
    "shared": "clean",
    "in-sync": "clean",
    "drifted": "drift",
    "gone": "drift",
    "stopped": "unknown",
    "unreachable": "unknown",
    "failed": "drift",
    "never-reached": "unknown",
}


def test_the_verdict_of_every_host(report: dict[str, Any]) -> None:
    assert {one["name"]: one["verdict"] for one in report["hosts"]} == HOST_VERDICTS


# states of the hosts of a site → its verdict, and how the summary ends
SITE_VERDICTS: dict[str, tuple[list[str], str, str]] = {
    "all well": (["in_sync", "repaired"], "clean", "Verdict: clean."),
    "no host": ([], "clean", "Verdict: clean."),
    "one drifted": (["in_sync", "drifted"], "drift", "Verdict: drift."),
    "one is gone": (["gone", "in_sync"], "drift", "Verdict: drift."),
    "one is out of reach": (
        ["in_sync", "unreachable"],
        "unknown",
        "Verdict: unknown. Nothing is known to have drifted, but c1 could not be compared.",
    ),
    "none could be compared": (
        ["failed", "stopped"],
        "unknown",
        "Verdict: unknown. Nothing is known to have drifted, but c0, c1 could not be compared.",
    ),
    "one drifted and one is out of reach": (
        ["unreachable", "drifted"],
        "drift",
        "Verdict: drift. Besides, c0 could not be compared to the end.",
    ),
}


@pytest.mark.parametrize(("states", "verdict", "end"), SITE_VERDICTS.values(), ids=SITE_VERDICTS.keys())
def test_drift_weighs_more_than_what_is_not_known(states: list[str], verdict: str, end: str) -> None:
    hosts = [HostDrift(f"c{number}", "cluster", state) for number, state in enumerate(states)]
    reported = drift_report.build_report(hosts, rows.ABOUT, rows.COMMANDS)
    assert reported["summary"]["verdict"] == verdict
    assert reported["summary"]["fine"] is (verdict == "clean")
    assert drift_report.summary_lines(reported)[-1] == end


def test_every_result_is_a_difference_with_module_object_and_stage(report: dict[str, Any]) -> None:
    reported = [(one["object"], one["module"], one["stage"]) for one in host(report, "drifted")["differences"]]
    assert reported == [
        ("Namespace mcp", "mcpops.platform.k8s_objects", "setup"),
        (f"ConfigMap {rows.EVIL}", "mcpops.platform.k8s_objects", "setup"),
        ("Secret mcp/key", "mcpops.platform.k8s_objects", "setup"),
        ("ClusterRole manager", "mcpops.platform.kmcp_install", "kmcp"),
        ("kubeconfig written", "mcpops.platform.aks_kubeconfig", "cluster"),
    ]


def test_who_changed_it_and_what_repairs_it(report: dict[str, Any]) -> None:
    label, mine, secret, role, _file = host(report, "drifted")["differences"]
    assert mine["changed_by"] == [rows.EVIL] and mine["advice"].startswith(f"Set by {rows.EVIL}, outside of Ansible")
    assert label["changed_by"] == [] and "Repair makes it as declared" in label["advice"]
    assert role["advice"].startswith("It, or this part of it, is not there")
    assert secret["leaves"] == [
        {"path": "data.token", "secret": True, "changed_by": "", "before": rows.SECRET, "after": rows.SECRET}
    ]
    site = "ansible-playbook mcpops.platform.site -i 'inventories/my site' --limit drifted --tags"
    assert (label["command"], role["command"]) == (f"{site} setup", f"{site} kmcp")


# host → words of its command
COMMANDS = {
    "in-sync": "",
    "drifted": "mcpops.platform.drift -i 'inventories/my site' --limit drifted -e drift_repair=true",
    "gone": "mcpops.platform.site -i 'inventories/my site' --limit gone",
    "stopped": "az aks start --name stopped --resource-group rg-c",
    "unreachable": "mcpops.platform.drift -i 'inventories/my site' --limit unreachable",
    "failed": "mcpops.platform.drift -i 'inventories/my site' --limit failed",
}


def test_a_cluster_is_made_anew_with_its_platform() -> None:
    """Its resource group may have gone with it."""
    commands = replace(rows.COMMANDS, platforms={"gone": "shared"})
    reported = drift_report.build_report(rows.hosts(), rows.ABOUT, commands)
    assert host(reported, "gone")["command"].endswith("--limit gone,shared")


@pytest.mark.parametrize(("name", "words"), COMMANDS.items())
def test_the_command_that_helps(report: dict[str, Any], name: str, words: str) -> None:
    command = host(report, name)["command"]
    assert command.endswith(words) and bool(command) == bool(words)


def test_of_a_cluster_that_is_gone_nothing_else_is_listed(report: dict[str, Any]) -> None:
    gone = host(report, "gone")
    assert [one["object"] for one in gone["differences"]] == ["AKS cluster gone"]
    assert gone["notes"] == []
    assert gone["differences"][0]["advice"] == "This is what would be created."


def test_what_was_compared_before_an_error_is_kept(report: dict[str, Any]) -> None:
    failed = host(report, "failed")
    assert [one["object"] for one in failed["differences"]] == ["AKS cluster failed"]
    assert failed["message"].startswith("refused: ")


# what the results of a playbook of one's own hold → object, message
OTHERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "an item": ({"changed": True, "item": "true"}, "Copy: true", ""),
    "a header": (
        {"changed": True, "diff": [{"after_header": "dynamically generated", "before": "a", "after": "b"}]},
        "Copy: dynamically",
        "",
    ),
    "a message": ({"changed": True, "msg": "written"}, "Copy: written", ""),
    "nothing": ({"changed": True}, "Copy", ""),
    "a failure": ({"failed": True, "msg": "no such file"}, "", "Copy: no such file"),
    "a failure that claims a change": ({"failed": True, "changed": True, "msg": "no"}, "", "Copy: no"),
    "a failure that may not be shown": ({"failed": True}, "", ""),
}


@pytest.mark.parametrize(("result", "named", "message"), OTHERS.values(), ids=OTHERS)
def test_what_modules_of_others_report_has_the_name_of_its_task(
    result: dict[str, Any], named: str, message: str
) -> None:
    row = {"host": "c", "module": "ansible.builtin.copy", "stage": "", "task": "Copy", **result}
    (found,) = drift_report.hosts_of([row], ["c"], {}, ["c"])
    assert [one.object.startswith(named) for one in found.differences] == [True] * bool(named)
    assert found.message == message


def test_texts_of_other_modules_stay_whole() -> None:
    """Also those that read like ours."""
    texts = {"before": 'a: "x"  # set by helm\n', "after": "", "before_header": "x (absent)", "changes": 3}
    row = {"host": "c", "module": "ansible.builtin.copy", "stage": "", "task": "Copy", "changed": True, "diff": [texts]}
    (host,) = drift_report.build_report(drift_report.hosts_of([row], ["c"], {}, ["c"]), rows.ABOUT, rows.COMMANDS)[
        "hosts"
    ]
    (reported,) = host["differences"]
    assert reported["leaves"] == [{"path": "", "secret": False, "changed_by": "", "before": texts["before"]}]
    assert reported["missing"] is False and reported["changed_by"] == []


# state now → what is said of a host that drifted and was repaired
REPAIRED = {"in_sync": "repaired", "drifted": "drifted", "unreachable": "unreachable", "failed": "failed"}


@pytest.mark.parametrize(("now", "stated"), REPAIRED.items())
def test_only_what_is_seen_in_sync_counts_as_repaired(now: str, stated: str) -> None:
    before = HostDrift("c", "cluster", "drifted", (drift_report.Difference("X", "m", "s", "t"),))
    after = drift_report.after_repair(before, HostDrift("c", "cluster", now))
    assert after.state == stated
    if stated == "repaired":
        reported = drift_report.build_report([after], rows.ABOUT, rows.COMMANDS)
        assert reported["summary"]["fine"] is True
        (difference,) = reported["hosts"][0]["differences"]
        assert difference["advice"] == "Made as declared again." and difference["command"] == ""


def test_the_terminal_gets_a_line_for_what_is_fine_and_the_leaves_of_what_is_not(report: dict[str, Any]) -> None:
    lines = drift_report.summary_lines(report)
    assert "in-sync        in sync" in lines
    assert "drifted        DRIFTED  5 objects" in lines
    assert '      labels.level: "privileged" → "restricted"' in lines
    assert f"      data.token: {rows.SECRET} → {rows.SECRET}" in lines
    assert "    ClusterRole manager: is not there" in lines
    assert "gone           GONE" in lines and not any("AKS cluster gone" in line for line in lines)
    assert any("cluster unreachable: https://x" in line for line in lines)
    assert lines[-2] == "2 of 8 hosts are as declared; 1 drifted, 1 gone, 1 stopped, 1 unreachable, 2 failed."
    assert max(map(len, lines)) < 260


def test_an_object_that_lacks_parts_is_not_told_as_missing() -> None:
    diff = rows.diff("Namespace mcp", Change("labels", ABSENT, {"a": "1", "b": "2"}))
    reported = [rows.row("c", "k8s_objects", "setup", changed=True, diff=diff)]
    (found,) = drift_report.hosts_of(reported, ["c"], {}, ["c"])
    report = drift_report.build_report([found], rows.ABOUT, rows.COMMANDS)
    assert [item["missing"] for item in report["hosts"][0]["differences"]] == [False]
    assert '      labels.a: nothing → "1"' in drift_report.summary_lines(report)


REASONS = {
    "drifted": "drifted: drift: 5 objects not as declared. ansible-playbook",
    "gone": "gone: drift: the cluster is gone. ansible-playbook",
    "stopped": "stopped: unknown: could not be compared, the cluster is stopped. az aks start",
    "unreachable": "unreachable: unknown: could not be compared, unreachable: cluster unreachable: https://x.",
    "failed": "failed: drift: 1 object not as declared; then not compared, failed: refused: ",
}


@pytest.mark.parametrize(("name", "start"), REASONS.items())
def test_a_failing_task_says_why_in_one_line(report: dict[str, Any], name: str, start: str) -> None:
    assert drift_report.failure_line(host(report, name)).startswith(start)
    assert "\n" not in drift_report.failure_line(host(report, name))


def test_a_task_that_failed_without_a_message_has_a_reason(report: dict[str, Any]) -> None:
    silent = {**host(report, "unreachable"), "message": ""}
    assert "unreachable: without a message" in drift_report.failure_line(silent)
