# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment: what ansible-builder makes of its definition, how large that is, who fits beside it.

An image cannot be built here. Everything but the base image can: the build's files, and its Python packages.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from gate.checkout import CACHE, CHECKOUT
from gate.environments import with_packages
from support import controller_options
from support.playbook import run_tasks

pytestmark = pytest.mark.integration

DEFINITION = CHECKOUT / "execution-environment.yml"
BUILDER = "ansible-builder>=3.2,<4"
MOST_MEGABYTES = 150
PLACE = CACHE / "execution-environment"


def requirement_lines(text: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return sorted(line for line in lines if line)


def ours() -> list[str]:
    return requirement_lines((CHECKOUT / "requirements.txt").read_text(encoding="utf-8"))


def dependencies() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))["dependencies"]
    return found


def of_the_image() -> list[str]:
    """All Python packages that the image is told to have."""
    declared = dependencies()
    return [declared["ansible_core"]["package_pip"], declared["ansible_runner"]["package_pip"], *ours()]


def said(*argv: object, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def builder() -> Path:
    return with_packages(PLACE, "builder", [BUILDER]) / "bin" / "ansible-builder"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection as users install it: from its tarball, below `ansible_collections`."""
    directory = tmp_path_factory.mktemp("installed")
    galaxy = Path(sys.prefix) / "bin" / "ansible-galaxy"
    said(galaxy, "collection", "build", "--output-path", directory, cwd=CHECKOUT)
    (archive,) = directory.glob("*.tar.gz")
    env = {"ANSIBLE_COLLECTIONS_PATH": str(directory)}
    said(galaxy, "collection", "install", "--offline", "-p", directory, archive, cwd=directory, env=env)
    return directory


def test_builder_finds_the_python_packages_and_no_system_package(
    builder: Path, installed: Path, tmp_path: Path
) -> None:
    pip, bindep = tmp_path / "pip.txt", tmp_path / "bindep.txt"
    shown = said(builder, "introspect", "--write-pip", pip, "--write-bindep", bindep, installed, cwd=tmp_path)
    assert "WARN" not in shown.upper()
    # the builder leaves out what ansible-core brings
    brought = [line for line in ours() if line.startswith("PyYAML")]
    assert sorted([*requirement_lines(pip.read_text(encoding="utf-8")), *brought]) == ours()
    assert not bindep.exists() or requirement_lines(bindep.read_text(encoding="utf-8")) == []


def test_builder_accepts_the_definition(builder: Path, tmp_path: Path) -> None:
    create = ("create", "-f", DEFINITION, "-c", tmp_path / "context", "--output-filename", "Containerfile")
    said(builder, *create, cwd=tmp_path)
    containerfile = (tmp_path / "context" / "Containerfile").read_text(encoding="utf-8")
    declared = dependencies()
    for kind in ("ansible_core", "ansible_runner"):
        assert declared[kind]["package_pip"] in containerfile
    assert declared["python_interpreter"]["python_path"] in containerfile
    assert "/usr/bin/microdnf" in containerfile
    collections = yaml.safe_load((tmp_path / "context" / "_build" / "requirements.yml").read_text(encoding="utf-8"))
    assert [each["name"] for each in collections["collections"]] == ["mcpops.platform"]


def test_the_core_of_the_image_is_a_supported_one() -> None:
    runtime = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    oldest = tuple(map(int, re.findall(r"\d+", runtime["requires_ansible"])[:2]))
    core = tuple(map(int, re.findall(r"\d+", dependencies()["ansible_core"]["package_pip"])[:2]))
    assert core >= oldest


def test_its_python_packages_are_few(installed: Path, tmp_path: Path) -> None:
    """As docs/execution-environment.md measures it: `du -sm` of the virtual environment, without pip itself."""
    environment = with_packages(PLACE, "image", of_the_image())
    megabytes = int(said("du", "-sm", "--exclude=pip*", environment, cwd=tmp_path).split()[0])
    page = (CHECKOUT / "docs" / "execution-environment.md").read_text(encoding="utf-8")
    stated = int(re.findall(r"\*\*(\d+) MB\*\*", page)[0])
    assert megabytes <= MOST_MEGABYTES
    assert abs(megabytes - stated) <= 15, f"the page says {stated} MB, it is {megabytes}"
    # what is in it runs the collection: every module documents itself, and a task imports Azure's libraries
    listed = said(
        environment / "bin" / "ansible-doc",
        *("--list", "--json", "mcpops.platform"),
        cwd=tmp_path,
        env={"ANSIBLE_COLLECTIONS_PATH": str(installed)},
    )
    assert len(json.loads(listed)) >= len(list((CHECKOUT / "plugins/modules").glob("*.py")))


ANSIBLE = "14.5.0"
"""The release of the package `ansible` with the collections of docs/execution-environment.md."""
OTHERS = ("azure.azcollection", "kubernetes.core")


def known_to_azure_cli(cloud: Any, directory: Path) -> dict[str, str]:
    """What makes azure-cli's list of clouds, by which azure.azcollection finds its own, that of the local Azure."""
    metadata = f"{cloud.environment['azure_endpoint']}/metadata/endpoints?api-version=2019-05-01"
    return {"ARM_CLOUD_METADATA_URL": metadata, "AZURE_CONFIG_DIR": str(directory / "azure")}


def test_it_fits_beside_other_collections(cloud: Any, cluster: Any, tmp_path: Path) -> None:
    """All requirements in one environment, and a module of each in one play."""
    collections = controller_options.collections(ANSIBLE, *OTHERS)
    needed = of_the_image()
    for name in OTHERS:
        file = collections / "ansible_collections" / name.replace(".", "/") / "requirements.txt"
        needed += requirement_lines(file.read_text(encoding="utf-8"))
    environment = with_packages(PLACE, "beside-others", needed, compiled=False)
    assert "No broken requirements" in said(environment / "bin/python", "-m", "pip", "check", cwd=tmp_path)
    group = {"name": "rg-integration"}
    run = run_tasks(
        [
            {
                "azure.azcollection.azure_rm_resourcegroup_info": {
                    **group,
                    **cloud.auth(),
                    "auth_source": "auto",
                    "disable_instance_discovery": True,
                }
            },
            {
                "mcpops.platform.azure_resource_info": {
                    "type": "Microsoft.Resources/resourceGroups",
                    **group,
                    **cloud.auth(),
                }
            },
            {"kubernetes.core.k8s_info": {"kind": "Namespace", "kubeconfig": str(cluster.kubeconfig)}},
            {"mcpops.platform.k8s_objects_info": {"kind": "Namespace", "kubeconfig": str(cluster.kubeconfig)}},
        ],
        play={"environment": {**cloud.process_environment(), **known_to_azure_cli(cloud, tmp_path)}},
        hosts={"local": {"ansible_connection": "local", "ansible_python_interpreter": str(environment / "bin/python")}},
        collections=[collections],
        programs=environment / "bin",
    ).ok()
    theirs, ours_too, their_names, our_names = (entry["result"] for entry in run.results)
    assert theirs["resourcegroups"][0]["name"] == group["name"]
    assert ours_too["resources"][0]["name"] == group["name"]
    listed = {each["metadata"]["name"] for each in their_names["resources"]}
    assert listed == {each["metadata"]["name"] for each in our_names["objects"]}
