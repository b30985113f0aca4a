# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets among objects, declared or standing, and among a task's options before anybody has looked at them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.documents import read_documents
from ansible_collections.mcpops.platform.plugins.module_utils.kube.objects import Identity, Object, holds_secrets
from ansible_collections.mcpops.platform.plugins.module_utils.kube.sdk import yaml
from ansible_collections.mcpops.platform.plugins.module_utils.masking import Protecting, declared_values, protect


def argument_secrets(arguments: Any) -> list[str]:
    """Of objects wherever they stand among the options, also of those in a text of YAML, and of values by name."""
    return declared_values(list(_documents(arguments)))


def protect_live(task: Protecting, live: Iterable[Object | None], known: Iterable[Identity]) -> None:
    """From here on no value of these Secrets as they stand is shown: a webhook may print the old object it refuses.

    `known` are the objects that the task is about, whose names are to stay readable.
    """
    secrets = [item for item in live if item is not None and holds_secrets(item)]
    if secrets:
        names = [{"kind": who.kind, "metadata": {"name": who.name, "namespace": who.namespace}} for who in known]
        protect(task, declared_values([*secrets, *names]))


def _documents(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        # a text of objects; most options are no YAML worth the reading
        if "\n" in value and "kind:" in value:
            yield from _of_text(value)
    elif isinstance(value, Mapping):
        yield value
        for below in value.values():
            yield from _documents(below) if not _is_object(below) else [below]
    elif isinstance(value, Sequence):
        yield from (one for item in value for one in _documents(item))


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping) and "apiVersion" in value and "kind" in value


def _of_text(text: str) -> list[Any]:
    try:
        return list(read_documents(text))
    except yaml.YAMLError:
        return []
