"""What every file that the lab can run promises of its anatomy, whatever technique made it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import pytest

from lab.evidence import Anatomy, Kind
from lab.formats.anatomy import PARTS, anatomy
from lab.formats.inspect import inspect
from lab.formats.layers import activation_peak_bytes, layer_table
from lab.registry import formats, runtimes, techniques
from tests import tiny

FORMATS = [format_.id for format_ in formats().values() if format_.has("anatomy")]
HEAVY = {"torch_export", "torchscript", "executorch", "openvino_ir"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tiny.Sources:
    return tiny.Sources(tmp_path_factory.mktemp("sources"))


def check(file: Path, format_: str) -> Anatomy:
    found = anatomy(file, format_)
    assert found.format == format_
    assert tuple(found.parts) == PARTS
    assert min(found.parts.values()) >= 0
    assert sum(found.parts.values()) == found.size_bytes == file.stat().st_size
    assert {o.kind for o in found.operators} <= set(get_args(Kind))
    assert len({o.name for o in found.operators}) == len(found.operators)
    assert all(0 <= o.zeros <= o.weights for o in found.operators)
    assert (
        sum(o.weight_bytes for o in found.operators)
        == found.parts["weights"] + found.parts["embeddings"]
    )
    assert Anatomy.from_json(json.loads(json.dumps(asdict(found)))) == found
    return found


def agree_with_the_inspection(found: Anatomy, inspection: dict[str, Any]) -> None:
    counts = [o.macs for o in found.operators]
    assert found.weights == inspection["parameters"]
    assert (None if None in counts else sum(c or 0 for c in counts)) == inspection["macs"]


def agree_with_the_layer_table(found: Anatomy, file: Path) -> None:
    table = layer_table(file, found.format)
    assert [o.name for o in found.operators] == [row.name for row in table]
    assert len(found.live_bytes) == len(table)
    peak, counted = max(found.live_bytes), activation_peak_bytes(table)
    unpacks = any(o.kind in ("quantize", "dequantize") for o in found.operators)
    assert (
        peak <= counted if unpacks else peak == counted
    )  # the table takes each row as it stands, fused or not


def has_layers(format_: str) -> bool:
    return formats()[format_].has("layers")


def marked(names: Sequence[str], formats: Sequence[str]) -> list[Any]:
    return [
        pytest.param(n, id=n, marks=[pytest.mark.slow] if f in HEAVY else [])
        for n, f in zip(names, formats, strict=True)
    ]


def test_every_format_that_runs_has_one() -> None:
    assert set(FORMATS) == {
        format_ for runtime in runtimes().values() for format_ in runtime.formats
    }


@pytest.mark.parametrize("format_", marked(FORMATS, FORMATS))
def test_a_float_file(format_: str, sources: tiny.Sources) -> None:
    found = check(sources[format_], format_)
    assert found.unfused_pairs == 0
    assert found.weights == sum(w.size for w in tiny.weights().values()) + (
        2 * tiny.FILTERS if format_ == "torch_export" else 0
    )
    assert {o.weight_dtype for o in found.operators if o.weights} == {"float32"}
    if inspection := inspect(sources[format_], format_):
        agree_with_the_inspection(found, inspection)
    if has_layers(format_):
        agree_with_the_layer_table(found, sources[format_])


_COMPRESSING = [t for t in techniques().values() if not t.conversion and t.produces in FORMATS]


@pytest.mark.parametrize(
    "id_",
    [
        pytest.param(
            t.id, marks=[pytest.mark.slow] if t.toolchain in ("nncf", "torch", "tensorflow") else []
        )
        for t in _COMPRESSING
    ],
)
def test_a_file_of_every_technique(id_: str, sources: tiny.Sources, tmp_path: Path) -> None:
    technique = techniques()[id_]
    file = tiny.apply(id_, sources[technique.accepts[0]], tmp_path)
    found = check(file, technique.produces)
    if inspection := inspect(file, technique.produces):  # a source format has none
        agree_with_the_inspection(found, inspection)
    if has_layers(technique.produces):
        agree_with_the_layer_table(found, file)
