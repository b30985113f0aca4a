# SPDX-License-Identifier: GPL-3.0-or-later
"""The copy that ansible-test gets to see, and that ansible-test really judges it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from gate import sanity

MODULE = '''#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: greeting
short_description: Greets
description: Greets.
author: The contributors (@contributors)
options:
  name:
    description: Whom to greet.
    type: str
"""
EXAMPLES = r"""
- name: Greet
  mcpops.platform.greeting:
    name: you
"""
RETURN = r""" # """

from ansible.module_utils.basic import AnsibleModule


def main():
    AnsibleModule(argument_spec={"name": {"type": "str"}}).exit_json()


if __name__ == "__main__":
    main()
'''
GALAXY = "namespace: mcpops\nname: platform\nversion: 0.1.0\nreadme: README.md\nauthors: [The contributors]\n"


def git(directory: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *arguments], cwd=directory, check=True)


def test_the_copy_is_what_git_would_commit_without_the_link(tmp_path: Path) -> None:
    checkout, copied = tmp_path / "checkout", tmp_path / "copy"
    (checkout / "collections").mkdir(parents=True)
    copied.mkdir()
    (checkout / "collections" / "platform").symlink_to("..")
    for name in ("committed", "new", "ignored", "deleted"):
        (checkout / name).write_text(name, encoding="utf-8")
    (checkout / ".gitignore").write_text("ignored\n", encoding="utf-8")
    git(checkout, "init", "--quiet")
    git(checkout, "add", "committed", "deleted", "collections")
    (checkout / "deleted").unlink()
    sanity.copy(checkout, copied)
    assert sorted(path.name for path in copied.iterdir()) == [".git", ".gitignore", "committed", "new"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "verdict"),
    [
        pytest.param(MODULE, 0, id="documented"),
        pytest.param(MODULE.replace('{"name": {', '{"secret": {}, "name": {'), 1, id="an option nobody documented"),
    ],
)
def test_sanity_judges(module: str, verdict: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    collection = tmp_path / sanity.COLLECTION_PATH
    (collection / "plugins" / "modules").mkdir(parents=True)
    (collection / "galaxy.yml").write_text(GALAXY, encoding="utf-8")
    (collection / "plugins" / "modules" / "greeting.py").write_text(module, encoding="utf-8")
    git(collection, "init", "--quiet")
    assert sanity.run(collection, "rest", "--test", "validate-modules") == verdict
    assert ("undocumented-parameter" in capfd.readouterr().out) is bool(verdict)
