"""What every technique promises, held against each one that the registry finds."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from lab.options import PRESETS, grid, validate
from lab.plugs import Technique
from lab.registry import runtimes, techniques
from tests import tiny

FORMATS = set(tiny.WRITERS)
HEAVY = {
    "torch", "tensorflow", "keras", "onnx", "onnxruntime", "ai_edge_quantizer", "ai_edge_litert",
    "litert_torch", "executorch", "torchao", "openvino", "nncf",
}  # fmt: skip
ALIKE = {
    "tflite_weight_only_wi4": 0.95, "tflite_dynamic_wi4_afp32": 0.95, "tflite_static_wi4_ai8": 0.95,
    "tflite_static_wi4_ai16": 0.95, "tflite_gptq": 0.95, "tflite_oscar": 0.95,
    "tflite_dynamic_wi2_afp32": 0.5, "tflite_weight_only_wi2": 0.4, "nncf_onnx_static_int8": 0.97,
    "nncf_openvino_static_int8": 0.97, "nncf_openvino_accuracy": 0.97, "torch_weight_pruning": 0.85,
    "torch_weight_clustering": 0.97, "torch_low_rank": 0.25, "keras_weight_clustering": 0.97,
    "keras_low_rank": 0.25, "keras_channel_pruning": 0.5, "torch_channel_pruning": 0.5,
    "keras_weight_pruning": 0.7, "keras_gradual_pruning": 0.6,
}  # fmt: skip
"""Least correlation with the float answers, where 0.99 is too much to ask of the number format."""
LEARNT = 0.8
"""The same for what trains: it learns the classes that the float model chooses, and grows surer of
them.
"""

every = pytest.mark.parametrize("technique", techniques().values(), ids=techniques().keys())
compressing = [t for t in techniques().values() if not t.conversion]
every_compressing = pytest.mark.parametrize(
    "technique",
    [
        pytest.param(
            t,
            id=t.id,
            marks=[pytest.mark.slow] if t.toolchain in ("nncf", "torch", "tensorflow") else [],
        )
        for t in compressing
    ],
)


@every
def test_it_says_what_it_is(technique: Technique) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]+", technique.id)
    assert technique.title
    assert technique.help.endswith(".")
    assert set(technique.accepts) <= FORMATS
    assert technique.produces in FORMATS
    assert technique.requires
    assert technique.missing is None
    assert 0 < technique.typical_s < technique.timeout_s


@every
def test_its_options_obey_themselves(technique: Technique) -> None:
    for option in technique.options:
        assert option.label
        assert option.help.endswith(".")
        assert option.validate(option.default) == option.default
        assert set(option.sweep) <= set(PRESETS)
        for preset in PRESETS:
            values = option.values(preset)
            assert len(set(values)) == len(values) > 0
            assert [option.validate(value) for value in values] == list(values)
    assert len({option.id for option in technique.options}) == len(technique.options)


@every
def test_unknown_options_are_refused(technique: Technique) -> None:
    with pytest.raises(InvalidOption):
        validate(technique.options, {"no_such_option": 1}, technique.id)


@every
def test_a_larger_preset_tries_no_less(technique: Technique) -> None:
    sizes = [len(_grid(technique, preset)) for preset in PRESETS]
    assert all(small <= large for small, large in pairwise(sizes))


@every
def test_conversions_have_no_name_and_all_others_have_one(technique: Technique) -> None:
    defaults = validate(technique.options, {}, technique.id)
    assert bool(technique.name(defaults)) is not technique.conversion


def _grid(technique: Technique, preset: str) -> list[dict[str, Any]]:
    return [
        p
        for p in grid(technique.options, {o.id: o.values(preset) for o in technique.options})
        if technique.valid(p)
    ]


def test_names_are_unique_within_a_runtime() -> None:
    for runtime in runtimes().values():
        here = [t for t in compressing if t.produces in runtime.formats]
        names = [t.name(p) for t in here for p in (*_grid(t, "full"), *_extra(t))]
        assert len(set(names)) == len(names) >= len(here)


def _extra(technique: Technique) -> list[dict[str, Any]]:
    return [
        validate(technique.options, params, technique.id)
        for params in technique.extra.get("full", ())
    ]


def test_presets_are_as_large_as_they_should_be() -> None:
    """Files that a preset makes of one model that reaches every format, float ones included."""
    variants = {
        preset: (
            2
            + sum(
                len(_grid(t, preset)) + len(t.extra.get(preset, ()))
                for t in compressing
                if preset in t.presets
            )
        )
        for preset in PRESETS
    }
    assert 13 <= variants["quick"] <= 20
    assert variants["quick"] < variants["standard"] <= 45
    assert 100 <= variants["full"] <= 300


def test_importing_them_loads_no_framework() -> None:
    code = (
        "import sys; from lab.registry import runtimes, techniques; techniques(), runtimes();"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tiny.Sources:
    return tiny.Sources(tmp_path_factory.mktemp("sources"))


def _answers(format_: str, file: Path, x: Any) -> Any:
    """In the first runtime that takes the format; no runtime takes Keras files, so these become
    TFLite first.
    """
    if format_ == "keras":
        file, format_ = tiny.apply("keras_to_tflite", file, file.parent / "tflite"), "tflite"
    return tiny.answers(next(r.id for r in runtimes().values() if format_ in r.formats), file, x)


@every_compressing
def test_every_standard_variant_runs_and_answers_like_the_float_model(
    technique: Technique, sources: tiny.Sources, tmp_path: Path
) -> None:
    x, (format_,) = tiny.items(100), technique.accepts
    float_ = tiny.answers("ort", sources["onnx"], x)
    for number, params in enumerate(_grid(technique, "standard")):
        file = tiny.apply(technique.id, sources[format_], tmp_path / str(number), **params)
        outputs = _answers(technique.produces, file, x)
        assert file.is_relative_to(tmp_path / str(number))
        assert outputs.shape == float_.shape
        assert np.corrcoef(outputs.ravel(), float_.ravel())[0, 1] > ALIKE.get(
            technique.id, LEARNT if technique.trains else 0.99
        )


@every_compressing
def test_the_same_parameters_give_the_same_answers(
    technique: Technique, sources: tiny.Sources, tmp_path: Path
) -> None:
    (format_,), x = technique.accepts, tiny.items(20)
    once, twice = (
        tiny.apply(technique.id, sources[format_], tmp_path / n) for n in ("once", "twice")
    )
    assert (_answers(technique.produces, once, x) == _answers(technique.produces, twice, x)).all()


@every_compressing
def test_a_broken_file_is_refused_with_words(technique: Technique, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"this is no model at all")
    with pytest.raises(InvalidFile):
        tiny.apply(technique.id, broken, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize(
    "technique", [t for t in techniques().values() if t.conversion], ids=lambda t: t.id
)
def test_a_conversion_refuses_a_broken_file_with_words(
    technique: Technique, tmp_path: Path
) -> None:
    test_a_broken_file_is_refused_with_words(technique, tmp_path)
