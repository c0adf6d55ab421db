"""What ai-edge-quantizer stores, read back from the files and compared with the float weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile
from lab.formats.tflite.files import load_tflite, packed
from tests import stored, tiny

HALF_A_STEP, COARSE_SCALE = 0.5001, 0.02
"""Scales of blocks have 8 bits of mantissa: the largest weight of a block may be cut off by so much
of a step.
"""
LARGEST = {8: 127, 4: 7, 2: 1}
WIDE = 64
BOTH, DENSE = ("conv", "dense"), ("dense",)


@pytest.fixture(scope="module")
def wide_tflite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of 64 weights, so that blocks fit."""
    return tiny.write_tflite(tmp_path_factory.mktemp("wide") / "wide.tflite", filters=WIDE)


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize(
    ("name", "bits", "quantized"),
    [
        ("dynamic_wi8_afp32", 8, BOTH),
        ("dynamic_wi4_afp32", 4, BOTH),
        ("dynamic_wi2_afp32", 2, DENSE),
        ("weight_only_wi8", 8, BOTH),
        ("weight_only_wi4", 4, BOTH),
        ("weight_only_wi2", 2, BOTH),
        ("static_wi8_ai8", 8, BOTH),
        ("static_wi8_ai16", 8, BOTH),
        ("static_wi4_ai8", 4, BOTH),
        ("static_wi4_ai16", 4, BOTH),
    ],
)
def test_weights_are_within_half_a_step(
    name: str,
    bits: int,
    quantized: tuple[str, ...],
    per_channel: bool,
    tiny_tflite: Path,
    tmp_path: Path,
) -> None:
    found = stored.weights(
        tiny.apply(f"tflite_{name}", tiny_tflite, tmp_path, per_channel=per_channel)
    )
    for key, wanted in tiny.weights().items():
        if key in quantized:
            assert found[key].type == f"INT{bits}"
            assert found[key].scales == (len(wanted) if per_channel else 1)
            assert (np.abs(found[key].values - wanted) <= HALF_A_STEP * found[key].step).all()
            assert found[key].step.max() == pytest.approx(
                np.abs(wanted).max() / LARGEST[bits], rel=1e-3
            )
        elif key in BOTH:
            assert found[key].type == "FLOAT32"


@pytest.mark.parametrize("block", [32, 64])
@pytest.mark.parametrize("bits", [4, 2])
def test_blocks_have_a_scale_each(bits: int, block: int, wide_tflite: Path, tmp_path: Path) -> None:
    file = tiny.apply(
        f"tflite_dynamic_wi{bits}_afp32", wide_tflite, tmp_path, block_size=str(block)
    )
    found, wanted = stored.weights(file), tiny.weights(WIDE)["dense"]
    assert (found["dense"].type, found["conv"].type) == (f"INT{bits}", "FLOAT32")
    assert found["dense"].scales == wanted.size / block
    assert (
        np.abs(found["dense"].values - wanted) <= (HALF_A_STEP + COARSE_SCALE) * found["dense"].step
    ).all()
    largest = np.abs(wanted).reshape(tiny.CLASSES, -1, block).max(axis=2).repeat(block, axis=1)
    np.testing.assert_allclose(found["dense"].step, largest / LARGEST[bits], rtol=2**-8)


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_weights_that_are_not_centred_use_every_integer(
    bits: int, tiny_tflite: Path, tmp_path: Path
) -> None:
    file = tiny.apply(f"tflite_weight_only_wi{bits}", tiny_tflite, tmp_path, symmetric=False)
    for key in BOTH:
        found, wanted = stored.weights(file)[key], tiny.weights()[key]
        assert (found.integers.min(), found.integers.max()) == (
            -(2 ** (bits - 1)),
            2 ** (bits - 1) - 1,
        )
        assert (np.abs(found.values - wanted) <= 1.02 * found.step).all()  # zero is rounded too
        span = np.ptp(wanted.reshape(len(wanted), -1), axis=1)
        np.testing.assert_allclose(found.step.ravel(), span / (2**bits - 1), rtol=1e-3)


def test_sizes_follow_the_bits(tmp_path: Path) -> None:
    wide = tiny.write_tflite(tmp_path / "wide.tflite", filters=512)
    count = tiny.weights(512)["conv"].size + tiny.weights(512)["dense"].size
    names = {
        "fp16": 16,
        "weight_only_wi8": 8,
        "dynamic_wi8_afp32": 8,
        "weight_only_wi4": 4,
        "dynamic_wi4_afp32": 4,
        "weight_only_wi2": 2,
        "static_wi4_ai8": 4,
    }
    for name, bits in names.items():
        one_scale = {} if name == "fp16" else {"per_channel": False}
        size = tiny.apply(f"tflite_{name}", wide, tmp_path / name, **one_scale).stat().st_size
        assert size == pytest.approx(count * bits / 8, abs=7000)


# --- algorithms -----------------------------------------------------------------------------------


def _kernel(key: str) -> Any:
    return tiny.weights(WIDE)[key].reshape(len(tiny.weights(WIDE)[key]), -1).astype(np.float64)


@pytest.mark.parametrize(("bits", "multiple"), [(8, 0.05408), (4, 0.37755)])
def test_mse_takes_the_scale_for_normal_weights(
    bits: int, multiple: float, wide_tflite: Path, tmp_path: Path
) -> None:
    """The multiples of the standard deviation that quantize a normal distribution with the least
    squared error.
    """
    found = stored.weights(
        tiny.apply(f"tflite_weight_only_wi{bits}", wide_tflite, tmp_path, algorithm="mse")
    )
    for key in BOTH:
        deviation = np.sqrt((_kernel(key) ** 2).mean(axis=1))
        np.testing.assert_allclose(found[key].step.ravel(), multiple * deviation, rtol=1e-3)


@pytest.mark.parametrize("bits", [4, 2])
def test_octav_cuts_off_where_it_errs_least(bits: int, wide_tflite: Path, tmp_path: Path) -> None:
    plain, cut = (
        stored.weights(
            tiny.apply(f"tflite_weight_only_wi{bits}", wide_tflite, tmp_path / name, algorithm=name)
        )
        for name in ("minmax", "octav")
    )
    for key in BOTH:
        wanted = tiny.weights(WIDE)[key]
        errors = [((found[key].values - wanted) ** 2).mean() for found in (plain, cut)]
        assert errors[1] < errors[0]
        assert (cut[key].step <= plain[key].step * 1.0001).all()
        clip = (cut[key].step * LARGEST[bits]).reshape(len(wanted), 1)
        np.testing.assert_allclose(
            clip,
            np.minimum(
                _next(clip, _kernel(key), bits), np.abs(_kernel(key)).max(axis=1, keepdims=True)
            ),
            rtol=0.02,
        )


def _next(clip: Any, w: Any, bits: int) -> Any:
    """Equation 6 of the paper, whose fixed point is the best place to cut off (Sakr et al.
    2022).
    """
    over = np.abs(w) > clip
    return (np.abs(w) * over).sum(axis=1, keepdims=True) / (
        4.0**-bits / 3 * (~over).sum(axis=1, keepdims=True) + over.sum(axis=1, keepdims=True)
    )


def _pooled(source: Path, n: int) -> Any:
    """What the dense layer of the tiny model reads, from the interpreter: shape (n, filters)."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(source),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    number = next(d["index"] for d in interpreter.get_tensor_details() if d["name"] == "pool")
    rows = []
    for item in tiny.items(512, seed=2)[:n]:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], item[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(number).ravel())
    return np.array(rows, np.float64)


@pytest.mark.parametrize(
    ("id_", "params"),
    [
        ("tflite_gptq", {"bits": "4"}),
        ("tflite_gptq", {"bits": "2"}),
        ("tflite_gptq", {"bits": "4", "mode": "dynamic"}),
        ("tflite_static_wi4_ai8", {"algorithm": "gptq"}),
    ],
)
def test_gptq_errs_less_in_what_the_layer_answers(
    id_: str, params: dict[str, Any], wide_tflite: Path, tmp_path: Path
) -> None:
    """The weights err more than rounded ones; what they make of calibration items errs less."""
    wanted, x = tiny.weights(WIDE)["dense"], _pooled(wide_tflite, 128)
    found = stored.weights(tiny.apply(id_, wide_tflite, tmp_path, **params))["dense"]
    rounded = (
        np.rint(wanted / found.step).clip(-(2 ** (BITS[found.type] - 1)), LARGEST[BITS[found.type]])
        * found.step
    )
    errors = [np.mean((x @ (w - wanted).T) ** 2) for w in (rounded, found.values)]
    assert errors[1] < 0.8 * errors[0]
    assert ((found.values - wanted) ** 2).mean() > ((rounded - wanted) ** 2).mean()


BITS = stored.BITS


@pytest.mark.parametrize(
    ("algorithm", "operator"),
    [("hadamard", "aeq.hadamard_rotation"), ("hadamard_builtin", "RESHAPE")],
)
def test_hadamard_stores_rotated_weights(algorithm: str, operator: str, tmp_path: Path) -> None:
    from scipy.linalg import hadamard

    source, x = _with_a_reshape(tmp_path), tiny.items(50)
    file = tiny.apply("tflite_dynamic_wi8_afp32", source, tmp_path / "out", algorithm=algorithm)
    found = stored.weights(file)["dense"]
    wanted = tiny.weights()["dense"] @ (hadamard(tiny.FILTERS) / np.sqrt(tiny.FILTERS))
    assert operator in [kind for kind, _ in stored.operators(stored.load(file))]
    assert np.abs(found.values - wanted).max() < 3 * found.step.max()
    np.testing.assert_allclose(
        tiny.answers("litert", file, x), tiny.answers("litert", source, x), atol=0.2
    )


def test_litert_cannot_rotate_four_axes(tiny_tflite: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InvalidFile, match=r"'y' reads or hands on: it has 4 axes.*hadamard_builtin"
    ):
        tiny.apply("tflite_dynamic_wi8_afp32", tiny_tflite, tmp_path, algorithm="hadamard")
    x = tiny.items(50)
    file = tiny.apply(
        "tflite_dynamic_wi8_afp32", tiny_tflite, tmp_path, algorithm="hadamard_builtin"
    )
    np.testing.assert_allclose(
        tiny.answers("litert", file, x), tiny.answers("litert", tiny_tflite, x), atol=0.2
    )


def test_oscar_multiplies_the_input_by_what_it_divides_the_weights_by(
    wide_tflite: Path, tmp_path: Path
) -> None:
    file = tiny.apply("tflite_oscar", wide_tflite, tmp_path, bits="8")
    kinds = [kind for kind, _ in stored.operators(stored.load(file))]
    assert kinds == ["CONV_2D", "AVERAGE_POOL_2D", "MUL", "FULLY_CONNECTED"]
    found, wanted = stored.weights(file), tiny.weights(WIDE)["dense"]
    (multiplier,) = (
        x.values.ravel()
        for name, x in found.items()
        if x.type == "FLOAT32" and x.values.size == WIDE and "bias" not in name
    )
    np.testing.assert_allclose(
        found["dense"].values * multiplier,
        wanted,
        atol=2 * (found["dense"].step * multiplier).max(),
    )


def test_statistics_of_a_layer_outlive_a_reshape_before_it(tmp_path: Path) -> None:
    """Where they do not, ai-edge-quantizer calls the weights integers and stores floats."""
    source = _with_a_reshape(tmp_path)
    file = tiny.apply("tflite_static_wi8_ai8", source, tmp_path / "out", algorithm="gptq")
    found = stored.weights(file)["dense"]
    assert np.abs(found.values - tiny.weights()["dense"]).max() < 3 * found.step.max()


def _with_a_reshape(folder: Path) -> Path:
    """The tiny model with a reshape between pooling and dense layer."""
    source = tiny.write_tflite(folder / "tiny.tflite")
    model = load_tflite(source)
    graph, schema = model.subgraphs[0], stored.s
    flat, shape = schema.TensorT(), schema.TensorT()
    flat.name, flat.shape, flat.buffer, flat.type = (
        b"flat",
        [1, tiny.FILTERS],
        0,
        schema.TensorType.FLOAT32,
    )
    shape.name, shape.shape, shape.type, shape.buffer = (
        b"shape",
        [2],
        schema.TensorType.INT32,
        len(model.buffers),
    )
    model.buffers.append(tiny._buffer(schema, np.array([1, tiny.FILTERS], np.int32)))
    graph.tensors += [flat, shape]
    number = len(graph.tensors) - 2
    model.operatorCodes.append(tiny._code(schema, schema.BuiltinOperator.RESHAPE))
    dense = graph.operators[2]
    options = schema.ReshapeOptionsT()
    options.newShape = [1, tiny.FILTERS]
    reshape = tiny._operator(
        schema,
        3,
        [int(dense.inputs[0]), number + 1],
        number,
        schema.BuiltinOptions.ReshapeOptions,
        options,
    )
    dense.inputs = [number, *map(int, dense.inputs[1:])]
    graph.operators.insert(2, reshape)
    changed = folder / "reshaped.tflite"
    changed.write_bytes(packed(model, source.read_bytes()))
    return changed
