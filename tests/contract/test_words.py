"""The language of code and app: docstrings say what a thing is or does, labels are plain, names are
the field's.

`python -m tests.contract.test_words` lists every place that breaks a rule, and counts them by
folder.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("lab", "pages", "sample_models")
OPENINGS = re.compile(
    r"(What|Which|How|Whether|Why|That|Those|Such|Where|Everything|Nothing|It|They|Its|Their)\b(?!-)"
    r"|One of (the|these|those)\b|All (at once|that|of)\b"
)
"""Openings of a docstring that is neither a sentence with a verb nor a noun of the field."""
LABELS = (
    "What this comes to",
    "What could compute it",
    "cannot be converted for it",
    "takes any batch where",
    "Trains the model on while",
    "cannot compute convolutions so",
    "few models bear",
    "I want the model that is",
    "Faint: beaten",
    "Tick rows: the last",
    "trainings went",
    "training went",
    "answers alike on at least",
    "turns of timed runs",
    "disturbed and made again",
    "each objective laid from",
    "of them otherwise:",
    "Such are ",
    "change hands",
    "what the delegate does not take",
    "for whoever reaches this server",
    "Copy it with the button at its right",
    "Take back",
    "Somebody shares this study",
    "which ordinary ones on CPUs have not",
    "Ask it of another model",
    "What is what",
    "Mixed precision by itself",
    "The processor, and what else it does",
    "× less time",
    "surest of its own answer",
    "where both waver",
    "Accuracy lost at most",
    "All that was measured",
    "Nothing trains at this moment",
    "what waits begins when",
)
"""Wordings of the app that plainer ones replaced."""
NAMES = ("told", "answers", "found")
"""Names of functions, classes and attributes that say nothing of the field: prediction, output,
element or result does. Local variables may have them.
"""
READ_BY_USERS = {("lab/cards/training.py", "found")}
"""Attributes of results of public functions, which scripts of users read: `lab.train(…).found`."""


@dataclass(frozen=True)
class Place:
    """A place in the code that breaks a rule."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"

    @property
    def folder(self) -> str:
        return "/".join(Path(self.file).parent.parts[:2])


@cache
def trees() -> dict[str, ast.Module]:
    """Every file of the folders, parsed."""
    files = sorted(f for folder in FOLDERS for f in (ROOT / folder).rglob("*.py"))
    return {str(f.relative_to(ROOT)): ast.parse(f.read_text()) for f in files}


def docstrings() -> list[Place]:
    """Docstrings of modules, and of public classes and functions, that begin as none should."""
    return [
        Place(file, line, f"docstring: {text.splitlines()[0]}")
        for file, tree in trees().items()
        for line, text in _documented(tree)
        if OPENINGS.match(text)
    ]


def _documented(node: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, docstring) of a module or class and of the public definitions in it, but not of what
    functions hold.
    """
    if text := ast.get_docstring(node):  # type: ignore[arg-type]
        yield node.body[0].lineno, text  # type: ignore[attr-defined]
    for child in [] if isinstance(node, ast.FunctionDef) else node.body:  # type: ignore[attr-defined]
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and not child.name.startswith("_"):
            yield from _documented(child)


def labels() -> list[Place]:
    """Texts with a wording that was replaced."""
    return [
        Place(file, node.lineno, f"label: {wording}")
        for file, tree in trees().items()
        for node in ast.walk(tree)
        for wording in LABELS
        if wording in _text(node)
    ]


def _text(node: ast.AST) -> str:
    """A text as it is shown, whatever is filled in left out; what lies in an f-string is read as a
    part of it.
    """
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(v) if isinstance(v, ast.Constant) else "…" for v in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def names() -> list[Place]:
    """Functions, classes and attributes with a name that says nothing."""
    return [
        Place(file, line, f"name: {name}")
        for file, tree in trees().items()
        if file.startswith("lab/")
        for line, name in _declared(tree)
        if name.strip("_") in NAMES and (file, name) not in READ_BY_USERS
    ]


def _declared(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        if isinstance(node, ast.ClassDef):
            yield from ((f.lineno, _target(f)) for f in node.body)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def _target(statement: ast.stmt) -> str:
    """The name that a statement of a class gives a value."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""


RULES = (docstrings, labels, names)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_plain_words(rule):
    places = rule()
    assert not places, f"{len(places)} places:\n" + "\n".join(map(str, places))


def test_the_rules_see_what_they_forbid():
    tree = ast.parse(
        '"""What it holds."""\n'
        "class A:\n"
        '    """One of the four."""\n'
        "    told: int\n"
        "    def b(self):\n"
        '        """Which layers."""\n'
        "        self.answers = 1\n"
        "    def _c(self):\n"
        '        """What nobody reads."""\n'
        "        found = 1\n"
    )
    assert [line for line, text in _documented(tree) if OPENINGS.match(text)] == [1, 3, 6]
    assert [name for _, name in _declared(tree) if name in NAMES] == ["told", "answers"]
    shown = ast.parse("f'How the {n} trainings ' 'went'").body[0].value  # type: ignore[attr-defined]
    assert _text(shown) == "How the … trainings went"
    assert not OPENINGS.match("What-if runs of a study.")


if __name__ == "__main__":
    for rule in RULES:
        broken = rule()
        print(f"{rule.__name__}: {len(broken)}")
        for folder, count in sorted(Counter(place.folder for place in broken).items()):
            print(f"  {folder}: {count}")
    for place in (place for rule in RULES for place in rule()):
        print(place)
