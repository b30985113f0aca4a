# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets among objects, values and properties: nothing shows them, whichever way a task runs and is shown."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gate.stages import CORES
from support.canaries import Left, hosts, watched
from support.playbook import CHECKOUT
from support.ssh_server import ssh_server

from ..conftest import SHARED_GROUP, Cloud, Cluster, play_options

pytestmark = pytest.mark.integration

CHART = CHECKOUT / "tests/integration/helm_release/charts/greeting"
GROUP = {"resource_group": SHARED_GROUP, "location": "eastus2"}
KINDS = (
    "data stringdata listed text templated file refused login loginfile urlpart config variable argument value extra "
    "wholly sizes rendered property vaultsecret cluster server sidecar"
)
CANARY = {kind: f"canary-{kind}-9c1e" for kind in KINDS.split()}


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(name: str, **fields: Any) -> dict[str, Any]:
    # a host for each adapter, all in one namespace
    metadata = {"name": f"{{{{ inventory_hostname }}}}-{name}"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **fields}


LOGIN = {"auths": {"registry.example.com": {"auth": base64_of(f"joe:{CANARY['loginfile']}"), "username": "joe"}}}
CONFIG = f"level: info\npassword: {CANARY['config']}\n"
TEMPLATE = (
    "apiVersion: v1\nkind: Secret\nmetadata: {name: '{{ inventory_hostname }}-t'}\nstringData: {x: '{{ held.t }}'}\n"
)
CONTAINER = {
    "name": "main",
    "image": "registry.example.com/a:1",
    "env": [{"name": "DB_PWD", "value": CANARY["variable"]}],
    "args": ["--admin-password", CANARY["argument"]],
}


def given(directory: Path, suffix: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Task: (module, options). They are variables, as an inventory or a vault has them.

    `suffix` makes names in Azure, where all hosts share a group, those of one way.
    """
    (directory / "held.yaml").write_text(
        json.dumps({**secret("file", stringData={"x": CANARY["file"]}), "metadata": {"name": "f"}})
    )
    (directory / "held.yaml.j2").write_text(TEMPLATE)
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "{{ inventory_hostname }}-d"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}},
        },
    }
    listed = {"apiVersion": "v1", "kind": "List", "items": [secret("l", stringData={"some.key": CANARY["listed"]})]}
    objects = [
        secret("a", data={"one": base64_of(CANARY["data"])}, stringData={"two": CANARY["stringdata"]}),
        secret("r", type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": base64_of(json.dumps(LOGIN))}),
        listed,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "{{ inventory_hostname }}-c"},
            "data": {"app.yaml": CONFIG, "url": f"postgres://app:{CANARY['urlpart']}@db.example.com/x"},
        },
        deployment,
    ]
    broken = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"type": CANARY["refused"], "ports": [{"port": 80}]},
    }
    release = {
        "name": "{{ inventory_hostname }}",
        "chart_ref": str(CHART),
        "wait": False,
        "values": {
            "password": CANARY["rendered"],
            "image": "registry.example.com/a:1",
            "dbPwd": CANARY["value"],
            "extraObjects": [secret("e", stringData={"x": CANARY["extra"]})],
        },
    }
    refuse = {**release, "values": {**release["values"], "refuse": f"not with {CANARY['rendered']}"}}
    return {
        "objects": ("k8s_objects", {"definitions": objects}),
        "objects changed": (
            "k8s_objects",
            {"definitions": [{**secret("a"), "data": {"one": base64_of("another-value")}}]},
        ),
        "a text": ("k8s_objects", {"definitions": json.dumps(secret("x", stringData={"x": CANARY["text"]}), indent=1)}),
        "a template": ("k8s_objects", {"template": str(directory / "held.yaml.j2")}),
        "a file": ("k8s_objects", {"src": str(directory / "held.yaml")}),
        "refused": ("k8s_objects", {"definitions": [broken, secret("b", stringData={"x": CANARY["refused"]})]}),
        "release": ("helm_release", release),
        "release refused": ("helm_release", refuse),
        "release secret": (
            "helm_release",
            {
                **release,
                "values": {"text": CANARY["wholly"], "image": "x", "sizes": [CANARY["sizes"]]},
                "values_secret": True,
            },
        ),
        # what stood was secret, and is not because this task does not say so
        "release open": ("helm_release", {**release, "values": {"text": ["open"], "image": "x"}}),
        "property": (
            "azure_resource",
            {
                "type": "Microsoft.Compute/virtualMachines",
                "name": f"vm-{suffix}",
                **GROUP,
                "api_version": "2024-07-01",
                "update_method": "patch",
                "properties": {"osProfile": {"adminUsername": "joe", "adminPassword": CANARY["property"]}},
            },
        ),
        "vault": (
            "azure_resource",
            {
                "type": "Microsoft.KeyVault/vaults/secrets",
                "name": f"kv-{suffix}/one",
                "resource_group": SHARED_GROUP,
                "api_version": "2023-07-01",
                "update_method": "put_declared",
                "properties": {"value": CANARY["vaultsecret"]},
            },
        ),
        "cluster": (
            "aks_cluster",
            {
                "name": "x",
                **GROUP,
                "node_pools": [{"name": "s", "mode": "System", "vm_size": "Standard_X"}],
                "properties": {"windowsProfile": {"adminPassword": CANARY["cluster"]}},
            },
        ),
        "server": (
            "mcp_server",
            {
                "name": "{{ inventory_hostname }}",
                "image": "registry.example.com/a:1",
                "env": {"STORAGE_ACCOUNT_KEY": CANARY["server"]},
                "sidecars": [{"name": "s", "image": "x", "env": [{"name": "PASSPHRASE", "value": CANARY["sidecar"]}]}],
            },
        ),
    }


@dataclass(frozen=True)
class Way:
    """How the tasks are run and shown."""

    callback: str = "default"
    check: bool = False
    core: str = ""
    adapters: tuple[str, ...] = ("in-process", "connection", "become", "async", "ssh")


def _ways() -> Iterator[Any]:
    # that the adapters are the same for every module is seen at every gate by tests/contract/ansible
    yield pytest.param(Way(adapters=("in-process", "connection")), id="default")
    for way in (Way("minimal"), Way("runner", check=True)):
        yield pytest.param(way, id=f"{way.callback}-{'check' if way.check else 'apply'}", marks=pytest.mark.slow)
    # the other callbacks on each core: there as well
    for core in CORES:
        yield pytest.param(Way("runner", core=core), id=core, marks=pytest.mark.slow)


def _interpreter(core: str) -> str:
    """The Python of an environment with this ansible-core, made as `make matrix` makes it."""
    if not core:
        return sys.executable
    argv = [CHECKOUT / "tests/gate/bootstrap.sh", "python", "-c", "import sys; print(sys.executable)"]
    environment = {**os.environ, "MCPOPS_CORE": core, "MCPOPS_PYTHONS": CORES[core], "MCPOPS_PYTHON": ""}
    return subprocess.run(argv, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture(scope="module", params=_ways())
def left(
    request: pytest.FixtureRequest,
    cloud: Cloud,
    cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Way, Left]]:
    way: Way = request.param
    # every way begins with nothing: what another has made differs in nothing
    suffix = uuid.uuid4().hex[:6]
    namespace = f"it-secrets-{suffix}"
    cluster.kubectl("create", "namespace", namespace)
    tasks = given(tmp_path_factory.mktemp("declared"), suffix)
    play = play_options(cloud, cluster.kubeconfig, None)
    namespaced = ("k8s_objects", "helm_release", "mcp_server")
    held = {
        name: {**options, "namespace": namespace} if module in namespaced else options
        for name, (module, options) in tasks.items()
    }
    interpreter = _interpreter(way.core)
    with ssh_server(tmp_path_factory.mktemp("keys")) as ssh:
        left = watched(
            [
                {
                    "name": name,
                    f"mcpops.platform.{module}": f"{{{{ given['{name}'] }}}}",
                    "async": "{{ seconds | default(0) }}",
                    "poll": 1,
                    "ignore_errors": True,
                }
                for name, (module, _options) in tasks.items()
            ],
            tmp_path_factory.mktemp("left"),
            play=play,
            on={
                name: {**host, "given": held, "held": {"t": CANARY["templated"]}}
                for name, host in hosts(interpreter, ssh).items()
                if name in way.adapters
            },
            callback=way.callback,
            check=way.check,
            interpreter=interpreter,
        )
    yield way, left
    cluster.kubectl("delete", "namespace", namespace, "--wait=false", check=False)
    for adapter in way.adapters:
        cluster.kubectl("delete", "clusterrole", f"{namespace}-{adapter}", check=False)


def test_every_task_came_to_where_it_was_to_come(left: tuple[Way, Left]) -> None:
    way, what = left
    for adapter in way.adapters:
        ended = {one["task"]: one["status"] for one in what.run.results if one["host"] == adapter}
        right = (
            "objects",
            "objects changed",
            "a text",
            "a template",
            "a file",
            "release",
            "release secret",
            "release open",
        )
        assert {name: ended[name] for name in right} == dict.fromkeys(right, "ok"), what.run.output
        wrong = ("refused", *(() if way.check else ("release refused",)))
        assert {name: ended[name] for name in wrong} == dict.fromkeys(wrong, "failed"), what.run.output


def test_nothing_shows_a_canary(left: tuple[Way, Left]) -> None:
    assert left[1].leaks(CANARY.values()) == []


def test_names_and_settings_can_still_be_read(left: tuple[Way, Left]) -> None:
    way, what = left
    for adapter in way.adapters:
        rows = what.run.of(adapter, "objects")["objects"]
        assert [row["name"] for row in rows] == [f"{adapter}-{name}" for name in ("a", "r", "l", "c", "d")]
        assert (
            'data."app.yaml": "level: info\\npassword: ********\\n"'
            in what.run.of(adapter, "objects")["diff"][3]["after"]
        )
