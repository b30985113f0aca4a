# SPDX-License-Identifier: GPL-3.0-or-later
"""Which clusters reach which other ones' load balancers: nobody, until `localcloud route FROM TO` says so."""

from __future__ import annotations

import json

from localcloud.files import locked, write_atomically
from localcloud.kube import helper_client
from localcloud.kube.backend import LocalClusters
from localcloud.kube.peering import Direction, open_directions
from localcloud.settings import Settings, SettingsError


def directory_of(settings: Settings, name: str) -> str:
    """The directory of a cluster, by its own name, that of its AKS resource, or GROUP/NAME."""
    # Not at the top: every other command starts without loading the local Azure.
    from localcloud.azure import faults
    from localcloud.azure.names import of_backends

    owners = of_backends(settings.state / "azure" / faults.DATABASE)
    layouts = LocalClusters(settings).layouts()
    found = []
    for layout in layouts:
        group, _, own = owners.get(layout.name, "").lower().partition("/")
        if name == layout.name or name.lower() in (own, f"{group}/{own}"):
            found.append(layout.path.name)
    if len(found) != 1:
        known = ", ".join(owners.get(layout.name, layout.name) for layout in layouts) or "none"
        what = "is more than one cluster" if found else "is no cluster"
        raise SettingsError(f"{name!r} {what} of this local cloud. There are: {known}.")
    return found[0]


def change(settings: Settings, pairs: list[tuple[str, str]], *, opened: bool) -> set[Direction]:
    """Open or cut directions; those that are open now. What stands through one that is cut ends."""
    directions = {(directory_of(settings, first), directory_of(settings, second)) for first, second in pairs}
    if any(first == second for first, second in directions):
        raise SettingsError("A cluster reaches itself anyway. Name two of them.")
    file = settings.state / "routes.json"
    with locked(settings.state / ".routes.lock"):
        present = open_directions(file)
        now = present | directions if opened else present - directions
        write_atomically(file, json.dumps(sorted(now)) + "\n", 0o644)
        helper_client.ask(settings, "connect")
    return now
