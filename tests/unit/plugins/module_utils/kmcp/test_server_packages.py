# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the packages that npx and uvx are told to run have no fixed version."""

from __future__ import annotations

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.kmcp import server_fields, server_validate
from ansible_collections.mcpops.platform.plugins.module_utils.kmcp.server_spec import declared_from

CASES = [
    ("npx", "-y words-mcp@1.0.0", []),
    ("npx", "-y words-mcp", ["words-mcp"]),
    ("npx", "--yes @scope/words@2.1.0-beta.1 stdio", []),
    ("npx", "@scope/words", ["@scope/words"]),
    ("npx", "-y words-mcp@latest", ["words-mcp@latest"]),
    ("npx", "-y words-mcp@^1.0.0", ["words-mcp@^1.0.0"]),
    ("npx", "-y words-mcp@1", ["words-mcp@1"]),
    ("npx", "-y words-mcp@1.x", ["words-mcp@1.x"]),
    ("npx", "-p words-mcp@1.0.0 -p other words-mcp", ["other"]),
    ("npx", "--package=words-mcp -c words-mcp", ["words-mcp"]),
    ("npx", "-c words-mcp", []),
    ("npx", "--registry https://npm.example.com words-mcp@1.0.0", []),
    ("npx", "--prefer-offline --loglevel silent -- words-mcp", ["words-mcp"]),
    ("npx", "--before 2026-01-01 words-mcp", []),
    ("npx", "-y https://example.com/words-1.0.0.tgz", []),
    ("npx", "-y ./words", []),
    ("npx", "-y github:owner/words", ["github:owner/words"]),
    ("npx", "-y owner/words#0123abc", []),
    ("npx", "", []),
    ("uvx", "units-mcp==1.0.0", []),
    ("uvx", "units-mcp@1.0.0 --verbose", []),
    ("uvx", "units-mcp", ["units-mcp"]),
    ("uvx", "units-mcp@latest", ["units-mcp@latest"]),
    ("uvx", "units-mcp>=1", ["units-mcp>=1"]),
    ("uvx", "units-mcp==1.*", ["units-mcp==1.*"]),
    ("uvx", "units-mcp[cli]==1.0.0", []),
    ("uvx", "--from units-mcp==1.0.0 units", []),
    ("uvx", "--from=units-mcp units", ["units-mcp"]),
    ("uvx", "--with numpy --python 3.12 units-mcp==1.0.0", ["numpy"]),
    ("uvx", "--index-url https://pypi.example.com/simple/ -q units-mcp", ["units-mcp"]),
    ("uvx", "--exclude-newer 2026-01-01 units-mcp", []),
    ("uvx", "--from git+https://example.com/units units", ["git+https://example.com/units"]),
    ("uvx", "--from git+https://example.com/units@0123abcd units", []),
    ("uvx", "--from ./units units", []),
    ("python", "server.py", []),
]


@pytest.mark.parametrize(("command", "arguments", "floating"), CASES, ids=lambda value: str(value))
def test_what_floats(command: str, arguments: str, floating: list[str]) -> None:
    assert server_fields.floating_packages(command, arguments.split()) == floating


@pytest.mark.parametrize(
    ("command", "argument", "right"), [("npx", "words-mcp", "NAME@1.2.3"), ("uvx", "units-mcp", "NAME==1.2.3")]
)
def test_it_is_said_with_how_to_fix_it(command: str, argument: str, right: str) -> None:
    options = {"name": "x", "namespace": "mcp", "transport": "stdio", "command": command, "args": [argument]}
    [server] = declared_from({"servers": [options]})
    [reported] = server_validate.server_warnings(server)
    assert argument in reported and right in reported
    assert server_validate.server_problems([server]) == []
