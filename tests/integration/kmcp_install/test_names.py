# SPDX-License-Identifier: GPL-3.0-or-later
"""KMCP whose charts, releases and image are called otherwise: all that looks for it finds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import workloads
from support.mirror import mirror

from ansible_collections.mcpops.platform.plugins.filter.site_report import site_report
from ansible_collections.mcpops.platform.plugins.modules import k8s_diagnosis_info

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.usefixtures("nothing")]

NAMESPACE = "kmcp-system"
CRD = "mcpservers.kagent.dev"
RELEASES = {"kmcp_crds_release_name": "tool-definitions", "kmcp_release_name": "tool-servers"}
OF_THE_MODULE = {"crds_release_name": "tool-definitions", "release_name": "tool-servers"}
GONE = {"state": "absent", "delete_crds": True, "delete_servers": True, **OF_THE_MODULE}
Run = Callable[..., dict[str, Any]]
Names = dict[str, Any]


@pytest.fixture
def role(run_all: Callable[..., Any], cloud: Any, cluster: Any) -> Callable[..., Any]:
    """`role("kmcp", variables, check=)` -> the Run of a play that has this role only."""

    def run(name: str, variables: Names, **options: Any) -> Any:
        common = {
            "mcpops_kubeconfig": str(cluster.kubeconfig),
            "mcpops_registry_ca_file": cloud.environment["registry_ca_file"],
            **variables,
        }
        task = {"name": name, "ansible.builtin.import_role": {"name": f"mcpops.platform.{name}"}}
        return run_all([task], host=common, **options)

    return run


@pytest.fixture
def copied(cloud: Any) -> Names:
    """As az acr import leaves it: other names and paths, and the charts call themselves what they always did."""
    mirror(cloud, "kagent-dev/kmcp/helm/kmcp-crds", "platform/charts/definitions/mcp", "0.3.0")
    mirror(cloud, "kagent-dev/kmcp/helm/kmcp", "platform/charts/tool-controller", "0.3.0")
    mirror(cloud, "kagent-dev/kmcp/controller", "platform/images/tool-controller", "0.3.0")
    return {
        **RELEASES,
        "kmcp_chart_repository": f"oci://{cloud.registry}/platform/charts",
        "kmcp_crds_chart": "definitions/mcp",
        "kmcp_controller_chart": "tool-controller",
        "kmcp_image_repository": f"{cloud.registry}/platform/images/tool-controller",
        "kmcp_values": {"nameOverride": "tools"},
    }


@pytest.fixture
def renamed(cloud: Any, charts: Callable[..., Path]) -> Names:
    """As somebody repackages it: not one label and not the image says KMCP."""

    def rename(_definition: Any, controller: Path) -> None:
        for place, name in ((controller, "tool-controller"), (controller.parent / "kmcp-crds", "tool-definitions")):
            described = yaml.safe_load((place / "Chart.yaml").read_text())
            (place / "Chart.yaml").write_text(yaml.safe_dump({**described, "name": name}))

    mirror(cloud, "kagent-dev/kmcp/controller", "platform/images/tool-controller", "0.3.0")
    return {
        **RELEASES,
        "kmcp_chart_repository": str(charts("0.3.0", rename)),
        "kmcp_crds_chart": "tool-definitions",
        "kmcp_controller_chart": "tool-controller",
        "kmcp_image_repository": f"{cloud.registry}/platform/images/tool-controller",
    }


def controllers(cluster: Any) -> list[str]:
    found = cluster.get("deployment", "-n", NAMESPACE, "-l", "control-plane=controller-manager")["items"]
    return [item["metadata"]["name"] for item in found]


@pytest.mark.parametrize("names", ["copied", "renamed"])
def test_everything_finds_kmcp_by_what_it_is(
    names: str,
    request: pytest.FixtureRequest,
    cluster: Any,
    cloud: Any,
    namespace: str,
    role: Callable[..., Any],
    direct: Run,
    run_task: Run,
    put_server: Callable[..., str],
    tmp_path: Path,
) -> None:
    variables = request.getfixturevalue(names)
    done = role("kmcp", variables).ok().last
    try:
        assert done["changed"]
        assert [release["name"] for release in done["releases"].values()] == ["tool-definitions", "tool-servers"]
        [name] = controllers(cluster)
        assert name.startswith("tool-servers")
        again = role("kmcp", variables).ok().last
        assert not again["changed"], again["msg"]

        # drift
        argument = '[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--zap-log-level=debug"}]'
        cluster.kubectl("patch", "deployment", name, "-n", NAMESPACE, "--type=json", "-p", argument)
        planned = role("kmcp", variables, check=True).ok().last
        assert "--zap-log-level=debug" in str(planned["diff"])
        assert role("kmcp", variables).ok().last["changed"]

        # verification
        verified = role("site_verify", {**variables, "site_verify_servers": []}).ok()
        read = verified.of("test", "mcpops.platform.site_verify : Read what the report shows")
        [_header, row, *_rest] = site_report([{"inventory_hostname": "test", "site_verify_read": read, **variables}])
        assert row.split()[-1] == "0.3.0"

        # waiting and diagnosis, with a controller that is down
        cluster.kubectl("scale", "deployment", name, "-n", NAMESPACE, "--replicas=0")
        gone_pods = ("wait", "pod", "-n", NAMESPACE, "-l", "control-plane=controller-manager", "--for=delete")
        cluster.kubectl(*gone_pods, check=False)
        waiting = {"name": "waiting", "namespace": namespace, "image": f"{cloud.registry}/echo-mcp:1.0.0"}
        failed = run_task("mcp_server", {**waiting, "wait_timeout": 5}, fails=True)
        assert f"the KMCP controller {NAMESPACE}/{name} has no available pod" in failed["msg"]
        where = {"namespaces": [namespace, NAMESPACE], "cluster_scope": True}
        # a run of its own: that of the fixtures learned what the cluster serves before KMCP was there
        found = workloads.run(k8s_diagnosis_info, cluster.kubeconfig, tmp_path / "diagnosis", **where)
        assert f"ControllerDown/{NAMESPACE}/Deployment/{name}" in [one["id"] for one in found["findings"]], found[
            "looked_at"
        ]

        # another name beside it
        second = direct({**_upstream(cloud), **OF_THE_MODULE, "release_name": "second"}, check=True)
        assert any(f"of release {NAMESPACE}/tool-servers" in reported for reported in second["warnings"])

        # ownership, and the way back
        other = direct({"wait_timeout": 60, **_upstream(cloud)}, fails=True)
        assert f"crds_release_name: {OF_THE_MODULE['crds_release_name']}" in other["msg"]
        refused = direct({"state": "absent", **OF_THE_MODULE}, fails=True)
        assert f"the controller of 1 MCPServer: {namespace}/waiting" in refused["msg"]
    finally:
        gone = direct(GONE, fails=None)
    assert gone["changed"]
    assert controllers(cluster) == []
    assert not cluster.kubectl("get", "crd", CRD, "--ignore-not-found", "-o", "name")


def _upstream(cloud: Any) -> dict[str, Any]:
    return {
        "chart_repository": f"oci://{cloud.registry}/kagent-dev/kmcp/helm",
        "ca_file": cloud.environment["registry_ca_file"],
    }
