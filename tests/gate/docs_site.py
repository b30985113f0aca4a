# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of modules, plugins and roles as a site, in build/docs-site: `make docs-site`.

antsibull-docs reads the documentation as docs.ansible.com does, and refuses what it cannot; Sphinx refuses links that
lead nowhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from gate.checkout import CHECKOUT

SITE = CHECKOUT / "build" / "docs-site"
# links to Ansible's own pages would be looked up in a list of theirs, which is on another machine
CONFIGURATION = """
project = title = "mcpops.platform"
extensions = ["sphinx_antsibull_ext"]
pygments_style = "default"
highlight_language = "yaml"
html_theme = "alabaster"
html_use_index = False
default_role = "any"
nitpicky = True
nitpick_ignore_regex = [("std:ref", r"ansible_collections\\.ansible\\..*|.*_(command|module|attributes|strategy).*")]
suppress_warnings = ["ref.ref"]
"""


def run(*argv: str | Path) -> int:
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections"),
        # antsibull-docs starts ansible-doc by its name
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    return subprocess.run([*map(str, argv)], cwd=CHECKOUT, env=environment, check=False).returncode


def tool(name: str) -> Path:
    return Path(sys.executable).parent / name


def main() -> int:
    shutil.rmtree(SITE, ignore_errors=True)
    pages = SITE / "rst"
    # antsibull-docs writes into a directory that nobody else can write to
    pages.mkdir(parents=True, mode=0o755)
    (SITE / "conf.py").write_text(CONFIGURATION, encoding="utf-8")
    options = ("--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", pages)
    failed = run(tool("antsibull-docs"), "lint-collection-docs", "--plugin-docs", ".")
    failed = failed or run(tool("antsibull-docs"), "collection", *options, "mcpops.platform")
    failed = failed or run(
        tool("sphinx-build"), "-q", "-W", "--keep-going", "-c", SITE, "-b", "html", pages, SITE / "html"
    )
    if not failed:
        print(f"The site is at {SITE.relative_to(CHECKOUT)}/html/index.html")
    return failed


if __name__ == "__main__":
    sys.exit(main())
