# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about plugins/module_utils: where an operation lives, what files are called, who may import whom."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MOST_FILES_OF_MODULE = 7
"""Of all of them together, for each module that runs an operation."""
MOST_LINES = 400
"""Below the imports: those depend on how many names a line takes."""
FEWEST_LINES = 40
PACKAGE = "ansible_collections.mcpops.platform.plugins.module_utils"

ENGINES = ("arm", "helm", "kube", "mcp")
"""Folders that know a protocol and no domain; each may import those that it names here."""
MAY_IMPORT = {"arm": (), "kube": (), "helm": ("kube",), "mcp": ("kube",)}
SITE = "site"
REGISTRY = "domains"
"""The one file that knows all domains."""
ROW = "domain"
"""The type of a domain's row, and the file of each row: its fields name the types of what reads them."""

INNER_NAMES = ("spec", "validate", "plan", "observe", "readiness", "diagnosis", "domain")
"""What files of a domain are called, also after a noun: server_spec."""
OTHER_SUBJECTS = {
    "gateway": (
        "field_limits",
        "trial_calls",
        "trial_cluster",
        "trial_judge",
        "trial_pods",
        "trial_samples",
        "trial_ways",
    ),
    "kmcp": (
        "cluster_state",
        "download",
        "facts",
        "schema_loss",
        "server_children",
        "server_fields",
        "server_policies",
        "server_rotation",
        "server_template",
        "server_types",
    ),
    "mesh": ("agent_code", "backup_scripts", "exposure", "members", "version_ranges"),
}
"""Subjects of a domain that no inner name fits; a name that could be anything is none."""
SHARED_NAMES = (
    *INNER_NAMES,
    "client",
    "cluster",
    "compare",
    "errors",
    "fields",
    "lease",
    "names",
    "options",
    "sdk",
    "transport",
)
"""Names that several folders may have; any other name is found in one place."""
NAMELESS = ("base", "common", "data", "general", "helper", "helpers", "manager", "misc", "shared", "tools", "utils")

PURE = ("plan", "readiness", "diagnosis", "spec", "validate")
"""Files of these names, and files of folders of these names, decide without asking: they import no client."""
ASKING = ("evidence", "snapshot", "wait")
"""Files of such folders whose subject is asking."""
ASKING_TOO = {"kmcp/diagnosis": "asks MCP servers what only an answer tells"}
CLIENTS = ("arm/client", "kube/client", "kube/transport", "mcp/http_client")
SMALL = {
    "kube/pinned_images": "the digest behind a tag, the same for all that names an image",
    "intent": "a policy that one can audit by eye",
    "kube/sdk": "keeps guarded imports away from everything else",
}
"""Files that are small for a reason."""


@dataclass(frozen=True)
class File:
    """A file of module_utils: its length below its imports, and what it imports."""

    lines: int = 100
    imports: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()
    """What it imports in a function, or for types only."""
    absolute: frozenset[str] = frozenset()
    """Which of them it names by the path of the collection."""


@dataclass(frozen=True)
class Tree:
    """The files of module_utils by path without extension, and the operation files of the modules."""

    files: Mapping[str, File]
    operations: Mapping[str, str] = field(default_factory=dict)
    """Module -> the file that holds its operation."""

    def folders(self) -> set[str]:
        return {path.partition("/")[0] for path in self.files if "/" in path}

    def domains(self) -> set[str]:
        return self.folders() - {*ENGINES, SITE}


def read(root: Path) -> Tree:
    """The tree of a checkout."""
    utils = root / "plugins" / "module_utils"
    paths = {_path(file, utils): file for file in utils.rglob("*.py") if file.stem != "__init__"}
    files = {path: _file(path, ast.parse(file.read_text(encoding="utf-8")), paths) for path, file in paths.items()}
    return Tree(files, _operations(root, paths))


def misplaced_operations(tree: Tree) -> Iterator[str]:
    """The operation of a module lives in a file of its name; `x_info` may share the file of `x`."""
    for module, path in sorted(tree.operations.items()):
        if path.rpartition("/")[2] not in (module, module.removesuffix("_info")):
            yield f"the operation of {module} is in {path}"


def wrong_names(tree: Tree) -> Iterator[str]:
    """Names that say nothing, names of domains' files that are not agreed, and names that two folders have."""
    places = defaultdict(list)
    for path in sorted(tree.files):
        folder, _slash, name = path.rpartition("/")
        places[name].append(path)
        if name in NAMELESS:
            yield f"{path} could hold anything: name its subject"
        elif folder in tree.domains() and not _is_agreed(folder, name, tree.operations):
            yield f"{path} is none of {', '.join(INNER_NAMES)}, no module and no agreed subject"
    for name, paths in sorted(places.items()):
        if len(paths) > 1 and name not in SHARED_NAMES:
            yield f"{name} is found in several places: {', '.join(paths)}"


def forbidden_arrows(tree: Tree) -> Iterator[str]:
    """Engines import no domain, domains each other neither, nothing imports site, what decides imports no client."""
    for path, file in sorted(tree.files.items()):
        for imported in sorted(file.imports | file.late):
            reason = _forbidden(path, imported, tree.domains())
            if reason:
                yield f"{path} imports {imported}: {reason}"


def cycles(tree: Tree) -> Iterator[str]:
    """Files that import each other when they are imported."""
    done: set[str] = set()
    for start in sorted(tree.files):
        yield from _walk(tree, start, (), done)


def wrong_sizes(tree: Tree) -> Iterator[str]:
    """Too many files, too long ones, and splinters."""
    most = MOST_FILES_OF_MODULE * len(tree.operations)
    if tree.operations and len(tree.files) > most:
        yield f"{len(tree.files)} files, {most} are allowed for {len(tree.operations)} modules"
    for path, file in sorted(tree.files.items()):
        if file.lines > MOST_LINES:
            yield f"{path} has {file.lines} lines below its imports, {MOST_LINES} are allowed"
        elif file.lines < FEWEST_LINES and path not in SMALL:
            yield f"{path} has {file.lines} lines below its imports: merge it, or give a reason in SMALL"


def absolute_imports(tree: Tree) -> Iterator[str]:
    """Imports inside of module_utils are relative."""
    for path, file in sorted(tree.files.items()):
        if file.absolute:
            yield f"{path} imports by the collection's path: {', '.join(sorted(file.absolute))}"


RULES: dict[str, Callable[[Tree], Iterator[str]]] = {
    "the operation of a module lives in a file of its name": misplaced_operations,
    "files are named after their subject": wrong_names,
    "no forbidden arrow": forbidden_arrows,
    "no cycle": cycles,
    "few files of readable length": wrong_sizes,
    "imports are relative": absolute_imports,
}


def _forbidden(path: str, imported: str, domains: set[str]) -> str:
    ours, theirs = (one.partition("/")[0] if "/" in one else "" for one in (path, imported))
    name = path.rpartition("/")[2]
    if theirs == SITE and ours != SITE and name != ROW:
        return "only actions import site"
    if ours in ENGINES and theirs in domains:
        return f"{ours} knows no domain"
    # a row of the registry says in the words of other engines what is its own
    if ours in ENGINES and theirs in ENGINES and theirs not in (ours, *MAY_IMPORT[ours]) and name != ROW:
        return f"{ours} does not know {theirs}"
    if ours in domains and theirs in domains - {ours}:
        return "a domain knows no other; what two need moves down"
    if not ours and theirs and path not in (REGISTRY, ROW):
        return "what all folders share imports none of them"
    if (
        imported in CLIENTS
        and name not in ASKING
        and path not in ASKING_TOO
        and ({*path.split("/")} & {*PURE} or name.endswith("_plan"))
    ):
        return "it decides without asking"
    return ""


def _is_agreed(folder: str, name: str, modules: Mapping[str, str]) -> bool:
    inner = any(name == one or name.endswith(f"_{one}") for one in INNER_NAMES)
    return inner or name in modules or name in OTHER_SUBJECTS.get(folder, ())


def _walk(tree: Tree, path: str, above: tuple[str, ...], done: set[str]) -> Iterator[str]:
    if path in above:
        yield " -> ".join((*above[above.index(path) :], path))
        return
    if path in done or path not in tree.files:
        return
    for imported in sorted(tree.files[path].imports):
        yield from _walk(tree, imported, (*above, path), done)
    done.add(path)


def _path(file: Path, utils: Path) -> str:
    return file.relative_to(utils).with_suffix("").as_posix()


def _file(path: str, tree: ast.Module, paths: Mapping[str, Path]) -> File:
    at_import = {id(node) for node in _at_import(tree.body)}
    found: dict[str, set[str]] = {"imports": set(), "late": set(), "absolute": set()}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = set(_imported(path, node, paths))
            found["imports" if id(node) in at_import else "late"] |= names
            found["absolute"] |= names if not node.level else set()
    return File(_lines(tree), **{key: frozenset(names - {path}) for key, names in found.items()})


def _at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when the file is imported."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        for part in ("body", "orelse", "handlers", "finalbody"):
            yield from _at_import(getattr(node, part, []))


def _imported(path: str, node: ast.ImportFrom, paths: Mapping[str, Path]) -> Iterator[str]:
    """The files of module_utils that one statement imports, as modules or by their names."""
    if node.level and (node.module or "").startswith("module_utils"):
        # of a plugin beside module_utils
        parts = (node.module or "").split(".")[1:]
    elif node.level:
        above = path.split("/")[: -node.level]
        parts = [*above, *(node.module or "").split(".")]
    elif node.module and f"{node.module}.".startswith(f"{PACKAGE}."):
        parts = node.module.removeprefix(PACKAGE).split(".")
    else:
        return
    module = "/".join(part for part in parts if part)
    for alias in node.names:
        whole = f"{module}/{alias.name}".strip("/")
        yield from (one for one in (whole, module) if one in paths)


def _lines(tree: ast.Module) -> int:
    rest = [
        node
        for node in tree.body
        if not isinstance(node, (ast.Import, ast.ImportFrom))
        and not (isinstance(node, ast.Expr) and node is tree.body[0])
    ]
    return (rest[-1].end_lineno or 0) - rest[0].lineno + 1 if rest else 0


def _operations(root: Path, paths: Mapping[str, Path]) -> dict[str, str]:
    """What each module gives to run_module, by the import that brings it."""
    found: dict[str, str] = {}
    for file in sorted((root / "plugins" / "modules").glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assigned = (node for node in tree.body if isinstance(node, ast.Assign))
        operation = next((node.value for node in assigned if _defines(node, "OPERATION")), None)
        if operation is None:
            continue
        wanted = {node.id for node in ast.walk(operation) if isinstance(node, ast.Name)}
        for node in (one for one in tree.body if isinstance(one, ast.ImportFrom)):
            names = [alias for alias in node.names if (alias.asname or alias.name) in wanted]
            brought = ast.ImportFrom(node.module, names, node.level)
            found.update((file.stem, path) for path in _imported("", brought, paths) if path != REGISTRY)
    return found


def _defines(node: ast.Assign, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in node.targets)
