# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns as Galaxy's importer and ansible-lint judge them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from gate.checkout import CACHE, CHECKOUT
from gate.environments import with_packages

pytestmark = pytest.mark.integration

PLACE = CACHE / "patterns"
# The last releases that have rules for patterns. Newer ones of ansible-lint check their playbooks only.
LINT = ["ansible-lint==25.8.2", "ansible-core>=2.19,<2.20"]
IMPORTER = ["galaxy-importer==0.4.44", "ansible-core>=2.19,<2.20"]
FIND = """
import json, logging, sys
from galaxy_importer.file_parser import PatternsParser
from galaxy_importer.finder import ContentFinder
logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
found = list(ContentFinder().find_contents(sys.argv[1]))
patterns = [str(each.path) for each in found if str(each.content_type).endswith("PATTERNS")]
print(json.dumps({"files": patterns, "meta": PatternsParser(sys.argv[1], []).get_meta_patterns()}))
"""


def test_the_importer_finds_them_whole() -> None:
    python = with_packages(PLACE, "importer", IMPORTER) / "bin" / "python"
    done = subprocess.run([python, "-c", FIND, CHECKOUT], capture_output=True, text=True, timeout=300, check=True)
    assert "pattern" not in done.stderr.lower()
    found = json.loads(done.stdout)
    names = {path.name for path in (CHECKOUT / "extensions/patterns").iterdir()}
    assert {each["name"] for each in found["meta"]} == names
    for name in names:
        for file in ("README.md", "meta/pattern.json", f"playbooks/{name}.yml"):
            assert f"extensions/patterns/{name}/{file}" in found["files"]


def test_lint_accepts_them(tmp_path: Path) -> None:
    lint = with_packages(PLACE, "lint", LINT) / "bin" / "ansible-lint"
    assert "pattern" in subprocess.run([lint, "-L"], capture_output=True, text=True, timeout=300, check=True).stdout
    done = subprocess.run(
        [lint, "--offline", "--strict", "--profile", "production", "extensions/patterns"],
        cwd=CHECKOUT,
        env={"PATH": f"{lint.parent}:/usr/bin:/bin", "HOME": str(tmp_path), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
