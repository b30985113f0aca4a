# SPDX-License-Identifier: GPL-3.0-or-later
"""A reader of docs/quickstart.md: a home of their own, outside of any checkout, and the commands as they are there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from support.pages import blocks, script
from support.playbook import CHECKOUT

PAGE = CHECKOUT / "docs" / "quickstart.md"
PROGRAMS = Path(sys.prefix) / "bin"
REGISTRY, GIT = "registry.example.org", "git+https://git.example.org/mcpops/platform.git,main"
# sections of the page, by how they begin
INSTALL, SKELETON, SECRETS, FIRST_RUN, PRODUCTION, END = ("1.", "2.", "3.", "5.", "6.", "7.")


@dataclass
class Reader:
    """`places` are what the page's examples stand for: a registry, a repository."""

    home: Path
    places: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    programs: Path = PROGRAMS

    @property
    def project(self) -> Path:
        return self.home / "work" / "platform"

    def follows(self, section: str, *, only: str = "", timeout: float = 900) -> str:
        """Run the commands of a section (of its block that begins with `only`); what they print."""
        chosen = [one for one in blocks(PAGE) if one.heading.startswith(section) and one.commands.startswith(only)]
        assert chosen, f"the page has no commands for {section} {only}"
        text = script(chosen)
        for example, place in self.places.items():
            text = text.replace(example, place)
        # the skeleton's directory is entered once, and this is another shell
        directory = self.project if (self.project / "site.yml").exists() and section != SKELETON else self.home / "work"
        directory.mkdir(parents=True, exist_ok=True)
        return self.runs(text, directory, timeout)

    def runs(self, commands: str, directory: Path, timeout: float = 900) -> str:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON", "AZURE_"))}
        environment = {
            **kept,
            "HOME": str(self.home),
            "PATH": f"{self.programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "ANSIBLE_NOCOLOR": "1",
            # the page exports it in the section on secrets
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.home / ".mcpops-vault-password"),
            **self.environment,
        }
        if not (self.home / ".mcpops-vault-password").exists():
            del environment["ANSIBLE_VAULT_PASSWORD_FILE"]
        done = subprocess.run(
            ["bash", "-c", commands],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def files(self) -> dict[str, str]:
        return {path.relative_to(self.project).as_posix(): path.read_text("utf-8") for path in self._files()}

    def _files(self) -> Iterator[Path]:
        return (path for path in sorted(self.project.rglob("*")) if path.is_file())


def with_tarball(reader: Reader) -> Reader:
    """The tarball as somebody was given it, beside where they work."""
    work = reader.home / "work"
    work.mkdir(parents=True, exist_ok=True)
    argv = [PROGRAMS / "ansible-galaxy", "collection", "build", "--output-path", work]
    subprocess.run(argv, cwd=CHECKOUT, check=True, capture_output=True)
    return reader


def with_repository(reader: Reader) -> Reader:
    """A repository with the last commit of this checkout as its branch main."""
    repository = reader.home / "repository.git"
    reader.home.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", "--bare", CHECKOUT, repository], check=True, capture_output=True)
    subprocess.run(["git", "-C", repository, "branch", "--force", "main", "HEAD"], check=False, capture_output=True)
    return Reader(reader.home, {**reader.places, GIT: f"git+file://{repository},main"}, reader.environment)
