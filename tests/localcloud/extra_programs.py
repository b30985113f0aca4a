# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that no cluster needs and some slow tests do: built with everything else, or at their first use."""

from __future__ import annotations

from pathlib import Path

from localcloud.assemble import building
from localcloud.binaries import GoProgram, build_key, go_toolchain
from localcloud.command import run
from localcloud.files import Progress, fresh_directory, sha256_of, write_atomically
from localcloud.settings import Settings

HELM4 = GoProgram("helm", "helm4", "helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4", "4 minutes")


def ensure_helm4(settings: Settings, progress: Progress) -> Path:
    """Helm 4; the package index has Helm 3 only."""
    go_version = run(["go", "env", "GOVERSION"], why="ask Go for its version").strip()
    target = settings.cache / "bin" / f"helm4-{build_key(HELM4, go_version)}"
    binary, checksum = target / HELM4.name, target / f"{HELM4.name}.sha256"
    with building(settings, progress):
        if binary.is_file() and checksum.is_file() and checksum.read_text().split()[0] == sha256_of(binary):
            return binary
        progress(f"building Helm 4 ({HELM4.expected} with empty caches)")
        with go_toolchain(settings, (HELM4,)) as go, fresh_directory(target) as directory:
            go.build(HELM4, directory / HELM4.name)
            line = f"{sha256_of(directory / HELM4.name)}  {HELM4.name}\n"
            write_atomically(directory / checksum.name, line, 0o644)
    return binary
