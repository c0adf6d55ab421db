"""One scale a tensor: rounded as it should be, biases moved with it, files with one scale left
alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.formats.feeding import run_all
from lab.plugs import Setting
from lab.processors import _one_scale_onnx, _one_scale_tflite
from lab.processors._one_scale import Weights, one_scale
from lab.registry import processor
from tests import bright
from tests.tiny import answers, apply, items

ACCELERATOR = processor("per_tensor_accelerator")


def real(w: Weights, axis: int = 0) -> Any:
    shape = [-1 if i == axis else 1 for i in range(w.stored.ndim)]
    return (
        w.stored.astype(float) - np.reshape(w.zero, shape if w.zero.size > 1 else [1])
    ) * np.reshape(w.scale.astype(float), shape if w.scale.size > 1 else [1])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["symmetric", "seven_bits", "lopsided", "unsigned", "several_zeros"]),
)
def test_weights_stay_within_half_a_step_of_the_one_scale(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    low, high = {"symmetric": (-127, 128), "seven_bits": (-64, 65), "lopsided": (-128, 128)}.get(
        kind, (0, 256)
    )
    dtype = np.uint8 if low == 0 else np.int8
    stored = rng.integers(low, high, (5, 4, 3)).astype(dtype)
    zero = {
        "unsigned": np.full(5, 128, np.uint8),
        "several_zeros": rng.integers(100, 156, 5).astype(np.uint8),
    }.get(kind, np.zeros(5, dtype))
    before = Weights(stored, rng.uniform(0.001, 0.1, 5).astype(np.float32), zero)
    after = one_scale(before, axis=0)
    assert after.scale.size == after.zero.size == 1
    assert after.stored.dtype == dtype
    assert low <= after.stored.min() <= after.stored.max() < high
    assert np.abs(real(after) - real(before)).max() <= float(after.scale) * 0.5000001
    assert (
        after.scale <= before.scale.max() * 1.4
    )  # not coarser than it must be: 1.0 but for zero points that move


def test_a_channel_of_zeros_stays_zero() -> None:
    before = Weights(
        np.array([[0, 0], [5, -100]], np.int8),
        np.array([1.0, 0.5], np.float32),
        np.zeros(2, np.int8),
    )
    np.testing.assert_array_equal(real(one_scale(before, 0)), [[0, 0], [2.5, -50]])


def dequantized(path: Path) -> dict[str, Any]:
    """Weights and biases as an ONNX file's DequantizeLinear nodes give them: output -> (real
    values, scale).
    """
    import onnx

    graph = onnx.load(str(path)).graph
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            values, scale = (
                stored[node.input[0]],
                np.atleast_1d(stored[node.input[1]]).astype(float),
            )
            zero = np.atleast_1d(stored[node.input[2]]).astype(float)
            axis = (
                next((a.i for a in node.attribute if a.name == "axis"), 1) if scale.size > 1 else 0
            )
            shape = (
                [-1 if i == axis else 1 for i in range(values.ndim)]
                if scale.size > 1
                else [1] * values.ndim
            )
            found[node.output[0]] = ((values - zero.reshape(shape)) * scale.reshape(shape), scale)
    return found


@pytest.mark.parametrize("scheme", ["u8s8", "s8s8", "u8u8", "reduced"])
def test_an_onnx_file_is_rounded_once_more_with_its_biases(
    bright_files: dict[str, Path], scheme: str, tmp_path: Path
) -> None:
    before = dequantized(bright_files[scheme])
    after = dequantized(_one_scale_onnx.File(bright_files[scheme]).write(tmp_path / "one.onnx"))
    assert before.keys() == after.keys()
    assert sum(scale.size > 1 for _, scale in before.values()) >= 5
    for name, (values, scale) in after.items():
        assert scale.size == 1
        assert np.abs(values - before[name][0]).max() <= scale[0] * 0.5001


def test_a_bias_is_in_units_of_the_activations_times_the_weights_scale(
    tiny_onnx: Path, tmp_path: Path
) -> None:
    import onnx

    file = apply("onnx_static_int8", tiny_onnx, tmp_path / "q", per_channel=True)
    changed = _one_scale_onnx.File(file).write(tmp_path / "one.onnx")
    graph = onnx.load(str(changed)).graph
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    made = {node.output[0]: node for node in graph.node}
    multiplying = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    assert len(multiplying) == 2
    for node in multiplying:
        x, w, bias = (float(stored[made[name].input[1]]) for name in node.input)
        assert bias == pytest.approx(x * w, rel=1e-5)


def test_the_same_holds_for_the_integer_operators_of_a_fused_file(
    bright_files: dict[str, Path], tmp_path: Path
) -> None:
    """Requantized before or after ONNX Runtime fused it, a file answers alike."""
    from lab.formats.onnx.sessions import open_session

    fused, x = tmp_path / "fused.onnx", bright.items(100)[0]
    open_session(str(bright_files["u8u8"]), level="extended", write_to=str(fused))
    one, other = (
        _one_scale_onnx.File(f).write(tmp_path / f"{n}.onnx")
        for n, f in enumerate((bright_files["u8u8"], fused))
    )
    assert (
        len(_one_scale_onnx.File(fused).several)
        == len(_one_scale_onnx.File(bright_files["u8u8"]).several)
        == 5
    )
    np.testing.assert_allclose(answers("ort", one, x), answers("ort", other, x), atol=1e-6)


def tflite_tensors(path: Path) -> dict[str, Any]:
    """Name -> (real values, scale) of the stored scaled integers, as LiteRT's interpreter reads
    them.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    found = {}
    for details in interpreter.get_tensor_details():
        scale, axis = (
            details["quantization_parameters"]["scales"].astype(float),
            details["quantization_parameters"]["quantized_dimension"],
        )
        if scale.size and details["name"] and len(details["shape"]) in (1, 2, 4):
            try:
                values = interpreter.get_tensor(details["index"])
            except ValueError:
                continue
            shape = (
                [-1 if i == axis else 1 for i in range(values.ndim)]
                if scale.size > 1
                else [1] * values.ndim
            )
            found[details["name"]] = (
                values.astype(float) * scale.reshape(shape),
                scale,
                values.dtype,
            )
    return found


@pytest.mark.parametrize("technique", ["tflite_static_wi8_ai8", "tflite_static_wi8_ai16"])
def test_a_tflite_file_is_rounded_once_more_with_its_biases(
    tiny_tflite: Path, technique: str, tmp_path: Path
) -> None:
    file = apply(technique, tiny_tflite, tmp_path / "q")
    found = _one_scale_tflite.File(file)
    before, after = tflite_tensors(file), tflite_tensors(found.write(tmp_path / "one.tflite"))
    several = [name for name, (_, scale, _) in before.items() if scale.size > 1]
    assert len(several) >= 3
    for name in several:
        assert (
            len(set(after[name][1])) == 1
        )  # LiteRT itself repeats it for each output of a fully connected layer
        assert after[name][2] == before[name][2]
        assert np.abs(after[name][0] - before[name][0]).max() <= after[name][1][0] * 0.5001
    x = items(50)
    assert (
        np.corrcoef(
            answers("litert", tmp_path / "one.tflite", x).ravel(),
            answers("litert", file, x).ravel(),
        )[0, 1]
        > 0.99
    )


def test_files_with_one_scale_are_left_alone(
    bright_files: dict[str, Path],
    tiny_onnx: Path,
    tiny_tflite: Path,
    tmp_path: Path,
    setting: Callable[..., Setting],
) -> None:
    per_tensor = apply("tflite_static_wi8_ai8", tiny_tflite, tmp_path / "t", per_channel=False)
    dynamic = apply("tflite_dynamic_wi8_afp32", tiny_tflite, tmp_path / "d")
    for file in (
        bright_files["u8s8_per_tensor"],
        bright_files["float"],
        tiny_onnx,
        tiny_tflite,
        per_tensor,
        dynamic,
    ):
        assert ACCELERATOR.differs(file, setting()) == []
    assert ACCELERATOR.differs(bright_files["u8s8"], setting())


def test_it_answers_much_like_a_file_that_had_one_scale_from_the_start(
    bright_files: dict[str, Path], setting: Callable[..., Setting]
) -> None:
    x = bright.items(300)[0]
    again = run_all(ACCELERATOR.load(bright_files["reduced"], setting()), x, 100)
    assert np.corrcoef(again.ravel(), answers("ort", bright_files["float"], x).ravel())[0, 1] > 0.97
    assert (again != answers("ort", bright_files["reduced"], x)).any()


def test_its_facts_count_scales(
    bright_files: dict[str, Path], setting: Callable[..., Setting]
) -> None:
    facts = ACCELERATOR.differs(bright_files["u8s8"], setting())
    assert [fact.count for fact in facts] == [bright.FILTERS] * 4 + [bright.CLASSES]
    assert ACCELERATOR.because(facts) == "5 weight tensors get one scale each instead of 70"
