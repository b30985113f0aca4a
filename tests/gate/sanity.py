# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m gate.sanity [--this-python] [PART ...]`: ansible-test sanity, in a copy of what git would commit. Offline.

ansible-test wants the collection at .../ansible_collections/<namespace>/<name>. The link in `collections/` does not do:
it resolves its own path and then finds itself outside. So it gets a copy with a git repository of its own.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gate.checkout import CACHE, CHECKOUT

COLLECTION_PATH = Path("ansible_collections", "mcpops", "platform")
LINKS = "collections"
SANITY_CACHE = CACHE / "sanity"
THIS_PYTHON = "--this-python"

# The two parts take about as long and run side by side. pylint and pep8, with the rules they have for plugins, see the
# plugins; what tests and the local cloud look like is the business of ruff and mypy. Every other test sees everything.
PARTS: dict[str, tuple[str, ...]] = {
    "style": ("--test", "pylint", "--test", "pep8", "plugins/"),
    "rest": ("--skip-test", "pylint", "--skip-test", "pep8"),
}

# ansible-test fills its virtual environments with pip from a script it downloads from a host that is no package index.
# What that script would do, the interpreter's own ensurepip and the pip it brings can do as well. The file names carry
# the pip versions the supported cores ask for; the stand-in installs whichever is named on its command line.
STAND_IN_NAMES = ("get_pip_24_2.py", "get_pip_25_2.py")
STAND_IN = '''\
"""Puts pip into this virtual environment: ensurepip first, then the versions the command line names."""

import subprocess
import sys

wanted = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
subprocess.run([sys.executable, "-m", "ensurepip", "--default-pip"], check=True, stdout=subprocess.DEVNULL)
subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *wanted], check=True)
'''

# Version managers put shims here that answer for interpreters they then refuse to start; ansible-test believes them.
SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def committed_files(checkout: Path) -> list[Path]:
    """What a commit of everything would hold, less the link back to the checkout itself."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True).stdout
    paths = [Path(name) for name in listed.split("\0") if name]
    # Files deleted but not yet committed as such are still listed.
    return [path for path in paths if path.parts[0] != LINKS and os.path.lexists(checkout / path)]


def copy(checkout: Path, target: Path) -> None:
    for path in committed_files(checkout):
        destination = target / path
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(checkout / path, destination, follow_symlinks=False)
    subprocess.run(["git", "init", "--quiet", "."], cwd=target, check=True)


def run(collection: Path, part: str, *more: str) -> int:
    """ansible-test sanity on a collection at its proper path; its exit code.

    Runs of the same part wait for each other, because they share the virtual environments ansible-test makes for it.
    """
    home = SANITY_CACHE / "home"
    _prepare_home(home)
    # The virtual environment's link, not its target: sys.prefix is where the `ansible-test` of this core is.
    ansible_test = Path(sys.prefix) / "bin" / "ansible-test"
    environment = {
        **os.environ,
        "HOME": str(home),
        "PATH": os.pathsep.join((str(ansible_test.parent), *SYSTEM_PATH)),
        "PIP_CACHE_DIR": str(SANITY_CACHE / "pip"),
    }
    environment.pop("PYTHONPATH", None)
    with _locked(SANITY_CACHE / f"{part}.lock"):
        command = [str(ansible_test), "sanity", "--local", "--color", "no", *PARTS[part], *more]
        return subprocess.run(command, cwd=collection, env=environment, check=False).returncode


def _prepare_home(home: Path) -> None:
    """A home for ansible-test alone, so that the stand-in never becomes what the user's own runs bootstrap from."""
    scripts = home / ".ansible" / "test" / "cache"
    scripts.mkdir(parents=True, exist_ok=True)
    for name in STAND_IN_NAMES:
        script = scripts / name
        if not script.exists() or script.read_text() != STAND_IN:
            script.write_text(STAND_IN)
    # Where the user's pip looks for packages is still the user's business.
    user_settings = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "pip"
    settings = home / ".config" / "pip"
    if user_settings.is_dir() and not settings.is_symlink():
        settings.parent.mkdir(exist_ok=True)
        settings.symlink_to(user_settings)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str]) -> int:
    """`--this-python` leaves the other interpreters of the machine to the matrix."""
    parts = [argument for argument in arguments if argument in PARTS]
    more = ["--python", "{}.{}".format(*sys.version_info)] if THIS_PYTHON in arguments else []
    SANITY_CACHE.mkdir(parents=True, exist_ok=True)
    # By default a SIGTERM would end this without removing the copy.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="copy-", dir=SANITY_CACHE) as root:
        collection = Path(root) / COLLECTION_PATH
        collection.mkdir(parents=True)
        copy(CHECKOUT, collection)
        codes = [run(collection, part, *more) for part in parts or PARTS]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
