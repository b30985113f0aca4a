# SPDX-License-Identifier: GPL-3.0-or-later
"""`.ci/run`: what it installs, what it hands on, what it leaves behind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from gate.checkout import CHECKOUT

from localcloud import doctor

MAKEFILE = """\
venv test:
\t@echo "CI is $(CI)"; cat; {recipe}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(CHECKOUT / ".ci" / "run", tmp_path / ".ci" / "run")
    # Nothing to install: this is no test of apt-get.
    (tmp_path / "bindep.txt").write_text("make [platform:dpkg test]\n", encoding="utf-8")
    localcloud = tmp_path / ".venv" / "bin" / "localcloud"
    localcloud.write_text(f"#!/bin/sh\necho $@ >> {tmp_path}/calls\n", encoding="utf-8")
    localcloud.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(("recipe", "succeeds"), [("true", True), ("false", False)], ids=["green", "red"])
def test_the_verdict_is_that_of_the_gate_and_nothing_keeps_running(recipe: str, succeeds: bool, checkout: Path) -> None:
    (checkout / "Makefile").write_text(MAKEFILE.format(recipe=recipe), encoding="utf-8")
    # The gate must find an empty standard input, not the caller's.
    done = subprocess.run(["bash", ".ci/run"], cwd=checkout, input="typed", capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is succeeds, done.stderr
    assert "CI is true\n" in done.stdout
    assert "typed" not in done.stdout
    assert (checkout / "calls").read_text() == "down\n"


def test_a_package_that_another_one_provides_is_not_installed_beside_it(checkout: Path, tmp_path: Path) -> None:
    (checkout / "Makefile").write_text(MAKEFILE.format(recipe="true"), encoding="utf-8")
    (checkout / "bindep.txt").write_text("nodejs [platform:dpkg test]\nnpm [platform:dpkg test]\n", encoding="utf-8")
    tools = tmp_path / "tools"
    tools.mkdir()
    # As the packages of Node's own distribution do: installing Debian's npm beside them is refused.
    answers = {
        "dpkg-query": "printf 'ii nodejs nodejs-dev, npm (= 10.8.2)\\nrc npm \\n'",
        "apt-get": f"echo $@ >> {tmp_path}/installed",
    }
    for name, script in answers.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
    subprocess.run(["bash", ".ci/run"], cwd=checkout, env=environment, check=True, capture_output=True)
    assert not (tmp_path / "installed").exists()
    answers["dpkg-query"] = "printf 'ii nodejs libnode108 (= 18)\\nrc npm \\n'"
    (tools / "dpkg-query").write_text(f"#!/bin/sh\n{answers['dpkg-query']}\n", encoding="utf-8")
    subprocess.run(["bash", ".ci/run"], cwd=checkout, env=environment, check=True, capture_output=True)
    assert (tmp_path / "installed").read_text().splitlines()[-1].endswith(" npm")


def test_it_installs_what_the_local_cloud_asks_for() -> None:
    listed = re.findall(r"^(\S+) \[platform:dpkg test\]$", (CHECKOUT / "bindep.txt").read_text(), re.MULTILINE)
    # bash runs the script itself.
    assert {*doctor.COMMANDS.values(), *doctor.TEST_COMMANDS.values()} - {"bash"} <= set(listed)
