"""Promises of every registered file format, and of the code outside of the formats' packages."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import registry
from lab.errors import InvalidFile
from lab.formats.inspect import detect_format, recognised
from lab.plugs import FACES, PURPOSES, Format
from tests import tiny

ROOT = Path(__file__).resolve().parents[2]
FORMATS = registry.formats()
HEAVY = {"keras", "torch_export", "torchscript", "executorch", "openvino_ir"}
"""Formats whose tiny file needs a framework to be written."""
FRAMEWORKS = ("torch", "tensorflow", "keras", "onnxruntime", "openvino", "executorch")
FREE = ("lab/formats/", "lab/compress/", "lab/techniques/", "lab/runtimes/", "lab/processors/")
"""Folders whose files are about a format by their name or their declaration."""
every = pytest.mark.parametrize("format_", FORMATS.values(), ids=FORMATS.keys())


def written(*faces: str) -> pytest.MarkDecorator:
    """Parametrize over the formats that the tiny model can be written as and that have all faces."""
    chosen = [f for f in FORMATS.values() if f.id in tiny.WRITERS and all(map(f.has, faces))]
    marks = {f.id: [pytest.mark.slow] if f.id in HEAVY else [] for f in chosen}
    return pytest.mark.parametrize(
        "format_", [pytest.param(f, id=f.id, marks=marks[f.id]) for f in chosen]
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tiny.Sources:
    return tiny.Sources(tmp_path_factory.mktemp("formats"))


def head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


@every
def test_it_says_what_it_is(format_: Format) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]+", format_.id)
    assert format_.title
    assert format_.help.endswith(".")
    assert format_.suffixes
    assert all(re.fullmatch(r"\.[a-z0-9]+", suffix) for suffix in format_.suffixes)
    assert format_.missing is None
    assert (ROOT / "lab" / "formats" / format_.id / "__init__.py").is_file()


def test_titles_and_suffixes_differ() -> None:
    titles = [f.title for f in FORMATS.values()]
    suffixes = [suffix for f in FORMATS.values() for suffix in f.suffixes]
    frameworks = [name for f in FORMATS.values() for name in f.frameworks]
    for values in (titles, suffixes, frameworks):
        assert len(set(values)) == len(values)


def test_every_format_that_a_plug_names_is_registered() -> None:
    named = {f for runtime in registry.runtimes().values() for f in runtime.formats}
    for technique in registry.techniques().values():
        named |= {*technique.accepts, technique.produces}
    named |= {f for processor in registry.processors().values() for f in processor.formats}
    named |= {card.format for card in registry.sample_cards().values()}
    assert named == set(FORMATS)


def test_every_format_that_a_runtime_takes_can_be_shown_and_shipped() -> None:
    for runtime in registry.runtimes().values():
        for id_ in runtime.formats:
            assert FORMATS[id_].has("inspect"), id_
            assert FORMATS[id_].has("anatomy"), id_
            assert FORMATS[id_].has("loading"), id_


@written()
def test_it_recognises_its_own_file_and_no_other(format_: Format, files: tiny.Sources) -> None:
    path = files[format_.id]
    head = head_of(path)
    assert [f.id for f in FORMATS.values() if f.recognises(path, head)] == [format_.id]


@written()
def test_models_are_added_as_source_formats_only(format_: Format, files: tiny.Sources) -> None:
    if format_.source:
        assert detect_format(files[format_.id]) == format_.id
    else:
        with pytest.raises(InvalidFile, match=r"not taken in|pickle"):
            detect_format(files[format_.id])


@pytest.mark.parametrize("content", [b"", b"P", b"\x08", b"\xff" * 64, b"PK\x03\x04" + b"\0" * 60])
def test_junk_is_recognised_by_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "junk"
    path.write_bytes(content)
    if content.startswith(b"PK\x03"):
        with pytest.raises(InvalidFile, match="damaged"):
            recognised(path, content)
    else:
        assert recognised(path, content) is None


@written("parts")
def test_parts_are_the_whole(format_: Format, files: tiny.Sources) -> None:
    parts = format_.parts(files[format_.id])
    assert len(parts) > 1
    assert 0 < sum(map(len, parts.values())) <= files[format_.id].stat().st_size


@written("layers", "anatomy")
def test_its_layers_are_the_operators_of_its_anatomy(format_: Format, files: tiny.Sources) -> None:
    rows, anatomy = format_.layers(files[format_.id]), format_.anatomy(files[format_.id])
    assert len(rows) == len(anatomy.operators)
    assert sum(anatomy.parts.values()) == anatomy.size_bytes


@written("loading")
def test_its_lines_run_in_a_process_without_the_lab(
    format_: Format, files: tiny.Sources, tmp_path: Path
) -> None:
    loading, source = format_.loading(), files[format_.id]
    parts = format_.parts(source) if format_.parts else {source.name: source.read_bytes()}
    for name, content in parts.items():
        (tmp_path / name).write_bytes(content)
    image = [tiny.SIDE, tiny.SIDE]
    shape = [1, *image, tiny.CHANNELS] if format_.id == "tflite" else [1, tiny.CHANNELS, *image]
    facts = {"input": {"shape": shape, "dtype": "float32"}, "options": {}}
    facts |= loading.details(source) if loading.details else {}
    lines = loading.lines(next(iter(parts)), facts)
    code = f"import numpy as np\n{lines}\nprint(run(np.zeros({shape}, 'float32')).shape)"
    code += "\nimport sys; assert not any(m.split('.')[0] == 'lab' for m in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": "", "ORT_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"(1, {tiny.CLASSES})"


def test_listing_the_formats_loads_no_framework() -> None:
    code = (
        "import sys; from lab import registry; registry.formats();"
        f"print([name for name in {FRAMEWORKS} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_faces_are_fields() -> None:
    assert set(FACES) <= set(Format.__dataclass_fields__)


def test_purposes_are_known_and_each_is_served_once_a_format() -> None:
    for technique in registry.techniques().values():
        assert set(technique.purposes) <= set(PURPOSES), technique.id
    for purpose in set(PURPOSES) - {"embeddings"}:
        served = [t.produces for t in registry.techniques().values() if purpose in t.purposes]
        assert served, purpose
        assert len(set(served)) == len(served), purpose


def test_no_code_outside_of_the_formats_compares_with_a_format() -> None:
    """Where a format matters, its plug says so: a table or an if with its id would have to be found
    and changed for every new format.
    """
    places = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("lab", "pages")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not str(path.relative_to(ROOT)).startswith(FREE) or path.parent.name == "formats"
        for line in format_literals(ast.parse(path.read_text()))
    ]
    assert places == []


def format_literals(tree: ast.AST) -> Iterator[int]:
    """Lines on which a format's id is a key of a dict, compared with, or an element of a
    collection.
    """
    for node in ast.walk(tree):
        parts: list[ast.expr | None] = []
        if isinstance(node, ast.Dict):
            parts = [*node.keys]
        elif isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Tuple | ast.List | ast.Set):
            parts = [*node.elts]
        for part in parts:
            if isinstance(part, ast.Constant) and part.value in FORMATS:
                yield part.lineno
