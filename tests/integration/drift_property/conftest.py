# SPDX-License-Identifier: GPL-3.0-or-later
"""Made-up objects on the shared cluster, declared by k8s_objects or by a chart, and kept as declared."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.direct import call
from support.drift_rounds import Converge
from support.kube_http import Api
from support.random_custom_resources import CUSTOM, definitions
from support.random_objects import BUILT_IN, Maker, Object

from ansible_collections.mcpops.platform.plugins.modules import helm_release, k8s_objects

Declared = list[tuple[str, Object]]


@pytest.fixture(scope="session")
def api(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Api:
    return Api(cluster.kubeconfig, tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="session")
def custom_kinds(cluster: Any) -> None:
    """The definitions of the custom resources, which stay out of the rounds; another run may be using them, too."""
    bundle = json.dumps({"apiVersion": "v1", "kind": "List", "items": definitions()})
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=bundle)
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", "-", stdin=bundle)


@pytest.fixture
def namespace(cluster: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """As everywhere, but for any pod: those of these tests find no node."""
    name = f"it-drift-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false", check=False)


@pytest.fixture
def made_up(custom_kinds: None, namespace: str, api: Api) -> Iterator[Callable[[int], Declared]]:
    """`made_up(seed)` -> an object of each kind; those of no namespace go with the test."""
    made: Declared = []

    def make(seed: int) -> Declared:
        for label, kind in {**BUILT_IN, **CUSTOM}.items():
            maker = Maker(f"{seed} {label}", namespace)
            made.append((label, kind(maker, f"{label.lower()}-{seed}")))
        return list(made)

    yield make
    paths = {api.path_of(item, namespace) for _label, item in made}
    api.delete(path for path, namespaced in paths if not namespaced)


@pytest.fixture
def as_objects(
    cluster: Any, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Declared], Converge]:
    """`as_objects(declared)` -> what keeps them by k8s_objects with exclusive."""
    directory = tmp_path_factory.mktemp("run")

    def of(declared: Declared, **options: Any) -> Converge:
        def converge(*, check: bool = False) -> dict[str, Any]:
            args = {
                "kubeconfig": str(cluster.kubeconfig),
                "namespace": namespace,
                "definitions": [item for _label, item in declared],
                "exclusive": True,
                # what a workload's pods use is recorded in its annotations, which no declaration has
                "roll_on_config_change": False,
                **options,
            }
            return call(k8s_objects, directory, args, check=check, fails=None)

        return converge

    return of


@pytest.fixture
def as_release(
    cluster: Any, cloud: Any, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Declared], Converge]:
    """`as_release(declared)` -> what keeps them by helm_release, as one chart's templates."""
    for name, value in cloud.process_environment().items():
        monkeypatch.setenv(name, value)
    directory = tmp_path / "run"
    directory.mkdir(mode=0o700)

    versions: dict[str, int] = {}

    def of(declared: Declared, **options: Any) -> Converge:
        chart = tmp_path / "chart"
        (chart / "templates").mkdir(parents=True, exist_ok=True)
        text = "".join(f"---\n{json.dumps(item)}\n" for _label, item in declared)
        # another content is another version
        about = {"apiVersion": "v2", "name": "made-up", "version": f"1.0.{versions.setdefault(text, len(versions))}"}
        (chart / "Chart.yaml").write_text(json.dumps(about), encoding="utf-8")
        (chart / "templates" / "objects.yaml").write_text(text, encoding="utf-8")

        def converge(*, check: bool = False) -> dict[str, Any]:
            args = {
                "kubeconfig": str(cluster.kubeconfig),
                "namespace": namespace,
                "name": "made-up",
                "chart_ref": str(chart),
                "wait": False,
                **options,
            }
            return call(helm_release, directory, args, check=check, fails=None)

        return converge

    return of
