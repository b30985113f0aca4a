# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import os
import socket

import pytest

from localcloud import doctor
from localcloud.settings import Settings


@pytest.mark.parametrize(
    ("text", "version"),
    [("go version go1.26.8 linux/amd64", (1, 26, 8)), ("go1.26", (1, 26)), ("devel", ())],
)
def test_versions_are_found_in_what_programs_say(text: str, version: tuple[int, ...]) -> None:
    assert doctor.version_of(text) == version


@pytest.mark.parametrize(
    "finding",
    [
        doctor.check_python((3, 10, 9)),
        doctor.check_go(None),
        doctor.check_go("go version go1.19.8 linux/amd64"),
        doctor.check_command("no-such-command", "some-package", lambda _: None),
        doctor.check_release("ubuntu 24.04"),
        doctor.check_root(1000, lambda _: None),
        doctor.check_kernel("nodev\toverlay\n", {"pid", "mnt", "net", "ipc", "uts"})[0],
        doctor.check_kernel("nodev\ttmpfs\n", {"pid", "mnt", "net", "ipc", "uts", "cgroup"})[1],
        doctor.check_memory("MemTotal:        1000000 kB\n"),
    ],
    ids=lambda finding: finding.subject,
)
def test_every_problem_has_a_remedy(finding: doctor.Finding) -> None:
    assert finding.problem
    assert finding.remedy
    assert f"-> {finding.remedy}" in doctor.render([finding])


@pytest.mark.parametrize(
    "finding",
    [
        doctor.check_python((3, 13, 0)),
        doctor.check_go("go version go9.0.1 linux/amd64"),
        doctor.check_command("bash", "bash"),
        doctor.check_release("debian 12"),
        doctor.check_root(0, lambda _: None),
        doctor.check_root(1000, lambda _: "/usr/bin/sudo"),
        *doctor.check_kernel("nodev\toverlay\n", set(os.listdir("/proc/self/ns"))),
        doctor.check_memory("MemTotal:        8000000 kB\n"),
    ],
    ids=lambda finding: finding.subject,
)
def test_what_is_there_is_no_problem(finding: doctor.Finding) -> None:
    assert not finding.problem


def test_disk_is_only_needed_for_the_first_build(cloud_settings: Settings) -> None:
    assert doctor.check_disk(cloud_settings, doctor.GIGABYTE).problem
    (cloud_settings.cache / "bin").mkdir()
    assert not doctor.check_disk(cloud_settings, doctor.GIGABYTE).problem


def test_a_port_of_another_program_is_named(cloud_settings: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        settings = dataclasses.replace(cloud_settings, azure_port=port)
        finding = doctor.check_port(settings, "azure", "127.0.0.1", port, "LOCALCLOUD_AZURE_PORT")
    assert finding.problem and "LOCALCLOUD_AZURE_PORT" in finding.remedy
