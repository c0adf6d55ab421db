"""Structure of the code: no circle of imports, no long file, no crowded folder, doors that stay
shut.

import-linter (`pyproject.toml`) sees imports between packages; here every module counts, and
imports inside functions as well.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST, MOST_FILES = 400, 30
PLUGS = {
    "lab/datasets",
    "lab/metrics",
    "lab/processors",
    "lab/rules",
    "lab/runtimes",
    "lab/techniques",
    "sample_models",
}
LOOSE = {
    "__init__", "__main__", "errors", "evidence", "home", "lazy", "options", "registry",
    "statistics",
}  # fmt: skip
CALLERS_OF_COMPRESS = {"lab.compress", "lab.questions", "lab.techniques"}


def files_of(*folders: str) -> list[Path]:
    return [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a module, those that only type checkers read excluded."""
    for node in ast.iter_child_nodes(tree):
        if not is_for_types_only(node):
            yield node
            yield from statements(node)


def names_imported(tree: ast.AST) -> Iterator[str]:
    """Names in imports, those inside functions included; `from a import b` gives a.b."""
    for node in statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports() -> dict[str, set[str]]:
    """Module of `lab` -> modules of `lab` that it imports."""
    files = {module_of(file): file for file in files_of("lab")}

    def module(name: str) -> str:
        return name if name in files else name.rpartition(".")[0]

    return {
        name: {module(i) for i in names_imported(ast.parse(file.read_text()))} & set(files) - {name}
        for name, file in files.items()
    }


def circle_in(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_circle_of_imports() -> None:
    assert circle_in(imports()) == []


def test_a_circle_would_be_found() -> None:
    code = "from a import b\ndef f():\n    from lab.types import Step"
    assert list(names_imported(ast.parse(code))) == ["a.b", "lab.types.Step"]
    assert sorted(set(circle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}}))) == ["a", "b", "c"]


def test_imports_for_types_only_do_not_count() -> None:
    code = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import lab"
    assert list(names_imported(ast.parse(code))) == ["typing.TYPE_CHECKING"]


def test_no_file_is_long() -> None:
    files = files_of("lab", "pages", "sample_models", "tests")
    lengths = {str(f.relative_to(ROOT)): len(f.read_text().splitlines()) for f in files}
    assert {name: n for name, n in lengths.items() if n > LONGEST} == {}


def test_no_folder_is_crowded() -> None:
    folders = Counter(str(f.parent.relative_to(ROOT)) for f in files_of("lab", "pages"))
    assert {f: n for f, n in folders.items() if n > MOST_FILES and f not in PLUGS} == {}


def test_no_loose_modules_in_lab() -> None:
    assert {file.stem for file in (ROOT / "lab").glob("*.py")} == LOOSE


def test_techniques_alone_change_files() -> None:
    callers = {
        ".".join(module.split(".")[:2])
        for module, imported in imports().items()
        if any(name.split(".")[:2] == ["lab", "compress"] for name in imported)
    }
    assert callers <= CALLERS_OF_COMPRESS
