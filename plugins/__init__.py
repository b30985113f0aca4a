# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has Python keep what it compiles of this collection, as it does of any other package.

Ansible's loader of collections compiles every file of module_utils, plugin_utils and modules anew in each run; of the
plugins themselves it leaves the compiled form in `__pycache__` beside them. Here the same is done for what they import.
Nothing else changes: names, files and PYTHONDONTWRITEBYTECODE mean what they mean elsewhere, and where the directory
cannot be written to, each run compiles. The controller executes this before anything below it; what is sent to other
machines leaves it out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType

KEPT = tuple(f"{__name__}.{folder}." for folder in ("module_utils", "modules", "plugin_utils"))


class CompiledFiles(MetaPathFinder):
    """Finds the files of KEPT for Python's own loader. Packages, which have no code, stay with Ansible's."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(KEPT):
            return None
        below = fullname.rpartition(".")[2]
        for place in path or ():
            file = os.path.join(place, f"{below}.py")
            if os.path.isfile(file) and not os.path.isdir(os.path.join(place, below)):
                return spec_from_file_location(fullname, file)
        return None


# Ansible's finder answers for all of ansible_collections, so this one stands before it. Where somebody else stands
# first, who has reasons to see every import (ansible-test, pytest, a debugger), nothing is changed.
if type(sys.meta_path[0]).__module__.startswith("ansible.utils.collection_loader."):
    sys.meta_path.insert(0, CompiledFiles())
