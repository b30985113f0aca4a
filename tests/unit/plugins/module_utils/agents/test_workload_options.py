# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option and suboption of agent_workload and agent_workload_info has a value that is refused, before a cluster is
asked, and one at the limit that is not. What has a type or choices of its own is refused by these."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest
from support import refused
from support.local_azure import FakeTask

from ansible_collections.mcpops.platform.plugins.module_utils.agents.workload_spec import DeclaredWorkload, Place
from ansible_collections.mcpops.platform.plugins.module_utils.agents.workload_validate import workload_warnings
from ansible_collections.mcpops.platform.plugins.module_utils.errors import InvalidInput
from ansible_collections.mcpops.platform.plugins.module_utils.kube.kubeconfig import kubernetes_argument_spec
from ansible_collections.mcpops.platform.plugins.modules import agent_workload, agent_workload_info

# which all modules of Kubernetes share: tests/unit/plugins/module_utils/kube/test_options.py
CONNECTION = kubernetes_argument_spec()
GUID = "11111111-2222-3333-4444-555555555555"
LEAST: dict[ModuleType, dict[str, Any]] = {
    agent_workload: {"namespace": "agents", "agents": [{"name": "a", "image": "i:1"}]},
    agent_workload_info: {"namespace": "agents", "agents": [{"name": "a"}]},
}
MODULES = {module.__name__.rpartition(".")[2]: module for module in LEAST}
PASSED_ON = {"agents[].command", "agents[].args", "agents[].files[].text"}
"""Whatever they are becomes text."""
SCALING = {"min_replicas": 2, "max_replicas": 4, "cpu_percent": 70}


def agent(**options: Any) -> dict[str, Any]:
    return {"agents": [{"name": "a", "image": "i:1", **options}]}


def file(**options: Any) -> dict[str, Any]:
    return agent(files=[{"path": "/app/a.toml", **options}])


def secrets(backend: str, **options: Any) -> dict[str, Any]:
    return agent(secrets={"backend": backend, **options})


def identity(**options: Any) -> dict[str, Any]:
    return agent(identity={"client_id": GUID, **options})


def monitoring(**options: Any) -> dict[str, Any]:
    return agent(monitoring={"group": "monitoring.coreos.com", **options})


def call(**options: Any) -> dict[str, Any]:
    return {"calls": [{"agent": "a", "path": "/chat", **options}]}


def edges(option: str) -> list[refused.Row]:
    """Of a list of those who call, or are called."""

    def one(**edge: Any) -> dict[str, Any]:
        *above, last = option.split(".")
        rows = {last: [edge]}
        return monitoring(**rows) if above else agent(**rows)

    place = f"agents[0].{option}[0]"
    return [
        (one(), place, "selects no peer"),
        (one(namespace="-"), f"{place}.namespace", "is not a valid namespace name"),
        (one(namespace_labels={"a b": "c"}), f"{place}.namespace_labels.a b", "is not a valid"),
        (one(pod_labels={"a": "b c"}), f"{place}.pod_labels.a", "is not a valid"),
        (one(cidr="10.0.0.0"), f"{place}.cidr", "is not a range"),
        (one(cidr="10.0.0.0/8", **{"except": ["11.0.0.0/8"]}), f"{place}.except[0]", "is not inside"),
        (one(namespace="mcp", ports=[0]), f"{place}.ports[0]", "is not a port"),
    ]


WORKLOAD: list[refused.Row] = [
    ({"namespace": "-"}, "namespace", "is not a valid namespace name"),
    ({"set_name": "a b"}, "set_name", "is not a valid"),
    ({"set_name": ""}, "set_name", "is empty"),
    ({"api_server_cidrs": ["10.0.0.1"]}, "api_server_cidrs[0]", "is not a range"),
    ({"image_digests": {"a": "b"}}, "image_digests.a", "is not an image with a tag"),
    ({"prune": True}, "prune", "needs set_name"),
    ({"prune": True, "set_name": "a", "state": "absent"}, "prune", "belongs to state: present"),
    ({"prune_max_percent": 101}, "prune_max_percent", "is not a percentage"),
    ({"wait_timeout": -1}, "wait_timeout", ""),
    (agent(name="A"), "agents[0].name", "is not a valid agent name"),
    (agent(name="a" * 53), "agents[0].name", "is not a valid agent name"),
    ({"agents": [{"name": "a", "image": "i:1"}, {"name": "a", "image": "i:1"}]}, "agents[1].name", "declared twice"),
    (agent(namespace="-"), "agents[0].namespace", "is not a valid namespace name"),
    (agent(version="a b"), "agents[0].version", "is not a valid"),
    (agent(image=""), "agents[0].image", "is needed"),
    (agent(image="A B"), "agents[0].image", "is not a valid image reference"),
    (agent(image_pull_secrets=["A"]), "agents[0].image_pull_secrets[0]", "is not a valid Secret name"),
    (agent(command=[{"a": 1}]), "agents[0].command[0]", "must be text"),
    (agent(args=[None]), "agents[0].args[0]", "must be text"),
    (agent(port=80), "agents[0].port", "without root may listen"),
    (agent(metrics_port=80), "agents[0].metrics_port", "without root may listen"),
    (agent(metrics_port=8000), "agents[0].metrics_port", "is that of requests"),
    (agent(service_port=0), "agents[0].service_port", "is not a port"),
    (agent(health_path="health"), "agents[0].health_path", "is not a URL path"),
    (agent(service_annotations={"a b": "c"}), "agents[0].service_annotations.a b", "is not a valid"),
    (file(), "agents[0].files[0]", "takes exactly one of"),
    (file(text="a", toml={}), "agents[0].files[0]", "takes exactly one of"),
    (file(path="app", text="a"), "agents[0].files[0].path", "is not an absolute path"),
    (file(path="/app/../a", text="a"), "agents[0].files[0].path", "is not an absolute path"),
    (file(path="/a b", text="a"), "agents[0].files[0].path", "is not a key"),
    (
        agent(files=[{"path": "/a/b", "text": ""}, {"path": "/a.b", "text": ""}]),
        "agents[0].files[1].path",
        "under the same name as, /a/b",
    ),
    (file(toml={"a": None}), "agents[0].files[0].toml.a", "is null"),
    (file(json="text"), "agents[0].files[0].json", ""),
    (file(text="a", secret="perhaps"), "agents[0].files[0].secret", ""),
    (agent(env={"1A": "x"}), "agents[0].env.1A", "is not a valid name"),
    (agent(secret_env={"A": "x"}), "agents[0].secret_env.A", "is not a mapping of name and key"),
    (agent(secret_refs=["A"]), "agents[0].secret_refs[0]", "is not a valid Secret name"),
    (agent(config_map_refs=["A"]), "agents[0].config_map_refs[0]", "is not a valid ConfigMap name"),
    (secrets("plain"), "agents[0].secrets.values", "is needed"),
    (secrets("plain", values={"1": "a"}), "agents[0].secrets.values.1", "is not a valid name"),
    (secrets("plain", values={"A": {"b": 1}}), "agents[0].secrets.values.A", "must be text"),
    (secrets("plain", values={"A": "a"}, name="s"), "agents[0].secrets.name", "does not belong"),
    (secrets("existing", keys={"A": None}), "agents[0].secrets.name", "is needed"),
    (secrets("existing", name="S", keys={"A": None}), "agents[0].secrets.name", "is not a valid Secret name"),
    (secrets("existing", name="s", keys={"A": "a/b"}), "agents[0].secrets.keys.A", "is not a key"),
    (secrets("existing", name="s", keys={"A": None}, values={"B": "b"}), "agents[0].secrets.values", "not belong"),
    (agent(replicas=-1), "agents[0].replicas", "is not a number of pods"),
    (agent(replicas=2, autoscaling=SCALING), "agents[0].replicas", "excludes autoscaling"),
    (agent(autoscaling={**SCALING, "min_replicas": 0}), "agents[0].autoscaling.min_replicas", "1 to 100"),
    (agent(autoscaling={**SCALING, "max_replicas": 1}), "agents[0].autoscaling.max_replicas", "outside of"),
    (agent(autoscaling={**SCALING, "cpu_percent": 0}), "agents[0].autoscaling.cpu_percent", "not a percentage"),
    (agent(autoscaling={**SCALING, "memory_percent": 0}), "agents[0].autoscaling.memory_percent", "percentage"),
    (
        agent(autoscaling={**SCALING, "stabilization_window": 3601}),
        "agents[0].autoscaling.stabilization_window",
        "0 to 3600",
    ),
    (agent(disruption_budget={}), "agents[0].disruption_budget", "takes exactly one of"),
    (
        agent(replicas=2, disruption_budget={"min_available": 2}),
        "agents[0].disruption_budget.min_available",
        "no node could be emptied",
    ),
    (
        agent(autoscaling=SCALING, disruption_budget={"min_available": 3}),
        "agents[0].disruption_budget.min_available",
        "the 2 pods",
    ),
    (
        agent(replicas=2, disruption_budget={"max_unavailable": 0}),
        "agents[0].disruption_budget.max_unavailable",
        "lets no pod go",
    ),
    (
        agent(disruption_budget={"max_unavailable": 1}),
        "agents[0].disruption_budget.max_unavailable",
        "there is one",
    ),
    *(
        row
        for probe in ("startup_probe", "liveness_probe", "readiness_probe")
        for row in (
            (agent(**{probe: {"path": "live"}}), f"agents[0].{probe}.path", "is not a URL path"),
            (agent(**{probe: {"period": 0}}), f"agents[0].{probe}.period", "less than 1"),
            (agent(**{probe: {"timeout": 0}}), f"agents[0].{probe}.timeout", "less than 1"),
            (agent(**{probe: {"failures": 0}}), f"agents[0].{probe}.failures", "less than 1"),
        )
    ),
    (agent(request_timeout=-1), "agents[0].request_timeout", "is not a number of seconds"),
    (agent(resources={"requests": {"cpu": 1}}), "agents[0].resources", "lacks"),
    (agent(node_selector={"a": {}}), "agents[0].node_selector.a", "is not text"),
    (agent(priority_class="A"), "agents[0].priority_class", "is not a valid PriorityClass name"),
    (agent(labels={"mcpops.io/agent-workload": "b"}), "agents[0].labels.mcpops.io/agent-workload", "set by the module"),
    (
        agent(labels={"azure.workload.identity/use": "true"}),
        "agents[0].labels.azure.workload.identity/use",
        "set by the module",
    ),
    (agent(annotations={"a": {}}), "agents[0].annotations.a", "must be text"),
    (agent(run_as_user=0), "agents[0].run_as_user", "is not a user that is not root"),
    (agent(writable=["tmp"]), "agents[0].writable[0]", "is not an absolute path"),
    (agent(writable=["/tmp"]), "agents[0].writable[0]", "is mounted already"),
    (agent(writable=["/a", "/a/"]), "agents[0].writable[1]", "is mounted already"),
    (agent(writable_size="0"), "agents[0].writable_size", "is not a valid size"),
    (identity(client_id="me"), "agents[0].identity.client_id", "is not a GUID"),
    (identity(tenant_id="us"), "agents[0].identity.tenant_id", "is not a GUID"),
    (identity(token_seconds=60), "agents[0].identity.token_seconds", "3600 to 86400"),
    (agent(dns={"nameservers": ["dns"]}), "agents[0].dns.nameservers[0]", "is not an address"),
    (agent(dns={"nameservers": ["10.0.0.1"] * 4}), "agents[0].dns.nameservers", "3 are allowed"),
    (agent(dns={"searches": ["A"]}), "agents[0].dns.searches[0]", "is not a valid domain"),
    (agent(dns={"options": {"ndots": {}}}), "agents[0].dns.options.ndots", "must be text"),
    (agent(dns={"policy": "None"}), "agents[0].dns.nameservers", "is needed with policy None"),
    (agent(proxy={"http": "proxy:3128"}), "agents[0].proxy.http", "is not the address of a proxy"),
    (agent(proxy={"https": "socks5://proxy"}), "agents[0].proxy.https", "is not the address of a proxy"),
    (agent(proxy={"no_proxy": ["a"]}), "agents[0].proxy", "names no proxy"),
    (agent(ca={}), "agents[0].ca", "takes exactly one of"),
    (agent(ca={"config_map": "A"}), "agents[0].ca.config_map", "is not a valid ConfigMap name"),
    (agent(ca={"secret": "A"}), "agents[0].ca.secret", "is not a valid Secret name"),
    (agent(ca={"secret": "a", "key": "a/b"}), "agents[0].ca.key", "is not a key"),
    *edges("callers"),
    *edges("calls"),
    (agent(network_policy=False, calls=[{"namespace": "mcp"}]), "agents[0].calls", "network_policy is false"),
    (monitoring(path="metrics"), "agents[0].monitoring.path", "is not a URL path"),
    (monitoring(interval="soon"), "agents[0].monitoring.interval", "is not a time"),
    (monitoring(labels={"a": "b c"}), "agents[0].monitoring.labels.a", "is not a valid"),
    *edges("monitoring.scrapers"),
]
INFO: list[refused.Row] = [
    ({"namespace": "-"}, "namespace", "is not a valid namespace name"),
    ({"health_path": "health"}, "health_path", "is not a URL path"),
    ({"agents": [{"name": "A"}]}, "agents[0].name", "is not a valid agent name"),
    ({"agents": [{"namespace": "a"}]}, "agents[0].name", "is needed"),
    ({"agents": [{"name": "a", "namespace": "-"}]}, "agents[0].namespace", "is not a valid namespace name"),
    ({"agents": [{"name": "a", "service_port": "x"}]}, "agents[0].service_port", "is not a port"),
    ({"agents": [{"name": "a", "health_path": "x"}]}, "agents[0].health_path", "is not a URL path"),
    (call(agent="b"), "calls[0].agent", "is not one of the agents"),
    (call(namespace="b"), "calls[0].namespace", "is not one of the agents there"),
    (
        {"agents": [{"name": "a"}, {"name": "a", "namespace": "b"}], **call()},
        "calls[0].namespace",
        "in several namespaces",
    ),
    (call(path="chat"), "calls[0].path", "is not a URL path"),
    (call(expect_status=99), "calls[0].expect_status", "is not a status"),
    (call(expect_regex="("), "calls[0].expect_regex", "is not a regular expression"),
    (call(timeout=0), "calls[0].timeout", "less than one second"),
    ({"wait_timeout": -1}, "wait_timeout", ""),
]
TEXTS = {agent_workload: WORKLOAD, agent_workload_info: INFO}


def rows(module: ModuleType) -> list[refused.Row]:
    own = {name: rule for name, rule in module.ARGUMENT_SPEC.items() if name not in CONNECTION}
    return [*TEXTS[module], *refused.rows_by_type(own)]


def joined(module: ModuleType, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, with what is needed beside it."""
    return {**copy.deepcopy(LEAST[module]), **copy.deepcopy(dict(given))}


@pytest.mark.parametrize("name", MODULES)
def test_each_wrong_value_is_refused_by_its_place(name: str) -> None:
    module = MODULES[name]
    for given, path, words in rows(module):
        params = {"kubeconfig": "/nowhere", **joined(module, given)}
        found = refused.problems(module.ARGUMENT_SPEC, module.OPERATION, params)
        assert refused.is_reported(found, path, words), (given, [str(one) for one in found])


@pytest.mark.parametrize("name", MODULES)
def test_every_option_is_refused_somewhere(name: str) -> None:
    module = MODULES[name]
    left = refused.never_refused(module.ARGUMENT_SPEC, rows(module), CONNECTION)
    assert set(left) - PASSED_ON == set()


def problems(**options: Any) -> list[str]:
    params = {"kubeconfig": "/nowhere", **joined(agent_workload, agent(**options))}
    return [str(one) for one in refused.problems(agent_workload.ARGUMENT_SPEC, _judge, params)]


def _judge(task: FakeTask) -> None:
    found = agent_workload.PROBLEMS(task.params)
    if found:
        raise InvalidInput("agent_workload", found)


AT_THE_LIMIT: dict[str, dict[str, Any]] = {
    "name": {"name": "a" * 52},
    "budget": {"replicas": 2, "disruption_budget": {"min_available": 1}},
    "budget of the scaled": {"autoscaling": SCALING, "disruption_budget": {"min_available": 1}},
    "all may go but one": {"replicas": 2, "disruption_budget": {"max_unavailable": 1}},
    "none stays": {"disruption_budget": {"min_available": 0}},
    "token": {"identity": {"client_id": GUID, "token_seconds": 3600}},
    "identity beside other secrets": {
        "identity": {"client_id": GUID},
        "env": {"AZURE_OPENAI_ENDPOINT": "https://a.test"},
        "secrets": {"backend": "plain", "values": {"REDIS_KEY": "k"}},
    },
    "a client secret without an identity": {"secrets": {"backend": "plain", "values": {"AZURE_CLIENT_SECRET": "s"}}},
    "files": {"files": [{"path": "/a/b", "text": ""}, {"path": "/a/c", "json": {"d": [None]}}]},
    "dns": {"dns": {"policy": "None", "nameservers": ["10.0.0.1", "fd00::1"], "options": {"edns0": None, "ndots": 2}}},
    "no requests": {"request_timeout": 0},
    "tcp": {"liveness_probe": {"kind": "tcp"}, "startup_probe": {"kind": "none"}},
}


@pytest.mark.parametrize("case", AT_THE_LIMIT)
def test_what_is_at_the_limit_is_accepted(case: str) -> None:
    assert problems(**AT_THE_LIMIT[case]) == []


BESIDE: dict[str, dict[str, Any]] = {
    "env.AZURE_CLIENT_SECRET": {"env": {"AZURE_CLIENT_SECRET": "s"}},
    "secret_env.AZURE_CLIENT_SECRET": {"secret_env": {"AZURE_CLIENT_SECRET": {"name": "a", "key": "b"}}},
    "secrets.values.AZURE_CLIENT_SECRET": {"secrets": {"backend": "plain", "values": {"AZURE_CLIENT_SECRET": "s"}}},
    "secrets.keys.AZURE_CLIENT_CERTIFICATE_PATH": {
        "secrets": {"backend": "existing", "name": "s", "keys": {"AZURE_CLIENT_CERTIFICATE_PATH": None}}
    },
    "env.AZURE_CLIENT_ID": {"env": {"AZURE_CLIENT_ID": GUID}},
}


@pytest.mark.parametrize("place", BESIDE)
def test_what_would_be_taken_before_an_identity_is_refused_beside_it(place: str) -> None:
    [found] = problems(identity={"client_id": GUID}, **BESIDE[place])
    assert found.startswith(f"agents[0].{place}: ")
    assert problems(**BESIDE[place]) == []


def test_everything_is_said_at_once() -> None:
    found = problems(image="A B", port=80, env={"1A": "x"}, disruption_budget={"min_available": 1}, writable=["x"])
    assert len(found) == 5


def test_what_a_proxy_says_is_not_said_twice() -> None:
    [found] = problems(proxy={"https": "http://proxy:3128"}, env={"NO_PROXY": "x"})
    assert found.startswith("agents[0].env.NO_PROXY: follows from the declaration")
    [found] = problems(ca={"secret": "s"}, secrets={"backend": "plain", "values": {"SSL_CERT_FILE": "/x"}})
    assert found.startswith("agents[0].secrets.values.SSL_CERT_FILE: is declared elsewhere")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"env": {"API_KEY": "opaque-Zt81-92734650"}}, "API_KEY in plain text"),
        ({"image": "agent"}, "names no version"),
        ({}, "out to DNS alone"),
    ],
)
def test_what_is_likely_not_meant_is_warned_of(options: dict[str, Any], words: str) -> None:
    declared = {"name": "a", "image": "i:1", **options}
    assert any(words in one for one in workload_warnings(DeclaredWorkload(declared, Place("agents"))))
    fine = {"name": "a", "image": "i:1", "env": {"MODE": "x"}, "calls": [{"namespace": "mcp"}]}
    assert list(workload_warnings(DeclaredWorkload(fine, Place("agents")))) == []
