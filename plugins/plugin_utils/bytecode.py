# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has Python keep the bytecode of this collection, as it does for everything else.

Ansible's loader of collections compiles what a plugin imports from its source in every process that starts. For this
collection that is a third of a second of each command. With Python's own loader it is compiled once and read from
`__pycache__` from then on; where that directory cannot be written, everything is as before.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType


class BytecodeFinder:
    """Finds what lies in a package's directory; what does not is left to whoever else looks for it."""

    def __init__(self, package: str, directory: Path) -> None:
        self._prefix = f"{package}."
        self._directory = directory

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(self._prefix):
            return None
        place = self._directory.joinpath(*name[len(self._prefix) :].split("."))
        package = place / "__init__.py"
        if package.is_file():
            return spec_from_file_location(name, package, submodule_search_locations=[str(place)])
        module = place.with_suffix(".py")
        return spec_from_file_location(name, module) if module.is_file() else None


def keep_bytecode(package: str, directory: Path, loader: Loader | None) -> None:
    """From here on for what is imported from the package, unless Python's own `loader` has it in its hands already."""
    if not isinstance(loader, SourceFileLoader):
        sys.meta_path.insert(0, BytecodeFinder(package, directory))
