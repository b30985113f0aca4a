# SPDX-License-Identifier: GPL-3.0-or-later
"""How a checkout gets its virtual environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from gate.checkout import CHECKOUT

SCRIPTS = ("bootstrap.sh", "localcloud.sh")
TOOLS = ("bash", "cat", "cut", "dirname", "env", "flock", "id", "install", "ln", "mkdir", "mv", "readlink", "rm")
MORE_TOOLS = ("sha256sum", "touch")
BASE_PYTHON = Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def lay_out_tools(tools: Path) -> None:
    """A machine whose Pythons only look usable, and that has no package manager."""
    tools.mkdir()
    for name in (*TOOLS, *MORE_TOOLS):
        (tools / name).symlink_to(str(shutil.which(name)))
    for shim in ("python3.13", "python3.12"):
        (tools / shim).write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n", encoding="utf-8")
        (tools / shim).chmod(0o755)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    lay_out_tools(home / "bin")
    return home


@pytest.fixture(scope="module")
def usable(home: Path) -> Iterator[Path]:
    python = home / "bin" / "python3"
    # Not a link: an interpreter finds its library from where it lies.
    python.write_text(f'#!/bin/sh\nexec "{BASE_PYTHON}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    yield python
    python.unlink()


def make_checkout(directory: Path) -> Path:
    (directory / "tests" / "gate").mkdir(parents=True)
    for name in SCRIPTS:
        shutil.copy(CHECKOUT / "tests" / "gate" / name, directory / "tests" / "gate" / name)
    for name in ("requirements.txt", "requirements-dev.txt"):
        (directory / name).write_text("# nothing\n", encoding="utf-8")
    return directory


def bootstrap(checkout: Path, home: Path, *then: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(home), "PATH": str(home / "bin"), **settings}
    command = [checkout / "tests" / "gate" / "bootstrap.sh", *then]
    return subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, home: Path, usable: Path) -> Path:
    checkout = make_checkout(tmp_path_factory.mktemp("checkout"))
    done = bootstrap(checkout, home)
    assert done.returncode == 0, done.stderr
    return checkout


def test_the_link_leads_to_a_working_environment_in_the_cache(checkout: Path, home: Path) -> None:
    assert (checkout / ".venv").readlink().parent == home / ".cache" / "mcpops-platform" / "venv"
    subprocess.run([checkout / ".venv" / "bin" / "python", "-m", "pip", "--version"], check=True, capture_output=True)


def test_a_second_run_does_nothing(checkout: Path, home: Path) -> None:
    done = bootstrap(checkout, home)
    assert (done.returncode, done.stderr) == (0, "")


def test_another_checkout_with_the_same_packages_shares_it(checkout: Path, home: Path, tmp_path: Path) -> None:
    second = make_checkout(tmp_path / "second")
    done = bootstrap(second, home)
    assert "building" not in done.stderr
    assert (second / ".venv").readlink() == (checkout / ".venv").readlink()


def test_localcloud_serves_the_checkout_it_is_called_in(checkout: Path, home: Path, tmp_path: Path) -> None:
    second = make_checkout(tmp_path / "second")
    bootstrap(second, home)
    package = second / "tests" / "localcloud"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("import sys; print(__file__, sys.argv[1:])", encoding="utf-8")
    called = [[second / ".venv" / "bin" / "localcloud", "up"], [".venv/bin/localcloud", "up"]]
    for command in called:
        answer = subprocess.run(command, cwd=second, check=True, capture_output=True, text=True).stdout
        assert answer == f"{package}/__main__.py ['up']\n"
    elsewhere = subprocess.run([checkout / ".venv" / "bin" / "localcloud"], check=False, capture_output=True, text=True)
    assert (elsewhere.returncode, "is no checkout" in elsewhere.stderr) == (2, True)


@pytest.mark.slow
def test_an_unfinished_environment_is_built_again(checkout: Path, home: Path) -> None:
    environment = (checkout / ".venv").readlink()
    (environment / ".complete").unlink()
    (environment / ".inputs").unlink()
    assert "building" in bootstrap(checkout, home).stderr
    assert (environment / ".complete").exists()


def test_a_command_runs_in_the_environment(checkout: Path, home: Path) -> None:
    done = bootstrap(checkout, home, "python", "-c", "import sys; print(sys.prefix); sys.exit(7)")
    assert (done.returncode, done.stdout.strip()) == (7, str(checkout / ".venv"))


@pytest.mark.slow
def test_another_core_has_an_environment_beside_the_usual_one(checkout: Path, home: Path, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    for version in ("2.20.3", "2.21.1"):
        info = f"ansible_core-{version}.dist-info"
        with zipfile.ZipFile(packages / f"ansible_core-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: ansible-core\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    ask = "from importlib import metadata; import sys; print(metadata.version('ansible-core'), sys.prefix)"
    running = "{}.{}".format(*sys.version_info)
    settings = {"MCPOPS_CORE": "2.20", "MCPOPS_PYTHONS": f"3.1 {running}"}
    settings |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(packages)}
    usual = (checkout / ".venv").readlink()
    done = bootstrap(checkout, home, "python", "-c", ask, **settings)
    assert done.stdout.split() == ["2.20.3", str(checkout / "build" / "core-2.20")], done.stderr
    assert (checkout / ".venv").readlink() == usual


NO_PYTHON = {
    "found none": ({}, "python3.13, python3.12, python3.11"),
    "named a bad one": ({"MCPOPS_PYTHON": "/nowhere/python3.13"}, "/nowhere/python3.13"),
    "none that this core runs on": ({"MCPOPS_CORE": "2.20", "MCPOPS_PYTHONS": "3.1 3.2"}, "python3.1, python3.2"),
}


@pytest.mark.parametrize(("named", "stated"), NO_PYTHON.values(), ids=NO_PYTHON.keys())
def test_without_a_usable_python_it_says_what_to_do(named: dict[str, str], stated: str, tmp_path: Path) -> None:
    lay_out_tools(tmp_path / "bin")
    done = bootstrap(make_checkout(tmp_path / "checkout"), tmp_path, **named)
    assert done.returncode == 1
    assert stated in done.stderr
    assert "MCPOPS_PYTHON=/path/to" in done.stderr


@pytest.mark.slow
def test_packages_that_cannot_be_had_leave_no_link(home: Path, usable: Path, tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    (checkout / "requirements.txt").write_text("./no-such-package\n", encoding="utf-8")
    done = bootstrap(checkout, home)
    assert done.returncode == 1
    assert "pip could not install" in done.stderr
    assert not os.path.lexists(checkout / ".venv")
