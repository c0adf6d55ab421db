"""Documents cannot lie: the reference is what the registry says now, what they name exists, and they
stay short.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import re
import shlex
import tomllib
from pathlib import Path
from pkgutil import resolve_name

import pytest

import lab
from lab import registry
from lab.api._study_view import Choice, Study
from lab.cli.commands import parser
from lab.reference import FOLDER, reference
from lab.reference.settings import SETTINGS

ROOT = Path(__file__).parents[2]
WRITTEN = (
    "README.md",
    "ARCHITECTURE.md",
    *sorted(
        str(p.relative_to(ROOT))
        for part in ("guide", "design")
        for p in (ROOT / "docs" / part).glob("*.md")
    ),
)
DOCUMENTS = (
    *WRITTEN,
    "CHANGELOG.md",
    *sorted(str(p.relative_to(ROOT)) for p in FOLDER.glob("*.md")),
)
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(
    r"`((?:lab|pages|tests|sample_models|notebooks|docs|findings|\.ci|\.streamlit)/[\w./-]+)`"
)
MODULE = re.compile(r"`(lab\.(?!db`)[a-z_]+(?:\.\w+)*)`")  # lab.db is the database
MACHINE = re.compile(r"/(?:work|home|root|tmp|Users|mnt|opt|usr/local)/")
PLACEHOLDERS = {"MODEL": "digits_lenet", "TRIAL": "0123", "OTHER": "0124", "STUDY": "0125"}
PLUGS = {
    "models": registry.sample_cards,
    "datasets": registry.datasets,
    "tasks": registry.tasks,
    "formats": registry.formats,
    "techniques": registry.techniques,
    "runtimes": registry.runtimes,
    "processors": registry.processors,
    "metrics": registry.metrics,
    "rules": registry.rules,
}


def text_of(name: str) -> str:
    """The text of a document."""
    return (ROOT / name).read_text()


def prose(name: str) -> str:
    """A document without what stands in fences."""
    return FENCE.sub("", text_of(name))


def anchors(path: Path) -> set[str]:
    """The addresses of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def commands(name: str) -> list[str]:
    """The calls of the lab's command line in a document; what is only named gets its help."""
    lines = re.findall(r"^python -m lab (.+)$", text_of(name), re.MULTILINE)
    inline = re.findall(r"`python -m lab ([^`]+)`", text_of(name))
    return lines + [f"{c} --help" if " " not in c else c for c in inline]


def status_of(line: str) -> int:
    """The exit status of a command's parser: 0 where the arguments are understood."""
    words = shlex.split(line.partition("<<")[0], comments=True)
    try:
        parser().parse_args([PLACEHOLDERS.get(w, w) for w in words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def snippets(name: str) -> list[str]:
    """The blocks of Python in a document."""
    return re.findall(r"^```python\n(.*?)^```$", text_of(name), re.DOTALL | re.MULTILINE)


# --- the generated reference -----------------------------------------------------------------------


def test_the_reference_is_fresh():
    written = {p.name: p.read_text() for p in FOLDER.glob("*.md")}
    assert written == reference(), "run: python -m lab.reference"


@pytest.mark.parametrize("page", PLUGS)
def test_every_plug_has_a_heading_or_a_row(page):
    text = (FOLDER / f"{page}.md").read_text()
    ids = PLUGS[page]()
    assert ids
    missing = [i for i in ids if f"\n## {i}\n" not in text and f"\n| `{i}` |" not in text]
    assert not missing


def test_each_option_is_described_once():
    text = (FOLDER / "options.md").read_text()
    owners = [*registry.techniques().values(), *registry.runtimes().values()]
    declared = {(o.id, o.help, o.allowed) for owner in owners for o in owner.options}
    ids = {id_ for id_, *_ in declared}
    assert sorted(re.findall(r"^## (\S+)$", text, re.MULTILINE)) == sorted(ids)
    assert text.count(" Allowed: ") == len(declared)


def test_every_owner_is_named_with_each_of_its_options():
    text = (FOLDER / "options.md").read_text()
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    for owner in [*registry.techniques().values(), *registry.runtimes().values()]:
        for option in owner.options:
            assert f"[`{owner.id}`]" in sections[option.id]


def test_every_setting_that_the_code_reads_is_listed():
    sources = [ROOT / "streamlit_app.py"]
    for folder in ("lab", "pages", "sample_models"):
        sources += (ROOT / folder).rglob("*.py")
    read = {
        name
        for path in sources
        for name in re.findall(
            r'"(LAB_[A-Z_]+)"\s*(?:\)|,|\]|(?:not )?in os\.environ)', path.read_text()
        )
        if path.parent.name != "reference"
    }
    assert read == {s.name for s in SETTINGS}


def test_every_command_and_public_name_is_listed():
    text = (FOLDER / "command_line.md").read_text()
    known = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    assert [c for c in known.choices if f"\n## {c}\n" not in text] == []
    names = (FOLDER / "public_names.md").read_text()
    assert [n for n in lab.EXPORTED if not re.search(rf"^\| `{n}\b", names, re.MULTILINE)] == []


# --- what documents name ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    here = (ROOT / name).parent
    broken = []
    for target in LINK.findall(prose(name)):
        if target.startswith(("http:", "https:")):
            continue
        file, _, anchor = target.partition("#")
        path = here / file if file else ROOT / name
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("name", WRITTEN)
def test_paths_and_modules_exist(name):
    text = prose(name)
    assert not [p for p in PATH.findall(text) if not (ROOT / p).exists()]
    modules = [m for m in MODULE.findall(text) if m.removeprefix("lab.") not in lab.EXPORTED]
    for module in modules:
        resolve_name(module)


@pytest.mark.parametrize("name", WRITTEN)
def test_commands_are_understood(name):
    for line in commands(name):
        assert status_of(line) == 0, line


@pytest.mark.parametrize("name", ["README.md", "docs/guide/python.md"])
def test_python_uses_public_names_only(name):
    (code,) = snippets(name)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owners = {"lab": set(lab.EXPORTED), "study": set(dir(Study))}
            public = owners.get(node.value.id, set(Choice.__dataclass_fields__))
            assert node.attr in public
            assert not node.attr.startswith("_")


def test_the_readmes_python_has_eight_lines():
    (code,) = snippets("README.md")
    assert len([line for line in code.splitlines() if line]) <= 8


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_machine_is_in_a_document(name):
    assert not MACHINE.findall(text_of(name))


def test_every_dependency_has_its_reason():
    text = text_of("docs/design/dependencies.md")
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    names = [re.split(r"[=<>\[ ]", line)[0] for line in lines if line]
    assert not [n for n in names if f"`{n}`" not in text]


# --- how long they are -----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "words"), [("README.md", 1200), ("ARCHITECTURE.md", 2200)])
def test_documents_are_short(name, words):
    assert len(text_of(name).split()) <= words


def test_the_readme_has_few_pictures_and_no_generated_table():
    text = text_of("README.md")
    assert len(re.findall(r"!\[|<img", text)) <= 4
    assert "<!--" not in text


def test_architecture_is_readable_in_an_editor():
    lines = text_of("ARCHITECTURE.md").splitlines()
    assert not [line for line in lines if len(line) > 160]
    tables = [list(g) for bar, g in itertools.groupby(lines, lambda s: s.startswith("|")) if bar]
    assert not [rows[0] for rows in tables if len(rows) - 2 > 15]


def test_the_import_rule_is_that_of_the_linter():
    contracts = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["id"] == "layers")
    drawn = next(f for f in FENCE.findall(text_of("ARCHITECTURE.md")) if "cli → api" in f)
    assert " ".join(drawn.strip("`").split()) == " → ".join(layers).translate({40: None, 41: None})


def test_every_folder_of_the_lab_is_in_the_tree():
    text = text_of("ARCHITECTURE.md")
    folders = [p.parent.name for p in (ROOT / "lab").glob("*/__init__.py")]
    assert not [f for f in folders if f"`lab/{f}/`" not in text]
    modules = [p.stem for p in (ROOT / "lab").glob("*.py") if not p.stem.startswith("__")]
    assert not [m for m in modules if f"`{m}`" not in text]


def test_every_picture_is_shown():
    shown = {Path(t).name for name in WRITTEN for t in LINK.findall(text_of(name))}
    assert not [p.name for p in (ROOT / "docs/pictures").iterdir() if p.name not in shown]
