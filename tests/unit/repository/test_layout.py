# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an operation lives, what files of module_utils are called, and who may import whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from gate.checkout import CHECKOUT
from gate.rules import layout
from gate.rules.layout import File, Tree


@pytest.fixture(scope="module")
def tree() -> Tree:
    return layout.read(CHECKOUT)


@pytest.mark.parametrize("rule", layout.RULES)
def test_the_layout_holds(tree: Tree, rule: str) -> None:
    assert list(layout.RULES[rule](tree)) == []


def test_every_module_that_runs_an_operation_is_looked_at(tree: Tree) -> None:
    modules = (CHECKOUT / "plugins" / "modules").glob("*.py")
    assert set(tree.operations) == {file.stem for file in modules if "run_module(" in file.read_text(encoding="utf-8")}


def files(**imports: str) -> Tree:
    """`kube__client="plan errors"` is kube/client, which imports plan and errors."""
    return Tree({name.replace("__", "/"): File(imports=frozenset(text.split())) for name, text in imports.items()})


# a tree that keeps a rule, and one that breaks it -> a part of what is said of the latter
WRONG: dict[str, tuple[Callable[[Tree], object], Tree, Tree, str]] = {
    "an operation elsewhere": (
        layout.misplaced_operations,
        Tree({}, {"pool": "arm/pool", "pool_info": "arm/pool"}),
        Tree({}, {"pool": "arm/operation"}),
        "the operation of pool is in arm/operation",
    ),
    "an info module elsewhere": (
        layout.misplaced_operations,
        Tree({}, {"pool_info": "arm/pool_info"}),
        Tree({}, {"pool_info": "arm/list"}),
        "arm/list",
    ),
    "a name that says nothing": (
        layout.wrong_names,
        files(arm__names=""),
        files(arm__utils=""),
        "arm/utils could hold anything",
    ),
    "a domain's own name": (
        layout.wrong_names,
        files(mesh__spec="", mesh__agent_plan="", mesh__domain=""),
        files(mesh__surroundings=""),
        "mesh/surroundings is none of",
    ),
    "one name for two subjects": (
        layout.wrong_names,
        files(arm__errors="", kube__errors=""),
        files(arm__waiting="", kube__waiting=""),
        "arm/waiting, kube/waiting",
    ),
    "an engine that knows a domain": (
        layout.forbidden_arrows,
        files(mesh__domain="kube/client", domains="mesh/domain"),
        files(mesh__domain="", kube__diagnosis__snapshot="mesh/domain"),
        "kube knows no domain",
    ),
    "an engine that knows another": (
        layout.forbidden_arrows,
        files(helm__chart="kube/manifests", arm__domain="kube/writers"),
        files(kube__manifests="helm/chart"),
        "kube does not know helm",
    ),
    "two domains": (
        layout.forbidden_arrows,
        files(mesh__domain="mesh/readiness", agents__domain="agents/readiness"),
        files(mesh__domain="", agents__domain="mesh/domain"),
        "a domain knows no other",
    ),
    "site below": (
        layout.forbidden_arrows,
        files(site__rules="site/inventory"),
        files(kube__client="site/inventory"),
        "only actions import site",
    ),
    "a root that knows a folder": (
        layout.forbidden_arrows,
        files(waiting="errors", errors=""),
        files(waiting="kube/client"),
        "imports none of them",
    ),
    "a plan that asks": (
        layout.forbidden_arrows,
        files(arm__aks__plan="arm/compare", kube__readiness__wait="kube/client"),
        files(arm__resource_plan="arm/client"),
        "it decides without asking",
    ),
    "a check of readiness that asks": (
        layout.forbidden_arrows,
        files(kube__readiness__pods="kube/readiness/status"),
        files(kube__readiness__pods="kube/client"),
        "it decides without asking",
    ),
    "a cycle": (
        layout.cycles,
        files(a="b c", b="c", c=""),
        files(a="b", b="c", c="a"),
        "a -> b -> c -> a",
    ),
    "a hall": (
        layout.wrong_sizes,
        Tree({"a": File(lines=layout.MOST_LINES)}),
        Tree({"a": File(lines=layout.MOST_LINES + 1)}),
        "a has 401 lines",
    ),
    "a splinter": (
        layout.wrong_sizes,
        Tree({"intent": File(lines=1), "a": File(lines=layout.FEWEST_LINES)}),
        Tree({"a": File(lines=layout.FEWEST_LINES - 1)}),
        "merge it",
    ),
    "too many files": (
        layout.wrong_sizes,
        Tree({f"f{number}": File() for number in range(2 * layout.MOST_FILES_OF_MODULE)}, {"m": "f0", "n": "f1"}),
        Tree({f"f{number}": File() for number in range(2 * layout.MOST_FILES_OF_MODULE)}, {"m": "f0"}),
        "14 files, 7 are allowed",
    ),
    "an absolute import": (
        layout.absolute_imports,
        Tree({"a": File(imports=frozenset({"b"}))}),
        Tree({"a": File(absolute=frozenset({"b"}))}),
        "a imports by the collection's path: b",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_layout_is_found(case: str) -> None:
    rule, right, wrong, words = WRONG[case]
    assert list(rule(right)) == []  # type: ignore[call-overload]
    assert any(words in line for line in rule(wrong))  # type: ignore[attr-defined]


# source of kube/a -> what it imports at once, what later, what by the collection's path
SOURCES = {
    "from .b import X": ({"kube/b"}, set(), set()),
    "from . import b": ({"kube/b"}, set(), set()),
    "from ..plan import Plan": ({"plan"}, set(), set()),
    "from .. import plan": ({"plan"}, set(), set()),
    "from .apply.read import read": ({"kube/apply/read"}, set(), set()),
    f"from {layout.PACKAGE}.kube.b import X": ({"kube/b"}, set(), {"kube/b"}),
    f"from {layout.PACKAGE}.kube import b": ({"kube/b"}, set(), {"kube/b"}),
    f"from {layout.PACKAGE} import plan": ({"plan"}, set(), {"plan"}),
    "def f():\n    from .b import X": (set(), {"kube/b"}, set()),
    "try:\n    from .b import X\nexcept ImportError:\n    pass": ({"kube/b"}, set(), set()),
    "if TYPE_CHECKING:\n    from .b import X": (set(), {"kube/b"}, set()),
    "from dataclasses import field\nimport json": (set(), set(), set()),
}


@pytest.mark.parametrize("source", SOURCES)
def test_imports_are_read_in_every_form(source: str, tmp_path: Path) -> None:
    utils = tmp_path / "plugins" / "module_utils"
    for path, text in {"kube/a": f'"""A."""\n\n{source}\n', "kube/b": "", "plan": "", "kube/apply/read": ""}.items():
        (utils / path).parent.mkdir(parents=True, exist_ok=True)
        (utils / f"{path}.py").write_text(text, encoding="utf-8")
    file = layout.read(tmp_path).files["kube/a"]
    assert (file.imports, file.late, file.absolute) == SOURCES[source]


OPERATIONS = {
    "module": "from {package}.arm import pool\n\nOPERATION = pool.converge\n",
    "name": "from {package}.arm.pool import converge\n\nOPERATION = converge\n",
    "with the registry": (
        "from functools import partial\nfrom {package}.domains import DOMAINS\nfrom {package}.arm import pool\n\n"
        "OPERATION = partial(pool.converge, domains=DOMAINS)\n"
    ),
}


@pytest.mark.parametrize("how", OPERATIONS)
def test_the_operation_of_a_module_is_found(how: str, tmp_path: Path) -> None:
    for path in ("plugins/module_utils/arm/pool.py", "plugins/module_utils/domains.py", "plugins/modules/pool.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(OPERATIONS[how].format(package=layout.PACKAGE) if "modules/" in path else "")
    assert layout.read(tmp_path).operations == {"pool": "arm/pool"}
