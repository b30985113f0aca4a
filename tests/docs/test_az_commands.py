# SPDX-License-Identifier: GPL-3.0-or-later
"""Every `az` command of the pages and of messages: azure-cli itself reads it, offline, and runs nothing."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from gate.checkout import CHECKOUT
from support.azure_cli import installed

_FENCE = re.compile(r"^```(?:shell|console|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(az [a-z][^`]*)`")
# what a command of a shell ends with where another one is around it
_NESTED = re.compile(r"\$\((az [^)]*)\)")
INCOMPLETE = "the following arguments are required"
# azure-cli's own parser; what a command would do, after it is parsed, is not done
READER = """
import contextlib, io, json, sys
from azure.cli.core import get_default_cli
from knack.events import EVENT_INVOKER_POST_PARSE_ARGS

class Parsed(BaseException):
    pass

def parsed(*_, **__):
    raise Parsed

# one for all of them: azure-cli's logger keeps the first that it sees
said = sys.stderr = io.StringIO()
cli = get_default_cli()
cli.register_event(EVENT_INVOKER_POST_PARSE_ARGS, parsed)
answers = []
for words in json.load(sys.stdin):
    said.seek(0)
    said.truncate()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            code = cli.invoke(words)
    except Parsed:
        code = 0
    except SystemExit as stop:
        code = stop.code
    answers.append(said.getvalue() or f"ended with {code}" if code else "")
print(json.dumps(answers))
"""


@dataclass(frozen=True)
class Command:
    """`whole`: somebody copies it as it stands; otherwise it is a mention, which may leave arguments out."""

    source: str
    text: str
    whole: bool

    @property
    def words(self) -> list[str]:
        words = shlex.split(self.text)[1:]
        return words if self.whole or any(word.startswith("-") for word in words) else [*words, "--help"]


def commands() -> list[Command]:
    pages = [CHECKOUT / "README.md", *CHECKOUT.glob("docs/*.md"), *CHECKOUT.glob("roles/*/README.md")]
    pages += [*CHECKOUT.glob("examples/*/README.md"), *CHECKOUT.glob("playbooks/templates/**/*.j2")]
    sources = [path for folder in ("plugins", "roles", "playbooks") for path in (CHECKOUT / folder).rglob("*.py")]
    found = [one for page in sorted(pages) for one in _of_page(page)]
    return [*found, *(one for source in sorted(sources) for one in _mentions(source))]


def _of_page(page: Path) -> Iterator[Command]:
    source = str(page.relative_to(CHECKOUT))
    for fence in _FENCE.finditer(page.read_text(encoding="utf-8")):
        for line in fence[1].replace("\\\n", " ").splitlines():
            for text in (line.removeprefix("$ ").strip(), *_NESTED.findall(line)):
                if text.startswith("az "):
                    yield Command(source, text.partition(" #")[0], whole=True)
    yield from _mentions(page)


def _mentions(file: Path) -> Iterator[Command]:
    for text in _INLINE.findall(file.read_text(encoding="utf-8")):
        yield Command(str(file.relative_to(CHECKOUT)), text, whole=False)


def read(words: list[list[str]], directory: Path) -> list[str]:
    """What azure-cli says to each of these; nothing where it understands."""
    for word in (word for one in words for word in one):
        if word.startswith("@"):
            (directory / word[1:]).write_text("{}", encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "AZURE_CONFIG_DIR": str(directory / "azure-cli")}
    environment |= {"AZURE_CORE_COLLECT_TELEMETRY": "0", "PYTHONWARNINGS": "ignore"}
    # nobody to ask: what a parser needs is in azure-cli itself
    environment |= {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    done = subprocess.run(
        [str(installed()), "-c", READER],
        input=json.dumps(words),
        env=environment,
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: list[str] = json.loads(done.stdout.splitlines()[-1])
    return answers


def test_the_pages_have_commands() -> None:
    found = commands()
    assert {one.source for one in found if one.whole} >= {"docs/azure.md", "docs/quickstart.md"}
    assert [one for one in found if not one.whole and one.source.startswith("plugins/")]
    assert len([one for one in found if one.source == "docs/azure.md" and one.whole]) >= 25


@pytest.mark.slow
def test_azure_cli_understands_every_command(tmp_path: Path) -> None:
    found = commands()
    said = dict(zip(found, read([one.words for one in found], tmp_path), strict=True))
    wrong = {f"{one.source}: {one.text}": text for one, text in said.items() if text}
    wrong = {where: text for where, text in wrong.items() if INCOMPLETE not in text or _is_whole(where, found)}
    assert wrong == {}


def _is_whole(where: str, found: list[Command]) -> bool:
    return any(one.whole for one in found if f"{one.source}: {one.text}" == where)


@pytest.mark.slow
def test_what_it_does_not_know_is_refused(tmp_path: Path) -> None:
    wrong = [
        ["aks", "create", "--name", "x"],
        ["aks", "list", "--nonsense"],
        ["aks", "nonsense", "--help"],
        ["role", "assignment", "create", "--role", "x", "--assigne"],
    ]
    assert all(read(wrong, tmp_path))
    assert INCOMPLETE in read(wrong[:1], tmp_path)[0]
