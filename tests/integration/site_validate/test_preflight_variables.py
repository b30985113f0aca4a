# SPDX-License-Identifier: GPL-3.0-or-later
"""preflight.yml shows what the variables of each host come to, and no secret among them. No cloud, no cluster."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.playbook import BIN, CHECKOUT, LOCAL_HOST, Run, run_playbook

pytestmark = pytest.mark.integration

SHOW = "Show what the variables of each host come to"
NOWHERE = {"AZURE_SUBSCRIPTION_ID": "", "AZURE_CLIENT_ID": "", "HOME": "/nonexistent", "ANSIBLE_FORCE_COLOR": "0"}
# where it is said → a value that nothing may show
CANARIES = {
    "inline vault": "canary-inline-41x",
    "vault inside a text": "canary-joined-42x",
    "encrypted file": "canary-file-43x",
    "a number in an encrypted file": "4455667788",
    "option that is not logged": "canary-option-44x",
    "suboption that is not logged": "canary-header-45x",
    "options of Azure": "canary-azure-46x",
    "Secret": "canary-secret-47x",
    "variable by name": "canary-env-48x",
    "URL": "canary-url-49x",
    "chart value by name": "canary-chart-50x",
    "option on the command line": "canary-extra-51x",
}


def vaulted(place: Path, text: str) -> str:
    argv = [str(BIN / "ansible-vault"), "encrypt_string", "--vault-password-file", str(place / "password")]
    done = subprocess.run([*argv, "--stdin-name", "x"], input=text, capture_output=True, text=True, check=True)
    # `x: !vault |` and the block
    return done.stdout.partition(":")[2].strip()


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("inventory")
    (place / "password").write_text("of the vault\n", encoding="utf-8")
    group = place / "group_vars" / "all"
    group.mkdir(parents=True)
    encrypted = group / "encrypted.yml"
    number = CANARIES["a number in an encrypted file"]
    encrypted.write_text(f"kmcp_chart_username: {CANARIES['encrypted file']}\nclient: {number}\n", encoding="utf-8")
    argv = [str(BIN / "ansible-vault"), "encrypt", "--vault-password-file", str(place / "password"), str(encrypted)]
    subprocess.run(argv, capture_output=True, check=True)
    text = f"inner: !vault |\n{_block(vaulted(place, CANARIES['vault inside a text']))}"
    (group / "inner.yml").write_text(text, encoding="utf-8")
    text = f"kmcp_image_repository: !vault |\n{_block(vaulted(place, CANARIES['inline vault']))}"
    (group / "inline.yml").write_text(text, encoding="utf-8")
    plain: dict[str, Any] = {
        **LOCAL_HOST,
        "mcpops_environment": "test",
        "mcpops_location": "eastus2",
        "mcpops_resource_group": "rg-canaries",
        "mcpops_kubeconfig": "/nowhere/{{ inventory_hostname }}",
        "mcpops_tags": {"env": "test", "note": "with {{ inner }} inside", "client": "{{ client }}"},
        "mcpops_azure_auth": {"client_id": "known", "secret": CANARIES["options of Azure"]},
        "mcpops_mcp_servers": [
            {
                "name": "echo",
                "image": "registry.example.com/echo:1",
                "env": {"DB_PWD": CANARIES["variable by name"], "LEVEL": "debug", "PIN": "0815"},
            }
        ],
        "mcpops_mcp_calls": [
            {"server": "echo", "headers": {"X-Its-Own": CANARIES["suboption that is not logged"]}},
        ],
        "kmcp_chart_password": CANARIES["option that is not logged"],
        "kmcp_chart_repository": "oci://registry.example.com/mirror",
        "kmcp_values": {
            "dbPwd": CANARIES["chart value by name"],
            "controller": {"env": [{"name": "UPSTREAM", "value": f"https://joe:{CANARIES['URL']}@example.com/"}]},
        },
        "cluster_setup_objects": [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "told", "namespace": "mcp"},
                "stringData": {"some": CANARIES["Secret"]},
            }
        ],
    }
    (group / "plain.yml").write_text(yaml.safe_dump(plain), encoding="utf-8")
    hosts = {"platforms": {"hosts": {"shared": {}}}, "clusters": {"hosts": {"one": {"mcpops_platform": "shared"}}}}
    (place / "hosts.json").write_text(json.dumps({"all": {"children": hosts}}), encoding="utf-8")
    return place


def _block(text: str) -> str:
    lines = text.splitlines()[1:]
    return "\n".join(f"  {line.strip()}" for line in lines) + "\n"


def run(place: Path, *arguments: str, playbook: str = "preflight.yml", **env: str) -> Run:
    extra = place / "extra.json"
    call = {"server": "echo", "tool": "echo", "arguments": {"api_key": CANARIES["option on the command line"]}}
    given = {"site_verify_calls": [call]}
    extra.write_text(json.dumps(given), encoding="utf-8")
    return run_playbook(
        *("-i", place / "hosts.json", "--vault-password-file", place / "password", "-e", f"@{extra}"),
        *(CHECKOUT / "playbooks" / playbook, *arguments),
        env={**NOWHERE, **env},
    )


def shown(done: Run) -> list[str]:
    [entry] = [entry for entry in done.results if entry["task"] == SHOW]
    lines: list[str] = entry["result"]["msg"]
    return lines


def leaks(done: Run) -> list[str]:
    everything = done.output + json.dumps(done.results, ensure_ascii=False)
    return [name for name, value in CANARIES.items() if value in everything]


@pytest.fixture(scope="module")
def done(inventory: Path) -> Run:
    return run(inventory, "-vvv")


def test_every_host_has_a_block_with_values_and_where_they_are_said(done: Run, inventory: Path) -> None:
    lines = shown(done)
    assert [line for line in lines if line and not line.startswith(" ")] == ["shared:", "one:"]
    block = "\n".join(lines[lines.index("one:") :])
    for words in (
        "mcpops_location                      = eastus2",
        "group_vars/all/plain.yml:",
        "kmcp_version                         = 0.3.0  (default)",
        "kmcp_controller_chart                = kmcp  (default)",
        "aks_cluster_location                 = mcpops_location",
        "aks_cluster_credential               = user  (default)",
        "mcpops_kubeconfig                    = /nowhere/one",
        "kmcp_chart_password                  = ********",
        "kmcp_image_repository                = ********",
        "LEVEL",
        "not set: ",
    ):
        assert words in block, block
    assert str(inventory / "extra.json") in block


def test_the_same_is_in_the_result(done: Run) -> None:
    rows = {
        row["name"]: row
        for host in done.of("shared", "Validate the inventory")["variables"]
        if host["host"] == "one"
        for row in host["variables"]
    }
    assert rows["mcpops_tags"]["value"] == {"env": "test", "note": "with ******** inside", "client": "********"}
    [server] = rows["mcpops_mcp_servers"]["value"]
    assert server["env"] == {"DB_PWD": "********", "LEVEL": "debug", "PIN": "********"}
    assert rows["mcpops_azure_auth"]["value"] == {"client_id": "known", "secret": "********"}
    assert rows["kmcp_chart_repository"]["from"].endswith("plain.yml:" + rows["kmcp_chart_repository"]["from"][-2:])
    assert rows["mcp_servers_servers"]["from"] == "mcpops_mcp_servers"


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (("-vvv",), {}),
        (("--check", "--diff", "-v"), {}),
        (("-v",), {"ANSIBLE_STDOUT_CALLBACK": "minimal"}),
        (("-v",), {"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.oneline"}),
    ],
    ids=["very verbose", "check mode", "minimal", "one line"],
)
def test_no_secret_is_shown(inventory: Path, done: Run, arguments: tuple[str, ...], env: dict[str, str]) -> None:
    again = done if arguments == ("-vvv",) else run(inventory, *arguments, **env)
    assert any(entry["task"] == SHOW for entry in again.results), again.output
    assert leaks(again) == []


def test_the_site_shows_them_where_its_preflight_is_asked_for(inventory: Path) -> None:
    asked = run(inventory, "--tags", "preflight", "--check", playbook="site.yml")
    assert "mcpops_location                      = eastus2" in "\n".join(shown(asked))
    assert leaks(asked) == []
    silent = run(inventory, "--tags", "kmcp", "--check", playbook="site.yml")
    assert all("msg" not in entry["result"] for entry in silent.results if entry["task"] == SHOW)
