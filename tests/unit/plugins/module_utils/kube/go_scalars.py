# SPDX-License-Identifier: GPL-3.0-or-later
"""What helm and kubectl make of words that YAML readers disagree about, as values and as keys of a mapping.

Writes go_scalars.json beside this file:

    .venv/bin/python tests/unit/plugins/module_utils/kube/go_scalars.py HELM KUBECTL

with any helm and the kubectl of the local cloud (`localcloud env` names both). No cluster is asked.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

RECORD = Path(__file__).with_suffix(".json")
ERROR = {"error": True}

WORDS = [
    word
    for line in r"""
y | n | Y | N | yes | no | Yes | No | YES | NO | yEs | on | off | On | Off | ON | OFF | true | false | True
False | TRUE | FALSE | tRue | t | f | ~ | null | Null | NULL | nUll | none | None | nil | 0 | -0 | +0 | +1 | -1
+-1 | 1_000 | 1__0 | _1 | 1_ | 1,000 | 0o17 | 0O17 | 0o18 | 017 | 018 | 08 | -017 | +017 | 00 | 007 | 0_7 | 0x1F
0X1f | 0xg | 0x | 0x_1 | -0x1F | 0b101 | 0B101 | -0b1 | 0b2 | 0b | 0o | 1e3 | 1E3 | 1e+3 | 1e-3 | 1e | 1e20
1e21 | 1e400 | 1e-400 | 1e1_0 | .5 | -.5 | +.5 | .5_0 | 5. | -5. | 1. | 1.0 | 1.5 | -0.0 | 0.0 | 1_0.5 | 1.5e3
1.e3 | .e3 | . | + | +. | 0x1p-2 | 1.0e+2 | 1e5 | 123456 | 1e6 | 1234567.0 | 0.0001 | 0.00001 | 0.1
0.30000000000000004 | .inf | .Inf | .INF | -.inf | +.inf | .nan | .NaN | .NAN | nan | NaN | inf | Infinity
-Inf | 9007199254740993 | 9223372036854775807 | 9223372036854775808 | 18446744073709551616
-9223372036854775809 | 123456789012345678901234567890 | 123456789.123456789 | 3.5e38 | 1e39
0777777777777777777777 | 07777777777777777777777 | 12:30 | 1:20:30 | 190:20:30.15 | -1:30 | 2024-01-31
2024-1-31 | 2024-01-31T10:20:30Z | 2024-01 | 20240131 | = | << | <<= | 1.2.3 | v1 | 1Gi | 100m | 1h | 10.0.0.1
1-2 | ::1 | a#b | ?a | :a | "y" | 'y' | "1" | '' | "~" | "<<" | "="  | a b | 1 # comment | !!str y | !!str 1
!!str ~ | !!int "1" | !!int 0b11 | !!int 1.5 | !!float 1 | !!float y | !!bool y | !!bool 1 | !!null x
!!null '' | !!binary aGVsbG8= | !!binary /w== | !!timestamp 2024-01-31 | !own x | !!set {a, b} | !!omap [{a: 1}]
{a: , b: } | [~, y] | {y: 1} | *unknown
""".strip().splitlines()
    for word in line.split(" | ")
]
"""As they stand in a YAML text."""

Reader = Callable[[str], dict[str, Any] | None]


def as_value(word: str) -> str:
    return f"d:\n  v: {word}\n"


def as_key(word: str) -> str:
    return f"d:\n  {word}: v\n"


def kubectl_reads(kubectl: str) -> Reader:
    def read(text: str) -> dict[str, Any] | None:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
            file.write("apiVersion: v1\nkind: Any\nmetadata: {name: a}\n" + text)
            file.flush()
            argv = [kubectl, "annotate", "--local", "--filename", file.name, "a=b", "--output", "json"]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
        found: dict[str, Any] | None = json.loads(done.stdout)["d"] if done.returncode == 0 else None
        return found

    return read


def helm_reads(helm: str, directory: Path) -> Reader:
    """Values as a chart gets them; numbers are 64-bit floats by then."""
    (directory / "templates").mkdir()
    (directory / "Chart.yaml").write_text("apiVersion: v2\nname: values\nversion: 1.0.0\n")
    (directory / "templates" / "values.yaml").write_text("values: {{ toJson .Values | b64enc }}\n")

    def read(text: str) -> dict[str, Any] | None:
        argv = [helm, "template", "any", str(directory), "--values", "-"]
        done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return None
        line = next(line for line in done.stdout.splitlines() if line.startswith("values: "))
        found: dict[str, Any] = json.loads(base64.b64decode(line.removeprefix("values: ")))["d"]
        return found

    return read


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def main(helm: str, kubectl: str) -> None:
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor() as pool:
        readers = kubectl_reads(kubectl), helm_reads(helm, Path(directory))

        def row(word: str) -> list[Any]:
            found = []
            for text in (as_value(word), as_key(word)):
                one, other = (reader(text) for reader in readers)
                assert rounded(one) == rounded(other), f"helm and kubectl disagree about {text}: {other}, {one}"
                found.append(ERROR if one is None else one)
            return [word, *found]

        rows = list(pool.map(row, WORDS))
    shown = ",\n    ".join(json.dumps(row) for row in rows)
    RECORD.write_text(f'{{"word, document as a value, document as a key": [\n    {shown}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
