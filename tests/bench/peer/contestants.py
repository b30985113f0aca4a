# SPDX-License-Identifier: GPL-3.0-or-later
"""Three ways to the same state, each on a cluster of its own: our site.yml, kubernetes.core's modules, a runbook."""

from __future__ import annotations

import base64
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from support.playbook import CHECKOUT

from bench.peer import environment
from bench.site import CLUSTER, Site
from localcloud.binaries import kmcp_version
from localcloud.images.catalog import ECHO_MCP
from localcloud.kube.backend import LocalClusters

HERE = Path(__file__).parent
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "peer", "version": "1"}},
}


@dataclass(frozen=True)
class Outcome:
    returncode: int
    output: str
    changed: int  # tasks that say so; 0 for a runbook, which does not say
    wall: float
    cpu: float  # seconds, of the program and all it started


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@dataclass
class Contestant:
    name: str
    kubeconfig: Path
    kubectl_binary: str
    run_argv: Sequence[str | Path]
    variables: Mapping[str, str] = field(default_factory=dict)
    check_arguments: Sequence[str] = ()

    def kubectl(self, *arguments: str, stdin: Any = None, check: bool = True) -> str:
        done = subprocess.run(
            [self.kubectl_binary, "--kubeconfig", self.kubeconfig, *arguments],
            input=None if stdin is None else json.dumps(stdin),
            capture_output=True,
            text=True,
            check=check,
        )
        return done.stdout

    def run(self, *arguments: str) -> Outcome:
        # the caller's own settings; and with the last one no library of any contestant would be compiled once
        foreign = ("ANSIBLE_", "K8S_AUTH_", "PYTHONDONTWRITEBYTECODE")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        before, started = _children_cpu(), time.perf_counter()
        done = subprocess.run(
            [*map(str, self.run_argv), *arguments],
            cwd=CHECKOUT,
            env={**clean, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "false", **self.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        lines = done.stdout.splitlines()
        changed = sum(line.startswith("changed:") for line in lines)
        wall = time.perf_counter() - started
        return Outcome(done.returncode, done.stdout, changed, wall, _children_cpu() - before)

    def check(self) -> Outcome | None:
        """What would change; None for the runbook, which cannot say."""
        return self.run(*self.check_arguments) if self.check_arguments else None


def ours(site: Site) -> Contestant:
    argv: list[str | Path] = [Path(sys.executable).parent / "ansible-playbook", "-i", "inventories/local", "site.yml"]
    argv += ["--tags", "setup,kmcp,mcp,verify"]
    # the same work as the others': they have one server
    one = {
        "mcpops_mcp_servers": [{"name": "echo", "image": "{{ mcpops_registry }}/" + ECHO_MCP, "port": 3000}],
        "mcpops_mcp_calls": [{"server": "echo", "tool": "echo", "arguments": {"text": "hello"}, "expect": "hello"}],
    }
    argv += ["-e", json.dumps(one)]
    kubectl = site.environment()["kubectl"]
    return Contestant(CLUSTER, site.kubeconfig, kubectl, argv, {}, ("--check", "--diff"))


def our_variables(site: Site, scratch: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """What ours.yml is told and the environment it runs in: the state of our site's cluster."""
    shared = shared_variables(site, scratch)
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "app.kubernetes.io/managed-by": "mcpops"}
    variables = {
        **shared,
        "ansible_python_interpreter": sys.executable,
        "kubeconfig": str(site.kubeconfig),
        "kmcp_values": json.loads(Path(shared["values_file"]).read_text()),
        "namespaces": [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
            for name in ("kmcp-system", "mcp")
        ],
        "servers": [{"name": "echo", "image": f"{site.settings.registry}/{ECHO_MCP}", "port": 3000}],
    }
    return variables, {"SSL_CERT_FILE": shared["registry_ca_file"], "NO_PROXY": f"127.0.0.1,{site.settings.network}"}


def our_modules(site: Site, scratch: Path) -> Contestant:
    """The peer's play task by task with our modules, on the cluster of our site: what the modules alone cost, without
    the site's validation, lease and report."""
    variables, environ = our_variables(site, scratch)
    argv: list[str | Path] = [Path(sys.executable).parent / "ansible-playbook"]
    argv += ["-i", "localhost,", "-c", "local", HERE / "ours.yml"]
    argv += ["-e", f"@{_write(scratch, 'our-variables.json', variables)}"]
    kubectl = site.environment()["kubectl"]
    return Contestant("our modules", site.kubeconfig, kubectl, argv, environ, ("--check", "--diff"))


def empty(ref: Contestant) -> Contestant:
    """An empty playbook with the ansible-core, the configuration and the environment of one of them."""
    argv = [ref.run_argv[0], "-i", "localhost,", "-c", "local", HERE / "empty.yml"]
    return replace(ref, name=f"empty playbook, as {ref.name}", run_argv=argv, check_arguments=())


def shared_variables(site: Site, scratch: Path) -> dict[str, str]:
    """What all are told: the objects and values that our site has, in files."""
    live = json.loads(ours(site).kubectl("-n", "mcp", "get", "mcpserver", "echo", "-o", "json"))
    spec = live["spec"]
    server = {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {"name": "echo", "namespace": "mcp"},
        # their clusters may pull from the registry of everybody, and not from that of our platform
        "spec": {**spec, "deployment": {**spec["deployment"], "image": f"{site.settings.registry}/{ECHO_MCP}"}},
    }
    assert spec["deployment"]["image"].partition("@")[0].endswith(ECHO_MCP)
    probe = {"initialDelaySeconds": 1, "periodSeconds": 1}
    return {
        "charts": f"oci://{site.settings.registry}/kagent-dev/kmcp/helm",
        "kmcp_version": kmcp_version(),
        "registry_ca_file": str(site.settings.ca_file),
        "mcp_server_file": str(_write(scratch, "mcp-server.yaml", server)),
        "values_file": str(_write(scratch, "values.yaml", {"controller": {"healthProbe": {"readinessProbe": probe}}})),
    }


def _write(directory: Path, name: str, content: Any) -> Path:
    path = directory / name
    path.touch(mode=0o600)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


class Others:
    """The clusters and files of the two others; `close` removes the clusters."""

    NAMES = ("bench-peer", "bench-runbook")

    def __init__(self, site: Site, scratch: Path) -> None:
        self.site, self.scratch = site, scratch
        self.clusters = LocalClusters(site.settings)
        self.programs = environment.ensure()
        self.variables = shared_variables(site, scratch)

    def close(self) -> None:
        for name in self.NAMES:
            self.clusters.delete(name)

    def kubeconfig(self, name: str) -> Path:
        self.clusters.create(name, self.clusters.default_version())
        return self.file(f"{name}.kubeconfig", self.clusters.admin_kubeconfig(name))

    def file(self, name: str, content: Any) -> Path:
        return _write(self.scratch, name, content)

    def peer(self) -> Contestant:
        kubeconfig = self.kubeconfig("bench-peer")
        content = json.loads(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]

        def decoded(name: str, value: str) -> str:
            return str(self.file(name, base64.b64decode(value)))

        variables = {
            **self.variables,
            "ansible_python_interpreter": str(self.programs / "python"),
            "kubeconfig": str(kubeconfig),
            "helm": self.site.environment()["helm"],
            "kmcp_values": json.loads(Path(self.variables["values_file"]).read_text()),
            "api_server": cluster["server"],
            "cluster_ca_file": decoded("peer-ca.crt", cluster["certificate-authority-data"]),
            "client_cert": decoded("peer.crt", user["client-certificate-data"]),
            "client_key": decoded("peer.key", user["client-key-data"]),
            "mcp_hello": HELLO,
        }
        argv: list[str | Path] = [
            self.programs / "ansible-playbook",
            "-i",
            "localhost,",
            "-c",
            "local",
            HERE / "play.yml",
        ]
        argv += ["-e", f"@{self.file('peer-variables.json', variables)}"]
        # not our ansible.cfg, and not our collections; the module has no option for the registry's authority
        environ = {
            "SSL_CERT_FILE": self.variables["registry_ca_file"],
            "ANSIBLE_CONFIG": str(self.file("ansible.cfg", b"")),
            "NO_PROXY": f"127.0.0.1,{self.site.settings.network}",
        }
        kubectl = self.site.environment()["kubectl"]
        return Contestant("kubernetes.core", kubeconfig, kubectl, argv, environ, ("--check", "--diff"))

    def runbook(self) -> Contestant:
        kubeconfig = self.kubeconfig("bench-runbook")
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        namespaces = {
            "apiVersion": "v1",
            "kind": "List",
            "items": [
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
                for name in ("kmcp-system", "mcp")
            ],
        }
        tools = str(Path(self.site.environment()["helm"]).parent)
        environ = {
            "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}",
            "KUBECONFIG": str(kubeconfig),
            "NAMESPACES": str(self.file("namespaces.json", namespaces)),
            "CHARTS": self.variables["charts"],
            "KMCP_VERSION": self.variables["kmcp_version"],
            "REGISTRY_CA_FILE": self.variables["registry_ca_file"],
            "VALUES": self.variables["values_file"],
            "MCP_SERVER": self.variables["mcp_server_file"],
            "NO_PROXY": f"127.0.0.1,{self.site.settings.network}",
        }
        return Contestant(
            "runbook", kubeconfig, self.site.environment()["kubectl"], ["bash", HERE / "runbook.sh"], environ
        )
