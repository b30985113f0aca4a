# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields of manifests that are text by the Kubernetes API, and hold something else: the API server refuses the object.

By the API reference: `labels` and `annotations` of ObjectMeta, which every kind has; `data` of ConfigMap, `selector` of
ServiceSpec; and in kinds that embed pods or selectors, templates' metadata, `matchLabels` of LabelSelector,
`nodeSelector` of PodSpec, and `command`, `args` and the values of `env` of Container. Other kinds may hold anything
under these names, a CustomResourceDefinition for example schemas: they are asked for their metadata only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.errors import Problem
from ansible_collections.mcpops.platform.plugins.module_utils.plan import join
from ansible_collections.mcpops.platform.plugins.module_utils.scalars import kind_of

_EMBEDDING = frozenset(
    {
        *("Pod", "PodTemplate", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"),
        *("Job", "CronJob", "NetworkPolicy", "PodDisruptionBudget", "PersistentVolumeClaim"),
    }
)
_OF_METADATA = ("labels", "annotations")
_MAPPINGS = frozenset({"matchLabels", "nodeSelector"})
_LISTS = frozenset({"command", "args"})


def text_problems(item: Mapping[str, Any], place: str, *, built_in: bool) -> Iterator[Problem]:
    """Numbers, booleans and structures where text is wanted. Null is none: the API server leaves it out."""
    metadata = item.get("metadata")
    if isinstance(metadata, Mapping):
        yield from _metadata(metadata, f"{place}.metadata")
    kind, spec = item.get("kind"), item.get("spec")
    if not built_in or not isinstance(kind, str):
        return
    if kind == "ConfigMap":
        yield from _texts(item.get("data"), f"{place}.data")
    if kind in ("Service", "ReplicationController") and isinstance(spec, Mapping):
        yield from _texts(spec.get("selector"), f"{place}.spec.selector")
    if kind in _EMBEDDING:
        yield from _below(spec, f"{place}.spec", in_container=False)
    if kind == "PodTemplate":
        yield from _below(item.get("template"), f"{place}.template", in_container=False)


def _below(value: Any, place: str, *, in_container: bool) -> Iterator[Problem]:
    if isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _below(entry, f"{place}[{index}]", in_container=in_container)
    if not isinstance(value, Mapping):
        return
    for key, below in value.items():
        where = f"{place}.{key}"
        if key == "metadata" and isinstance(below, Mapping):
            yield from _metadata(below, where)
        elif key in _MAPPINGS:
            yield from _texts(below, where)
        elif in_container and key in _LISTS and isinstance(below, list):
            yield from _texts(dict(enumerate(below)), where)
        elif in_container and key == "env" and isinstance(below, list):
            named = [entry for entry in below if isinstance(entry, Mapping) and isinstance(entry.get("name"), str)]
            yield from _texts({entry.get("name"): entry.get("value") for entry in named}, where)
        else:
            yield from _below(below, where, in_container=str(key).lower().endswith("containers"))


def _metadata(metadata: Mapping[str, Any], place: str) -> Iterator[Problem]:
    for key in _OF_METADATA:
        yield from _texts(metadata.get(key), f"{place}.{key}")


def _texts(values: Any, place: str) -> Iterator[Problem]:
    if values is None:
        return
    if not isinstance(values, Mapping):
        yield Problem(place, f"is {kind_of(values)}, not a mapping of names to texts")
        return
    for name, value in values.items():
        counted = isinstance(name, int) and not isinstance(name, bool)
        where = f"{place}[{name}]" if counted else join(place, str(name))
        if value is not None and not isinstance(value, str):
            simple = not isinstance(value, (Mapping, list))
            yield Problem(where, f"is {kind_of(value)}, and must be text" + (": quote it" if simple else ""))
        elif not isinstance(name, (str, int)) or isinstance(name, bool):
            yield Problem(where, f"is {kind_of(name)} as a name, and must be text: quote it")
