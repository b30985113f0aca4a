# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML text as Kubernetes and Helm read it, which is as Go does and not as YAML 1.1 has it. No requests."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from ansible_collections.mcpops.platform.plugins.module_utils.kube.sdk import require, yaml

_INTEGER = r"[-+]?(?:0b[0-1_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)"
_FRACTION = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
# `12:30` would be a number of base 60, a date a date, and a lone `=` an error
_RETYPED = tuple(f"tag:yaml.org,2002:{name}" for name in ("timestamp", "int", "float", "value"))


def read_documents(text: str) -> list[Any]:
    """The documents of a text, empty ones left out; yaml.YAMLError when it is no YAML."""
    require()
    if text.lstrip()[:1] in ("{", "["):
        # JSON is YAML, and most that begins so is JSON: a hundred times as quick to read
        try:
            return [json.loads(text)]
        except ValueError:
            pass
    return [document for document in yaml.load_all(text, Loader=_loader()) if document is not None]


@lru_cache(maxsize=1)
def _loader() -> Any:
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    resolvers = {
        first: [(tag, pattern) for tag, pattern in rows if tag not in _RETYPED]
        for first, rows in base.yaml_implicit_resolvers.items()
    }
    loader: Any = type("GoLoader", (base,), {"yaml_implicit_resolvers": resolvers})
    # the first that fits decides: what has neither point nor exponent is an integer
    for tag, pattern, first in (("int", _INTEGER, "-+0123456789"), ("float", _FRACTION, "-+0123456789.")):
        loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))
    return loader
