# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/quickstart.md as it is written, to its end: from the tarball to a site that answers and is removed again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.reader import END, FIRST_RUN, INSTALL, REGISTRY, SECRETS, SKELETON, Reader, with_tarball

pytestmark = pytest.mark.integration

TARBALL = "ansible-galaxy collection install ./"
SECRET = "change-me-5f2b"
MAIN = "inventories/dev/group_vars/all/main.yml"


@pytest.fixture(scope="module")
def reader(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Somebody with credentials of the local Azure in the environment, and a private registry."""
    auth = cloud.auth()
    credentials = {
        "AZURE_SUBSCRIPTION_ID": auth["subscription_id"],
        "AZURE_TENANT_ID": auth["tenant"],
        "AZURE_CLIENT_ID": auth["client_id"],
        "AZURE_CLIENT_SECRET": auth["secret"],
        "AZURE_CLOUD_ENVIRONMENT": auth["cloud_environment"],
    }
    environment = {**credentials, **cloud.process_environment()}
    found = with_tarball(Reader(tmp_path_factory.mktemp("reader"), {REGISTRY: cloud.registry}, environment))
    found.follows(INSTALL, only=TARBALL)
    found.follows(SKELETON)
    found.follows(SECRETS)
    # what the skeleton says of a registry of one's own
    main = found.project / MAIN
    text = main.read_text(encoding="utf-8").replace("# mcpops_kmcp_chart", "mcpops_kmcp_chart")
    text = text.replace("# mcpops_registry_ca_file: /etc/ssl/certs/registry.pem", "mcpops_registry_ca_file: CA")
    main.write_text(text.replace(": CA", f": {cloud.environment['registry_ca_file']}"), encoding="utf-8")
    yield found


def test_the_first_run_answers_and_the_second_changes_nothing(cloud: Any, reader: Reader) -> None:
    said = reader.follows(FIRST_RUN, timeout=3000)
    assert SECRET not in said
    assert "hello from dev" in said and "mcp/echo" in said
    recaps = [line for line in said.splitlines() if line.startswith("dev-1 ") and "changed=" in line]
    assert all("failed=0" in line for line in recaps), recaps
    # preflight, check, first and second run, verify, drift, diagnose
    changed = [int(line.partition("changed=")[2].split()[0]) for line in recaps]
    assert len(changed) == 7 and changed[0] == 0 and changed[1] > 0 and changed[2] > 0 and not any(changed[3:]), recaps
    assert (reader.project / "drift-report" / "drift-report.html").exists()
    kubectl = cloud.environment["kubectl"]
    kubeconfig = reader.home / ".kube" / "mcpops" / "dev-dev-1"
    command = f"{kubectl} --kubeconfig {kubeconfig} -n mcp get deployment echo -o yaml"
    assert "name: echo-secrets" in reader.runs(command, reader.project)


def test_the_end_of_it_removes_what_was_named(reader: Reader) -> None:
    assert (reader.home / ".kube" / "mcpops" / "dev-dev-1").exists()
    assert "failed=0" in reader.follows(END)
    assert not (reader.home / ".kube" / "mcpops" / "dev-dev-1").exists()
