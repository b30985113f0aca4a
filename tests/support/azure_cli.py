# SPDX-License-Identifier: GPL-3.0-or-later
"""azure-cli as Microsoft publishes it, in an environment of its own, pointed at a local Azure by variables alone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from gate.checkout import CACHE
from gate.environments import with_packages

REQUIREMENT = "azure-cli==2.91.0"
CLOUD = "LocalCloud"
# What `*.localhost` is where the C library leaves it to others: this machine (RFC 6761, section 6.3). Vaults have such
# names, and systemd-resolved and libnss-myhostname answer them; Python reads this file at its start.
LOOPBACK = """\
import socket

_asked = socket.getaddrinfo


def _answered(host, *arguments, **named):
    name = host.decode() if isinstance(host, bytes) else str(host)
    return _asked("127.0.0.1" if name.rstrip(".").endswith(".localhost") else host, *arguments, **named)


socket.getaddrinfo = _answered
"""


@lru_cache(maxsize=1)
def installed() -> Path:
    """Its Python: 400 MB from the package index the first time, and nothing to do afterwards."""
    return with_packages(CACHE / "azure-cli", "azure-cli", [REQUIREMENT], compiled=False) / "bin" / "python"


class AzureCli:
    """`az(...)` -> what the command answered. Each has a configuration of its own in `directory`."""

    def __init__(self, directory: Path, endpoint: str, ca_file: Path) -> None:
        site = directory / "site"
        site.mkdir(parents=True)
        (site / "sitecustomize.py").write_text(LOOPBACK, encoding="utf-8")
        self.environment = {
            "HOME": str(directory),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(site),
            "PYTHONWARNINGS": "ignore",
            "NO_PROXY": "*",
            "REQUESTS_CA_BUNDLE": str(ca_file),
            "SSL_CERT_FILE": str(ca_file),
            "ARM_CLOUD_METADATA_URL": f"{endpoint}/metadata/endpoints?api-version=2019-05-01",
            "AZURE_CLOUD_NAME": CLOUD,
            "AZURE_CONFIG_DIR": str(directory / "azure-cli"),
            "AZURE_CORE_COLLECT_TELEMETRY": "0",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "AZURE_CORE_NO_COLOR": "1",
        }

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        argv = [str(installed()), "-m", "azure.cli", *arguments, "--output", "json"]
        environment = {**self.environment, **(env or {})}
        return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=600, check=False)

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> Any:
        done = self.run(*arguments, env=env)
        assert done.returncode == 0, f"az {' '.join(arguments)}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, *arguments: str) -> str:
        """What it says where the command has to fail."""
        done = self.run(*arguments)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def login(self, tenant: str, client: str, secret: str) -> Any:
        return self("login", "--service-principal", "-u", client, "-p", secret, "--tenant", tenant)
