# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that no cluster needs and some slow tests do: built with everything else, or at their first use."""

from __future__ import annotations

from pathlib import Path

from localcloud.assemble import building
from localcloud.binaries import GoProgram, build_key, go_toolchain
from localcloud.command import run
from localcloud.files import Progress, fresh_directory, sha256_of, write_atomically
from localcloud.settings import Settings

# The package index has Helm 3 only.
HELM4 = GoProgram("helm", "helm4", "helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4", "4 minutes")
# How people, and programs, log in to AKS clusters with Entra.
KUBELOGIN = GoProgram("kubelogin", "kubelogin", "github.com/Azure/kubelogin", "github.com/Azure/kubelogin", "2 minutes")
EXTRA_PROGRAMS = (HELM4, KUBELOGIN)


def ensure_program(program: GoProgram, settings: Settings, progress: Progress) -> Path:
    """The binary, in a directory of its own."""
    go_version = run(["go", "env", "GOVERSION"], why="ask Go for its version").strip()
    target = settings.cache / "bin" / f"{program.directory}-{build_key(program, go_version)}"
    binary, checksum = target / program.name, target / f"{program.name}.sha256"
    with building(settings, progress):
        if binary.is_file() and checksum.is_file() and checksum.read_text().split()[0] == sha256_of(binary):
            return binary
        progress(f"building {program.directory} ({program.expected} with empty caches)")
        with go_toolchain(settings, (program,)) as go, fresh_directory(target) as directory:
            go.build(program, directory / program.name)
            line = f"{sha256_of(directory / program.name)}  {program.name}\n"
            write_atomically(directory / checksum.name, line, 0o644)
    return binary
