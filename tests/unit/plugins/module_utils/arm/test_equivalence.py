# SPDX-License-Identifier: GPL-3.0-or-later
"""What AKS treats as equal: every field of the models in other spellings, and with other values."""

from __future__ import annotations

import inspect
import ipaddress
import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

import azure.mgmt.containerservice.models as sdk
import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.arm import equivalence
from ansible_collections.mcpops.platform.plugins.module_utils.arm.compare import model_fields
from ansible_collections.mcpops.platform.plugins.module_utils.arm.equivalence import (
    DEFAULTS,
    FORMS,
    KEYS_IN_ANY_CASE,
    ORDERED,
    ModelRules,
    as_spelled,
    rule_at,
    same_version,
)
from ansible_collections.mcpops.platform.plugins.module_utils.arm.fields import MODELS
from ansible_collections.mcpops.platform.plugins.module_utils.compare import Rule, merge
from ansible_collections.mcpops.platform.plugins.module_utils.plan import ABSENT
from localcloud.azure.sdk_schema import CONTAINER_SERVICE, model_schema

SETTABLE = [
    (model, name, kind) for model in MODELS for name, kind in model_fields(model).items() if kind not in ("-", "x")
]
LITERAL = {(model, name) for model, name, kind in SETTABLE if name in ("tags", "nodeLabels", "podLabels")}


def known_values(model: str, name: str) -> list[str]:
    """The known set of a field in the SDK."""
    schema = model_schema(CONTAINER_SERVICE, model)["$defs"][model]["properties"][name]
    while "x-known-values" not in schema:
        schema = next(iter(schema.get("anyOf") or [schema["items"]]))
    return list(schema["x-known-values"])


class Values:
    """Values of fields, and the same ones as somebody else would write them."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def pair(self, model: str, name: str, kind: str) -> tuple[Any, Any]:
        """A value of a field, and another spelling of it."""
        field = f"{model}.{name}"
        if kind.startswith("["):
            pairs = [self.pair(model, name, kind[1:]) for _ in range(self._random.randint(1, 4))]
            values, others = [list(side) for side in zip(*pairs, strict=True)]
            if field not in ORDERED:
                self._random.shuffle(others)
            return values, others
        if kind.startswith("{"):
            pairs = [self.pair(model, name, kind[1:]) for _ in range(2)]
            keys = [f"key{number}/{self._random.randint(0, 9)}" for number in range(2)]
            return dict(zip(keys, (a for a, _ in pairs), strict=True)), dict(
                zip(keys, (b for _, b in pairs), strict=True)
            )
        if kind in MODELS:
            parts = {
                inner: self.pair(kind, inner, of)
                for inner, of in model_fields(kind).items()
                if of not in ("-", "x") and self._random.random() < 0.6
            }
            return {key: a for key, (a, _) in parts.items()}, {key: b for key, (_, b) in parts.items()}
        return self._scalar(model, name, kind, field)

    def _scalar(self, model: str, name: str, kind: str, field: str) -> tuple[Any, Any]:
        form = FORMS[field].equal if field in FORMS else None
        if kind == "e":
            value = self._random.choice(known_values(model, name))
            return value, value.swapcase()
        if kind == "b":
            flag = self._random.random() < 0.5
            return flag, flag
        if kind in ("i", "n"):
            number = self._random.randint(1, 99)
            return number, float(number) if kind == "n" else number
        if form is equivalence.address_range:
            prefix = self._random.randint(8, 32)
            network = ipaddress.ip_network((self._random.getrandbits(32), prefix), strict=False)
            if prefix == 32:
                return str(network), str(network.network_address)
            return str(network), f"{network.broadcast_address}/{prefix}"
        if form is equivalence.number_range:
            low = self._random.randint(1024, 40000)
            return f"{low} {low + 5}", f"{low}\t{low + 5}\n"
        if form is equivalence.taint:
            key = f"t{self._random.randint(0, 99)}"
            return f"{key}=:NoSchedule", f"{key}:NoSchedule"
        text = f"Text-{self._random.randint(0, 9999)}"
        if form is not None:
            return text, text.swapcase()
        if (model, name) in LITERAL:
            return text, text
        boolean = self._random.choice(("True", "False"))
        return self._random.choice(((text, f"{text}\n"), (boolean, boolean.lower())))


def differing(value: Any) -> Any:
    """A value of the same type that is another one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return "9.9.9.9/9" if "/" in value and value[0].isdigit() else f"{value}9" if value else "9"
    if isinstance(value, list):
        return [*value, differing(value[0])]
    key = next(iter(value), None)
    return {"a": "b"} if key is None else {**value, key: differing(value[key])}


@pytest.mark.parametrize("model", sorted({model for model, _name, _kind in SETTABLE}))
def test_every_field_in_other_spellings_and_with_other_values(model: str) -> None:
    for of_model, name, kind in SETTABLE:
        if of_model == model:
            in_other_words(model, name, kind)


def in_other_words(model: str, name: str, kind: str) -> None:
    rule = rule_at(model, (name,))
    for seed in range(4):
        answered, declared = Values(seed).pair(model, name, kind)
        if isinstance(declared, Mapping):
            # mappings are merged: each of their places has a rule of its own
            rules = ModelRules({}, model)
            assert merge({name: answered}, {name: declared}, rules).changes == ()
            if declared:
                assert merge({name: answered}, {name: differing(declared)}, rules).changes
            continue
        assert rule.as_declared(answered, declared), (answered, declared)
        assert not rule.as_declared(answered, differing(answered)), answered


@pytest.mark.parametrize("field", sorted(ORDERED))
def test_the_first_of_these_is_the_primary_one(field: str) -> None:
    model, name = field.split(".")
    rule = rule_at(model, (name,))
    assert rule.as_declared(["IPv4", "IPv6"], ["IPV4", "ipv6"] if name == "ipFamilies" else ["IPv4", "IPv6"])
    assert not rule.as_declared(["IPv4", "IPv6"], ["IPv6", "IPv4"])


@pytest.mark.parametrize(
    "table", [FORMS, DEFAULTS, KEYS_IN_ANY_CASE, dict.fromkeys(ORDERED)], ids=["forms", "defaults", "keys", "ordered"]
)
def test_every_row_is_about_a_field_of_the_models(table: Mapping[str, Any]) -> None:
    for field in table:
        model, _dot, name = field.partition(".")
        assert name in model_fields(model), field


def documented(model: str) -> str:
    """What the SDK says about a model, with its enumerations."""
    texts = [inspect.getdoc(getattr(sdk, model)) or ""]
    return " ".join(re.sub(r"\s+", " ", text) for text in texts)


@pytest.mark.parametrize("field", DEFAULTS)
def test_a_default_is_what_the_sdk_says(field: str) -> None:
    model, _dot, name = field.partition(".")
    value, source = DEFAULTS[field]
    if source.startswith("SDK: "):
        assert source.removeprefix("SDK: ") in documented(model)
        assert str(value).lower() in source.lower().replace("'", "")
    else:
        assert equivalence.RECORDED in source
    rule = rule_at(model, (name,))
    assert rule.as_declared(ABSENT, value)
    assert rule.as_declared(None, value)
    assert not rule.as_declared(ABSENT, differing(value) if value is not True else "yes")
    assert rule.as_declared(value, None)
    assert not rule.as_declared(differing(value), value)


def test_every_row_names_its_source() -> None:
    sources: Iterator[str] = (row.source for row in FORMS.values())
    assert all(len(source) > 15 for source in (*sources, *KEYS_IN_ANY_CASE.values()))


def test_names_in_free_text_count_as_they_are() -> None:
    for name in ("tags", "nodeLabels"):
        rule = rule_at("ManagedClusterAgentPoolProfile", (name, "team/x"))
        assert not rule.as_declared("a", "A")
        assert not rule.as_declared("True", "true")
        assert not rule.as_declared(ABSENT, "")


def test_the_rows_of_a_table_come_first() -> None:
    mine = Rule(purge=True)
    rules = ModelRules({"properties.addonProfiles": mine}, "ManagedCluster")
    assert rules.at(("properties", "addonProfiles")) is mine
    assert rules.at(("properties", "addonProfiles", "a")) is not mine


POOL = "ManagedClusterAgentPoolProfile"
SPOT = "kubernetes.azure.com/scalesetpriority=spot:NoSchedule"
SPELLED: dict[str, tuple[str, Any, Any, Any]] = {
    "an add-on": (
        "ManagedClusterProperties",
        {"addonProfiles": {"omsagent": {"enabled": True, "config": {"logAnalyticsWorkspaceResourceID": "/x"}}}},
        {"addonProfiles": {"omsAgent": {"config": {"logAnalyticsWorkspaceResourceId": "/x"}}}},
        {"addonProfiles": {"omsagent": {"config": {"logAnalyticsWorkspaceResourceID": "/x"}}}},
    ),
    "an add-on that is not there": (
        "ManagedClusterProperties",
        {"addonProfiles": None},
        {"addonProfiles": {"azurepolicy": {"enabled": True}}},
        {"addonProfiles": {"azurepolicy": {"enabled": True}}},
    ),
    "the kubelet's identity": (
        "ManagedClusterProperties",
        {"identityProfile": {"kubeletidentity": {"clientId": "c"}}},
        {"identityProfile": {"kubeletIdentity": {"resourceId": "/x"}}},
        {"identityProfile": {"kubeletidentity": {"resourceId": "/x"}}},
    ),
    "the taint of Spot": (
        POOL,
        {"scaleSetPriority": "Spot", "nodeTaints": ["a=b:NoSchedule", SPOT]},
        {"nodeTaints": ["c=d:NoExecute"]},
        {"nodeTaints": ["c=d:NoExecute", SPOT]},
    ),
    "the taint of Spot, declared": (
        POOL,
        {"scaleSetPriority": "spot", "nodeTaints": [SPOT]},
        {"nodeTaints": [SPOT]},
        {"nodeTaints": [SPOT]},
    ),
    "a taint like it on another pool": (POOL, {"nodeTaints": [SPOT]}, {"nodeTaints": []}, {"nodeTaints": []}),
    "the version that an alias stands for": (
        "ManagedClusterProperties",
        {"kubernetesVersion": "1.33", "currentKubernetesVersion": "1.33.7"},
        {"kubernetesVersion": "1.33.7"},
        {"kubernetesVersion": "1.33"},
    ),
    "an alias for the version": (
        POOL,
        {"orchestratorVersion": "1.33.7", "currentOrchestratorVersion": "1.33.7"},
        {"orchestratorVersion": "1.33"},
        {"orchestratorVersion": "1.33.7"},
    ),
    "another patch": (
        POOL,
        {"orchestratorVersion": "1.33", "currentOrchestratorVersion": "1.33.7"},
        {"orchestratorVersion": "1.33.8"},
        {"orchestratorVersion": "1.33.8"},
    ),
    "pools by their names": (
        "ManagedClusterProperties",
        {"agentPoolProfiles": [{"name": "b"}, {"name": "A", "orchestratorVersion": "1.33"}]},
        {"agentPoolProfiles": [{"name": "a", "orchestratorVersion": "1.33"}]},
        {"agentPoolProfiles": [{"name": "a", "orchestratorVersion": "1.33"}]},
    ),
}


@pytest.mark.parametrize(("model", "current", "declared", "expected"), SPELLED.values(), ids=SPELLED.keys())
def test_a_declaration_is_read_in_the_words_of_what_stands(
    model: str, current: Any, declared: Any, expected: Any
) -> None:
    assert as_spelled(current, declared, model) == expected


def test_a_minor_is_no_prefix_of_text() -> None:
    existing = {"kubernetesVersion": "1.30", "currentKubernetesVersion": "1.30.1"}
    assert not same_version("1.3", existing, "kubernetesVersion", "currentKubernetesVersion")
    assert not same_version("1", {}, "kubernetesVersion", "currentKubernetesVersion")
