# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of awx.awx's modules, read from the modules themselves. To write them anew:

    PYTHONPATH=tests .venv/bin/python -m support.controller_options

`plugins/plugin_utils/controller_options.json` is what it makes: names, types, choices, no code and no text of theirs.
"""

from __future__ import annotations

import importlib
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

from gate.checkout import CACHE, CHECKOUT
from gate.environments import INDEX, run

from localcloud.files import fresh_directory, locked

ANSIBLE = "12.3.0"
"""The last release of the package `ansible` that has awx.awx in it: 24.6.1, the last of its own."""
COLLECTION = "awx.awx 24.6.1"
PACKAGE = "ansible_collections.awx.awx.plugins"
FILE = CHECKOUT / "plugins" / "plugin_utils" / "controller_options.json"
MODULES = (
    "credential",
    "credential_type",
    "execution_environment",
    "inventory",
    "inventory_source",
    "job_template",
    "label",
    "notification_template",
    "organization",
    "project",
    "schedule",
    "workflow_job_template",
)
PLACE = CACHE / "collections"


class _Seen(Exception):
    """Raised in the place of the module's first request."""


def collections(release: str, *names: str) -> Path:
    """A directory with these collections out of a release of the package `ansible`; only the wheel is asked for."""
    target = PLACE / f"ansible-{release}-{'-'.join(names)}"
    PLACE.mkdir(parents=True, exist_ok=True)
    with locked(PLACE / f"{target.name}.lock"):
        if not target.exists():
            with fresh_directory(target) as directory:
                pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
                wanted = ["--ignore-requires-python", "--dest", str(directory), f"ansible=={release}"]
                run([*pip, *wanted], f"get the package ansible {release}", INDEX)
                (wheel,) = directory.glob("*.whl")
                with zipfile.ZipFile(wheel) as archive:
                    places = tuple(f"ansible_collections/{name.replace('.', '/')}/" for name in names)
                    archive.extractall(directory, [name for name in archive.namelist() if name.startswith(places)])
                wheel.unlink()
    return target


def argument_spec(module: str) -> dict[str, Any]:
    """What a module gives to its base class, without the options that all of them have for the connection."""
    seen: dict[str, Any] = {}

    def init(_self: Any, argument_spec: dict[str, Any], **_others: Any) -> None:
        seen.update(argument_spec)
        raise _Seen

    api = importlib.import_module(f"{PACKAGE}.module_utils.controller_api").ControllerAPIModule
    original = api.__init__
    api.__init__ = init
    try:
        importlib.import_module(f"{PACKAGE}.modules.{module}").main()
    except _Seen:
        pass
    finally:
        api.__init__ = original
    kept = ("type", "elements", "required", "choices", "aliases", "default", "no_log")
    return {name: {key: option[key] for key in kept if key in option} for name, option in sorted(seen.items())}


def options(directory: Path) -> dict[str, Any]:
    """Of every module, importing them from this directory of collections."""
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader([str(directory), str(CHECKOUT / "collections")])
    return {"collection": COLLECTION, "modules": {module: argument_spec(module) for module in MODULES}}


def text(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=1, sort_keys=True) + "\n"


def main() -> None:
    """With an argument the content is shown, and not written."""
    found = text(options(collections(ANSIBLE, "awx.awx")))
    if sys.argv[1:]:
        print(found, end="")
        return
    FILE.write_text(found, encoding="utf-8")
    print(FILE.relative_to(CHECKOUT))


if __name__ == "__main__":
    main()
