# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.secrets import redact, variable_values

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8"
SLACK = "xoxb-" + "12345678-abcdefgh"

# what a line says, what must not be left of it, what must be
LINES: dict[str, tuple[str, str, str]] = {
    "password": ("DB_PASSWORD=hunter2 is wrong", "hunter2", "DB_PASSWORD=******** is wrong"),
    "password in YAML": ("password: hunter2", "hunter2", "password: ********"),
    "password in JSON": ('{"password": "hunter 2", "user": "a"}', "hunter 2", '"user": "a"'),
    "password in a sentence": ("the password is hunter2", "hunter2", "the password is ********"),
    "api key": ("x_api_key=abc123def", "abc123def", "x_api_key=********"),
    "Azure account key": (
        "AccountName=a;AccountKey=Zm9vYmFy==;Suffix=b",
        "Zm9vYmFy==",
        "AccountName=a;AccountKey=********",
    ),
    "bearer": ("Authorization: Bearer abcdef012345", "abcdef012345", "Authorization: ********"),
    "bearer alone": ("sent Bearer abcdef012345 to it", "abcdef012345", "sent Bearer ******** to it"),
    "web token": (f"got {TOKEN} from it", TOKEN, "got ******** from it"),
    "URL": ("cannot reach postgres://app:hunter2@db:5432/x", "hunter2", "postgres://********@db:5432/x"),
    "shared access": ("GET /c/b?sv=1&sig=abc%2Fdef HTTP", "abc%2Fdef", "sv=1&sig=******** HTTP"),
    "GitHub": (f"clone with {GITHUB} failed", GITHUB, "clone with ******** failed"),
    "Slack": (f"post as {SLACK}", SLACK, "post as ********"),
    "private key": ("-----BEGIN RSA PRIVATE KEY-----\nMIIabc\nnext", "MIIabc", "********"),
}
HARMLESS = [
    "listening on 0.0.0.0:3000",
    'secret "keys" not found',
    "couldn't find key a in Secret tools/keys",
    'error looking up service account tools/runner: serviceaccount "runner" not found',
    "password authentication failed for user app",
    "https://registry.example.com/v2/: not found",
    "Back-off restarting failed container main in pod web-7",
]


@pytest.mark.parametrize(("line", "hidden", "left"), LINES.values(), ids=LINES.keys())
def test_credentials_are_hidden_and_the_rest_is_not(line: str, hidden: str, left: str) -> None:
    shown = redact(line)
    assert hidden not in shown
    assert left in shown


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_no_credential_stays(line: str) -> None:
    assert redact(line) == line


def test_values_of_variables_become_their_names() -> None:
    container = {
        "name": "main",
        "env": [
            {"name": "UPSTREAM", "value": "ledger.example.com"},
            {"name": "UPSTREAM_URL", "value": "https://ledger.example.com/v1"},
            {"name": "PORT", "value": "3000000"},
            {"name": "DEBUG", "value": "true"},
            {"name": "SHORT", "value": "ab"},
            {"name": "REF", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}},
        ],
    }
    values = variable_values([{"spec": {"initContainers": [container], "containers": [container]}}])
    assert values == {"ledger.example.com": "UPSTREAM", "https://ledger.example.com/v1": "UPSTREAM_URL"}
    shown = redact("GET https://ledger.example.com/v1 on ledger.example.com: true 3000000 ab", values)
    assert shown == "GET $(UPSTREAM_URL) on $(UPSTREAM): true 3000000 ab"
