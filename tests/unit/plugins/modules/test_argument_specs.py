# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules without a planner of their own demand at least, and that nothing secret has an open option."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mcpops.platform.plugins.modules import (
    controller_content,
    helm_release,
    k8s_diagnosis_info,
    k8s_objects,
    k8s_objects_info,
    kmcp_cli,
    kmcp_install,
    site_drift,
    site_drift_verdict,
    site_lock,
    site_validate,
)

LEAST: dict[str, tuple[ModuleType, dict[str, Any]]] = {
    "controller_content": (controller_content, {"content": {}}),
    "helm_release": (helm_release, {"name": "x", "namespace": "y", "chart_ref": "oci://z/x", "chart_version": "1.0.0"}),
    "k8s_diagnosis_info": (k8s_diagnosis_info, {}),
    "k8s_objects": (k8s_objects, {"definitions": [{"kind": "Namespace"}]}),
    "k8s_objects_info": (k8s_objects_info, {"kind": "Node"}),
    "kmcp_cli": (kmcp_cli, {}),
    "kmcp_install": (kmcp_install, {}),
    "site_drift": (site_drift, {"directory": "report"}),
    "site_drift_verdict": (site_drift_verdict, {"result": {"report": {}}}),
    "site_lock": (site_lock, {}),
    "site_validate": (site_validate, {"roles": {"clusters": ["mcpops.platform.kmcp"]}}),
}


def complaints(module: ModuleType, arguments: dict[str, Any]) -> list[str]:
    validator = ArgumentSpecValidator(module.ARGUMENT_SPEC, **getattr(module, "RULES", {}))
    messages: list[str] = validator.validate(arguments).error_messages
    return messages


@pytest.mark.parametrize(("module", "least"), LEAST.values(), ids=LEAST.keys())
def test_the_least_is_enough_and_a_misspelt_option_is_not(module: ModuleType, least: dict[str, Any]) -> None:
    assert complaints(module, least) == []
    assert any("misspelt" in message for message in complaints(module, {**least, "misspelt": 1}))


@pytest.mark.parametrize(("module", "least"), LEAST.values(), ids=LEAST.keys())
def test_options_for_secrets_are_not_logged(module: ModuleType, least: dict[str, Any]) -> None:
    named = {name for name in module.ARGUMENT_SPEC if name.endswith(("password", "api_key"))}
    assert {name for name in named if module.ARGUMENT_SPEC[name].get("no_log") is not True} == set()


# What happens when a user leaves an option out must not change unseen.
DEFAULTS: dict[str, tuple[ModuleType, dict[str, Any], dict[str, Any]]] = {
    "a comparison repairs nothing": (site_drift, {"directory": "report"}, {"repair": False}),
    "a site is compared without what declares nothing": (
        site_drift,
        {"directory": "report"},
        {"playbook": "mcpops.platform.site", "skip_tags": ["preflight", "verify"]},
    ),
    "a run that meets another fails at once": (site_lock, {}, {"state": "present", "wait_timeout": 0}),
    "all runs meet in one namespace": (site_lock, {}, {"namespace": "kube-system"}),
    "a diagnosis looks everywhere": (k8s_diagnosis_info, {}, {"namespaces": None, "cluster_scope": True}),
}


@pytest.mark.parametrize(("module", "given", "expected"), DEFAULTS.values(), ids=DEFAULTS.keys())
def test_defaults(module: ModuleType, given: dict[str, Any], expected: dict[str, Any]) -> None:
    validated = ArgumentSpecValidator(module.ARGUMENT_SPEC).validate(given).validated_parameters
    assert {name: validated[name] for name in expected} == expected


@pytest.mark.parametrize(
    "module",
    [controller_content, site_drift, site_drift_verdict, site_validate],
    ids=["controller_content", "site_drift", "site_drift_verdict", "site_validate"],
)
def test_what_is_an_action_only_asks_for_no_credentials(module: ModuleType) -> None:
    """So none is in an action group: `module_defaults` of a group would hand it options that it does not have."""
    assert not {"auth_source", "kubeconfig", "api_key"} & set(module.ARGUMENT_SPEC)
