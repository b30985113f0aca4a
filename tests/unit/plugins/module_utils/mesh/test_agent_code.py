# SPDX-License-Identifier: GPL-3.0-or-later
"""The code of agents as the content of ConfigMaps."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.mesh import agent_code
from ansible_collections.mcpops.platform.plugins.module_utils.mesh.agent_code import Code


def tree(root: Path, **files: bytes) -> Path:
    for name, content in files.items():
        path = root / name.replace("__SLASH__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def test_a_script_is_one_file_that_is_run(tmp_path: Path) -> None:
    (tmp_path / "dates.py").write_bytes(b"print('x')\n")
    code, wrong = agent_code.read_script(tmp_path / "dates.py")
    assert wrong == []
    assert code.entrypoint == "dates.py"
    assert code.data() == {"data": {"dates.py": "print('x')\n"}}
    assert code.items() == [{"key": "dates.py", "path": "dates.py"}]


def test_a_directory_keeps_its_folders_and_loses_what_interpreters_leave(tmp_path: Path) -> None:
    for name in ("main.py", "lib/a.py", "lib/deep/b.bin", "__pycache__/x.pyc", ".git/HEAD", "old.pyc", ".env"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\xff\xfe" if name.endswith("bin") else b"x")
    code, wrong = agent_code.read_directory(tmp_path, "main.py")
    assert wrong == []
    assert sorted(code.files) == ["lib/a.py", "lib/deep/b.bin", "main.py"]
    data = code.data()
    assert data["binaryData"] == {"lib__deep__b.bin": base64.b64encode(b"\xff\xfe").decode()}
    assert {"key": "lib__deep__b.bin", "path": "lib/deep/b.bin"} in code.items()


@pytest.mark.parametrize(("bytes_more", "fits"), [(0, True), (1, False)])
def test_a_config_map_holds_one_mebibyte(tmp_path: Path, bytes_more: int, fits: bool) -> None:
    (tmp_path / "a.py").write_bytes(b"x" * (agent_code.LARGEST - len("a.py") + bytes_more))
    _code, wrong = agent_code.read_script(tmp_path / "a.py")
    assert (wrong == []) == fits
    assert fits or "1 MiB" in wrong[0]


@pytest.mark.parametrize(
    ("name", "words"),
    {"ä.py": "cannot be a key", "a b.py": "cannot be a key", "x" * 300 + ".py": "cannot be a key"}.items(),
)
def test_names_that_no_key_can_have(name: str, words: str) -> None:
    _code, wrong = agent_code._checked(Code({name: b""}, name), "agents")
    assert words in wrong[0]


def test_two_files_of_one_key_are_refused(tmp_path: Path) -> None:
    for name in ("main.py", "a/b.py", "a__b.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    _code, wrong = agent_code.read_directory(tmp_path, "main.py")
    assert "a/b.py and a__b.py would be one key" in wrong[0]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in agent_code.read_script(tmp_path / "no.py")[1][0]
    assert "is not a directory" in agent_code.read_directory(tmp_path / "no", "main.py")[1][0]
    (tmp_path / "other.py").write_bytes(b"")
    wrong = agent_code.read_directory(tmp_path, "main.py")[1][0]
    assert "has no file main.py to run; it holds other.py" in wrong


def test_more_files_than_anybody_means(tmp_path: Path) -> None:
    for number in range(501):
        (tmp_path / f"{number}.py").touch()
    assert "more than 500 files" in agent_code.read_directory(tmp_path, "0.py")[1][0]


def test_another_name_or_another_content_is_another_digest() -> None:
    source = random.Random(3)
    seen: dict[str, dict[str, bytes]] = {}
    for _ in range(200):
        names = source.sample(["a", "b", "ab", "c/d", "e"], source.randint(1, 3))
        files = {name: source.randbytes(source.randint(0, 2)) for name in names}
        digest = Code(files).digest
        assert seen.setdefault(digest, files) == files
        assert Code(dict(reversed(files.items()))).digest == digest
