# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import io
import re
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from localcloud import binaries
from localcloud.extra_images import CHARTS
from localcloud.images import gateway
from localcloud.registry.charts import package_path
from localcloud.settings import Settings


def test_the_controller_says_which_version_it_is() -> None:
    # without it the program calls itself by no version, and its chart's hooks run another one
    flags = binaries.link_flags(gateway.CONTROLLER)
    assert f"envoyGatewayVersion={gateway.CONTROLLER.version}" in flags and gateway.GATEWAY.endswith(":v1.9.1")


def test_every_program_has_a_build_of_its_own() -> None:
    keys = {(program.name, binaries.build_key(program, "go1")) for program in gateway.PROGRAMS}
    assert len(keys) == len({name for name, _ in keys}) == len({key for _, key in keys}) == 4


def test_the_values_of_the_gateway_are_filled(tmp_path: Path) -> None:
    (tmp_path / "values.tmpl.yaml").write_text("image: ${GatewayImage}\npullPolicy: ${GatewayImagePullPolicy}\n")
    gateway._finish_gateway(tmp_path, tmp_path)
    assert yaml.safe_load((tmp_path / "values.yaml").read_text()) == {
        "image": f"docker.io/{gateway.GATEWAY}",
        "pullPolicy": "IfNotPresent",
    }
    assert not (tmp_path / "values.tmpl.yaml").exists()


def test_the_chart_of_cert_manager_has_a_name_and_its_definitions(tmp_path: Path) -> None:
    chart, sources = tmp_path / "chart", tmp_path / "deploy"
    (chart / "templates").mkdir(parents=True)
    (sources / "crds").mkdir(parents=True)
    lines = ["name: c", "annotations:", '  artifacthub.io/prerelease: "{{IS_PRERELEASE}}"', ""]
    (chart / "Chart.template.yaml").write_text("\n".join(lines))
    for kind in ("issuers", "orders"):
        (sources / "crds" / f"crd-{kind}.yaml").write_text(f"kind: {kind}\n")
    (sources / "crds" / "README.md").write_text("no definition")
    gateway._finish_cert_manager(chart, sources)
    assert yaml.safe_load((chart / "Chart.yaml").read_text()) == {"name": "c"}
    text = (chart / "templates" / "crds.yaml").read_text()
    condition, *_, end = text.splitlines()
    assert (condition, end) == ("{{- if .Values.installCRDs }}", "{{- end }}")
    assert re.findall(r"^kind: (.*)$", text, re.MULTILINE) == ["issuers", "orders"]


@pytest.mark.parametrize("chart", CHARTS["gateway"], ids=lambda chart: chart.name)
def test_a_package_is_made_again_when_its_making_changes(cloud_settings: Settings, chart: gateway.Chart) -> None:
    assert package_path(cloud_settings, [chart]) != package_path(cloud_settings, [replace(chart, recipe="other")])


def test_the_controller_has_a_place_for_what_it_tells_envoy(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"x")
    *_program, temporary = gateway._gateway(tmp_path / "program").layers()
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(temporary.content))) as archive:
        assert [(one.name, one.isdir(), one.mode) for one in archive] == [("tmp", True, 0o1777)]
