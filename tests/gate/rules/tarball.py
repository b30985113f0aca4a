# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files users get. An allow-list: something new in the tarball is a decision, not an accident."""

from __future__ import annotations

import re
from collections.abc import Iterable

PATTERNS = (
    r"(MANIFEST|FILES)\.json",
    r"(README|CHANGELOG|CONTRIBUTING)\.md",
    r"LICENSE|requirements\.txt|execution-environment\.yml|site\.yml",
    r"meta/(runtime|execution-environment|extensions)\.yml",
    r"changelogs/(config|changelog)\.yaml",
    r"changelogs/fragments/[\w-]+\.yml",
    r"plugins/(action|callback|doc_fragments|filter|inventory|lookup|modules|plugin_utils)/\w+\.py",
    r"plugins/__init__\.py",
    r"plugins/module_utils/(\w+/)*\w+\.py",
    r"plugins/templates/\w+\.html\.j2",
    r"plugins/plugin_utils/controller_options\.json",
    r"awx/\w+\.yml",
    r"extensions/patterns/\w+/(README\.md|meta/pattern\.json|playbooks/\w+\.yml)",
    r"playbooks/\w+\.yml",
    r"playbooks/templates/project/(environment/)?[\w.]+\.j2",
    r"inventories/(local|local-full|dev|prod)/(hosts\.yml|(group|host)_vars/([\w-]+/)*[\w-]+\.yml)",
    r"roles/\w+/(README\.md|(defaults|handlers|vars)/main\.yml|meta/(main|argument_specs)\.yml)",
    r"roles/\w+/(tasks/\w+\.yml|templates/[\w.-]+\.j2)",
    r"docs/((decisions/)?[\w-]+\.md|[\w-]+\.schema\.json|images/[\w-]+\.png)",
    r"extensions/audit/event_query\.yml",
    r"examples/[\w-]+/([\w-]+\.(py|js|yml|md|txt)|package\.json|pyproject\.toml|\w+/__init__\.py)",
    r"examples/[\w-]+/(Dockerfile(\.on-base)?|\.dockerignore)",
)
ALLOWED = re.compile("|".join(PATTERNS))

# What a user of the collection cannot do without.
REQUIRED = (
    "LICENSE",
    "CHANGELOG.md",
    "meta/runtime.yml",
    "requirements.txt",
    "extensions/audit/event_query.yml",
    "plugins/templates/drift_report.html.j2",
)


def unexpected(members: Iterable[str]) -> list[str]:
    return sorted(member for member in members if not ALLOWED.fullmatch(member))


def lacking(members: Iterable[str]) -> list[str]:
    return sorted(set(REQUIRED) - set(members))
