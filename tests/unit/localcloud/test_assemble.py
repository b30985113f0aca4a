# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from localcloud.assemble import link, remove_unfinished
from localcloud.settings import Settings


def test_what_a_killed_build_left_goes_and_what_is_finished_stays(cloud_settings: Settings) -> None:
    for name in ("bin/kube-1", "bin/.kube-2.tmp", "go-caches/modules"):
        (cloud_settings.cache / name).mkdir(parents=True)
    remove_unfinished(cloud_settings)
    left = sorted(path.relative_to(cloud_settings.cache).as_posix() for path in cloud_settings.cache.rglob("*"))
    assert left == ["bin", "bin/kube-1"]


def test_a_link_is_replaced(cloud_settings: Settings) -> None:
    target = cloud_settings.tools / "kubectl"
    for name in ("one", "two"):
        link(cloud_settings.cache / name, target)
        assert target.readlink() == cloud_settings.cache / name
