# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module that shows what it changes documents that in the same words, and no other does."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

MODULES = sorted(file.stem for file in (Path(__file__).parents[4] / "plugins" / "modules").glob("*.py"))
PACKAGE = "ansible_collections.mcpops.platform.plugins.modules"
SENTENCE = "What differs, as texts and as data (C(changes)). See C(docs/diff.schema.json) of this collection."


@pytest.mark.parametrize("name", MODULES)
def test_the_diff_is_documented_where_there_is_one(name: str) -> None:
    module = importlib.import_module(f"{PACKAGE}.{name}")
    documented: dict[str, Any] = yaml.safe_load(module.DOCUMENTATION)
    own = (documented.get("attributes") or {}).get("diff_mode", {}).get("support")
    shows = (
        own or ("full" if "mcpops.platform.attributes" in documented["extends_documentation_fragment"] else "")
    ) == "full"
    expected = {"description": SENTENCE, "returned": "in diff mode", "type": "list", "elements": "dict"}
    assert yaml.safe_load(module.RETURN).get("diff") == (expected if shows else None)
