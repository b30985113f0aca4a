# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts of others, taken out of the Go modules that carry them and kept in the local cloud's cache.

Which ones, at which versions and what is done to them: tests/integration/charts/charts.yml.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from localcloud.files import fresh_directory, key_of
from localcloud.settings import Settings
from support.playbook import CHECKOUT

DATA = CHECKOUT / "tests" / "integration" / "charts" / "charts.yml"
_WORD = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Module:
    """A Go module, at one version and with one content."""

    path: str
    version: str
    sum: str


@dataclass(frozen=True)
class UpstreamChart:
    """One chart of a module."""

    name: str
    module: Module
    directory: str
    values: Mapping[str, Any] = field(default_factory=dict)
    without_dependencies: tuple[str, ...] = ()
    without_files: tuple[str, ...] = ()
    fill_in: Mapping[str, Any] = field(default_factory=dict)
    namespace: str = ""
    needs: tuple[str, ...] = ()
    why: str = ""

    @property
    def release_namespace(self) -> str:
        return self.namespace or f"charts-{self.name}"

    @property
    def key(self) -> str:
        """What the chart's directory is made from."""
        done = [self.without_dependencies, self.without_files, dict(self.fill_in)]
        return key_of(json.dumps([self.module.path, self.module.sum, self.directory, *done], sort_keys=True))


def load(path: Path = DATA) -> dict[str, UpstreamChart]:
    """The charts of the data file, in its order."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    modules = {name: Module(name, row["version"], row["sum"]) for name, row in data["modules"].items()}
    return {
        name: UpstreamChart(
            **{
                **{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()},
                "name": name,
                "module": modules[row["module"]],
            }
        )
        for name, row in data["charts"].items()
    }


def fetch(settings: Settings, charts: Iterable[UpstreamChart]) -> dict[str, Path]:
    """Where the directory of each chart is; what the cache lacks comes from the Go module proxy."""
    charts = list(charts)
    found = {chart.name: settings.cache / "upstream-charts" / f"{chart.name}-{chart.key}" for chart in charts}
    missing = [chart for chart in charts if not (found[chart.name] / "Chart.yaml").is_file()]
    if missing:
        with tempfile.TemporaryDirectory(prefix="upstream-charts-") as scratch:
            places = dict(_download({chart.module for chart in missing}, Path(scratch)))
            for chart in missing:
                _prepare(places[chart.module] / chart.directory, found[chart.name], chart)
    return found


def _download(modules: Iterable[Module], scratch: Path) -> Iterator[tuple[Module, Path]]:
    modules = sorted(modules, key=lambda module: module.path)
    environment = {
        **os.environ,
        "GOMODCACHE": str(scratch / "modules"),
        # a module cache is read-only otherwise, which keeps its owner from removing it
        "GOFLAGS": "-modcacherw",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        # each sum is compared with the pinned one
        "GOSUMDB": "off",
    }
    argv = ["go", "mod", "download", "-json", *(f"{module.path}@{module.version}" for module in modules)]
    done = subprocess.run(argv, cwd=scratch, env=environment, capture_output=True, text=True, check=False)
    answers = {answer["Path"]: answer for answer in _json_documents(done.stdout)}
    for module in modules:
        answer = answers.get(module.path) or {"Error": done.stderr.strip() or "go said nothing"}
        if answer.get("Error"):
            raise RuntimeError(f"{module.path}@{module.version} cannot be downloaded: {answer['Error']}")
        if answer["Sum"] != module.sum:
            raise RuntimeError(f"{module.path}@{module.version} is {answer['Sum']}, but {DATA.name} pins {module.sum}")
        yield module, Path(answer["Dir"])


def _json_documents(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    at = 0
    while at < len(text.rstrip()):
        document, end = decoder.raw_decode(text, at)
        yield document
        at = end + 1


def _prepare(source: Path, target: Path, chart: UpstreamChart) -> None:
    with fresh_directory(target) as directory:
        shutil.copytree(source, directory, dirs_exist_ok=True, copy_function=shutil.copyfile)
        for name in chart.without_files:
            (directory / name).unlink()
        if chart.fill_in:
            text = (directory / chart.fill_in["file"]).read_text(encoding="utf-8")
            filled = _WORD.sub(lambda word: str(chart.fill_in["words"][word[1]]), text)
            (directory / "values.yaml").write_text(filled, encoding="utf-8")
        if chart.without_dependencies:
            _leave_out(directory, chart.without_dependencies)


def _leave_out(directory: Path, names: tuple[str, ...]) -> None:
    path = directory / "Chart.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    kept = [row for row in content["dependencies"] if row["name"] not in names]
    if len(kept) + len(names) != len(content["dependencies"]):
        raise RuntimeError(f"{path} does not have all of these dependencies: {', '.join(names)}")
    path.write_text(yaml.safe_dump({**content, "dependencies": kept}), encoding="utf-8")
    # it would contradict
    (directory / "Chart.lock").unlink(missing_ok=True)
