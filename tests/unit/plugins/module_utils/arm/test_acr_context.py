# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files a build is sent, and what is another build and what is the same."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm import acr_context
from ansible_collections.mcpops.platform.plugins.module_utils.arm.acr_context import BuildSpec
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput

FILES = {"Dockerfile": "FROM scratch\n", "server.py": "x", "lib/a.py": "a", "lib/deep/b.pyc": "b", "notes.md": "n"}


@pytest.fixture
def build(tmp_path: Path) -> BuildSpec:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="ascii")
    return BuildSpec(tmp_path)


def names(build: BuildSpec) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(acr_context.archive(build))) as packed:
        return packed.getnames()


def fingerprint(build: BuildSpec) -> str:
    return acr_context.fingerprint(build, acr_context.archive(build))


def test_every_file_in_one_order(build: BuildSpec) -> None:
    assert names(build) == sorted(FILES)


@pytest.mark.parametrize("place", ["", "lib/"])
def test_what_version_control_keeps_is_no_part_of_a_build(build: BuildSpec, place: str) -> None:
    before = fingerprint(build)
    for name in (".git/index", ".git/objects/ab", ".gitignore", ".svn/entries", ".venv/bin/python"):
        file = build.context / f"{place}{name}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("another commit", encoding="ascii")
    assert names(build) == sorted(FILES)
    assert fingerprint(build) == before


@pytest.mark.parametrize(
    ("lines", "left_out"),
    [
        ("", []),
        ("# a comment\n\n", []),
        ("notes.md", ["notes.md"]),
        ("/notes.md", ["notes.md"]),
        ("*.md", ["notes.md"]),
        ("*.pyc", []),  # of the root alone
        ("**/*.pyc", ["lib/deep/b.pyc"]),
        ("**/*.py", ["lib/a.py", "server.py"]),
        ("lib", ["lib/a.py", "lib/deep/b.pyc"]),
        ("lib/", ["lib/a.py", "lib/deep/b.pyc"]),
        ("lib/**", ["lib/a.py", "lib/deep/b.pyc"]),
        ("lib/*/b.pyc", ["lib/deep/b.pyc"]),
        ("lib/?.py", ["lib/a.py"]),
        ("lib\n!lib/a.py", ["lib/deep/b.pyc"]),
        ("!lib/a.py\nlib", ["lib/a.py", "lib/deep/b.pyc"]),
        ("*\n!server.py", ["lib/a.py", "lib/deep/b.pyc", "notes.md", ".dockerignore"]),
        ("Dockerfile", []),  # the builder needs it
        ("s.rver.py", []),  # a dot is a dot
        ("**/*.py[co]", ["lib/deep/b.pyc"]),
        ("[a-n]*.md", ["notes.md"]),
        ("[^n]*.md", []),
        ("*.[mM][dD]", ["notes.md"]),
        ("[]n]otes.md", ["notes.md"]),
        ("[n&&n]otes.md", ["notes.md"]),
        ("notes\\.md", ["notes.md"]),
        ("note\\?.md", []),
        ("lib/**/a.py", ["lib/a.py"]),  # no directory between them is a number of directories, too
        ("lib/**/*.py*", ["lib/a.py", "lib/deep/b.pyc"]),
        ("**/deep", ["lib/deep/b.pyc"]),
        ("**/lib/a.py", ["lib/a.py"]),
        ("**", ["lib/a.py", "lib/deep/b.pyc", "notes.md", "server.py", ".dockerignore"]),
        ("lib/deep/../a.py", ["lib/a.py"]),
        (" # notes.md\nnotes.md", ["notes.md"]),
        ("\ufeffnotes.md", ["notes.md"]),  # as editors of Windows begin a file
        ("*.pyc\r\nnotes.md\r\n", ["notes.md"]),
    ],
)
def test_what_dockerignore_leaves_out(build: BuildSpec, lines: str, left_out: list[str]) -> None:
    (build.context / ".dockerignore").write_text(lines, encoding="utf-8")
    assert names(build) == sorted({*FILES, ".dockerignore"} - {*left_out})


def test_a_dockerfile_may_have_one_of_its_own(build: BuildSpec) -> None:
    (build.context / ".dockerignore").write_text("notes.md", encoding="ascii")
    (build.context / "Dockerfile.dockerignore").write_text("lib", encoding="ascii")
    assert "notes.md" in names(build)
    assert "lib/a.py" not in names(build)


def test_names_of_files_in_any_coding(build: BuildSpec) -> None:
    for name in (b"gr\xfcn.md", "grün.txt".encode(), "図.md".encode()):
        (build.context / os.fsdecode(name)).write_text("x", encoding="ascii")
    (build.context / ".dockerignore").write_bytes(b"gr\xfcn.md\n*.txt\n")
    assert names(build) == sorted([*FILES, ".dockerignore", "図.md"])
    assert fingerprint(build) == fingerprint(build)


@pytest.mark.parametrize(
    "pattern", ["lib/[ab", "[", "notes\\", "[z-a]"], ids=["class", "bracket", "backslash", "range"]
)
def test_a_pattern_that_is_none_is_told_with_its_line(build: BuildSpec, pattern: str) -> None:
    (build.context / ".dockerignore").write_text(f"notes.md\n{pattern}\n", encoding="ascii")
    (problem,) = acr_context.context_problems(build)
    assert problem.path == "build.context"
    assert f"line 2 is not a valid pattern: {pattern!r}" in problem.message


def test_what_cannot_be_read_is_told(build: BuildSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, and a directory: left out, they would make another image. (Who runs the tests may read everything.)"""

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    def walk(place: Path, onerror: Callable[[OSError], None]) -> list[Any]:
        onerror(PermissionError(13, "Permission denied", str(place / "lib")))
        return []

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(InvalidInput, match=r"Dockerfile cannot be read: Permission denied\. Correct its rights"):
            acr_context.archive(build)
    monkeypatch.setattr(os, "walk", walk)
    (problem,) = acr_context.context_problems(build)
    assert "lib cannot be read: Permission denied" in problem.message


def test_a_context_that_is_too_large_is_told_with_what_makes_it_so(
    build: BuildSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in (("node_modules/a/huge.bin", 2 * 1024**3), ("models/pack", 300 * 1024**2)):
        (build.context / name).parent.mkdir(parents=True)
        with (build.context / name).open("wb") as file:
            file.truncate(size)
    (problem,) = acr_context.context_problems(build)
    assert "holds 2.3 GiB, and 1.0 GiB is the most" in problem.message
    assert "node_modules (2.0 GiB), models (300 MiB), " in problem.message
    (build.context / ".dockerignore").write_text("node_modules", encoding="ascii")
    assert not list(acr_context.context_problems(build))


def test_only_a_tag_of_a_build_is_one() -> None:
    assert acr_context.is_fingerprint(acr_context.fingerprint(BuildSpec(Path()), b"x"))
    assert not any(map(acr_context.is_fingerprint, ("mcpops-1.0", "mcpops-", "latest", f"mcpops-{'A' * 40}")))


def touch(build: BuildSpec) -> BuildSpec:
    os.utime(build.context / "server.py", (1, 1))
    return build


def umask(build: BuildSpec) -> BuildSpec:
    (build.context / "server.py").chmod(0o600)
    return build


def write(name: str) -> Callable[[BuildSpec], BuildSpec]:
    def change(build: BuildSpec) -> BuildSpec:
        (build.context / name).write_text("changed", encoding="ascii")
        return build

    return change


def executable(build: BuildSpec) -> BuildSpec:
    (build.context / "server.py").chmod(0o755)
    return build


def link(build: BuildSpec) -> BuildSpec:
    (build.context / "link").symlink_to("server.py")
    return build


@pytest.mark.parametrize(
    ("change", "same"),
    {
        "nothing": (lambda build: build, True),
        "times": (touch, True),
        "what a umask leaves": (umask, True),
        "content": (write("server.py"), False),
        "a new file": (write("new"), False),
        "may be run": (executable, False),
        "link": (link, False),
        "argument": (lambda build: replace(build, arguments={"V": "1"}), False),
        "platform": (lambda build: replace(build, platform="linux/arm64"), False),
        "target": (lambda build: replace(build, target="test"), False),
    }.values(),
)
def test_what_is_another_build(build: BuildSpec, change: Callable[[BuildSpec], BuildSpec], same: bool) -> None:
    before = fingerprint(build)
    assert (fingerprint(change(build)) == before) == same


def test_the_same_files_elsewhere_are_the_same_build(
    build: BuildSpec, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    for name in reversed(FILES):
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text(FILES[name], encoding="ascii")
    assert fingerprint(BuildSpec(other)) == fingerprint(build)
    assert acr_context.packed(b"x") == acr_context.packed(b"x")


GOOD: dict[str, Any] = {"context": "c", "dockerfile": "Dockerfile", "platform": "linux/amd64", "arguments": {"V": 1}}


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({}, []),
        ({"platform": "linux/arm64/v8", "dockerfile": "build/Dockerfile"}, []),
        ({"dockerfile": "..hidden/Dockerfile"}, []),
        ({"dockerfile": "build/../../Dockerfile"}, ["build.dockerfile"]),
        ({"platform": "amd64"}, ["build.platform"]),
        ({"platform": "linux/mips"}, ["build.platform"]),
        ({"dockerfile": "/etc/passwd"}, ["build.dockerfile"]),
        ({"dockerfile": "../Dockerfile"}, ["build.dockerfile"]),
        ({"dockerfile": ""}, ["build.dockerfile"]),
        ({"arguments": {"1V": "x", "W": ["x"]}}, ["build.arguments.1V", "build.arguments.W"]),
    ],
)
def test_problems(changes: dict[str, Any], paths: list[str]) -> None:
    assert [problem.path for problem in acr_context.build_problems({**GOOD, **changes})] == paths


def test_files_that_are_not_there(build: BuildSpec) -> None:
    missing = replace(build, context=build.context / "missing")
    assert [problem.path for problem in acr_context.context_problems(missing)] == ["build.context"]
    wrong = replace(build, dockerfile="Containerfile")
    assert [problem.path for problem in acr_context.context_problems(wrong)] == ["build.dockerfile"]
    assert not list(acr_context.context_problems(build))


def test_the_request(build: BuildSpec) -> None:
    spec = replace(build, platform="linux/arm64/v8", target="prod", arguments={"V": "1"})
    body = acr_context.run_request(spec, ["echo:1"], "source/x.tar.gz", 600)
    assert body["platform"] == {"os": "Linux", "architecture": "arm64", "variant": "v8"}
    assert (body["imageNames"], body["target"], body["timeout"]) == (["echo:1"], "prod", 600)
    assert body["arguments"] == [{"name": "V", "value": "1", "isSecret": False}]
