"""What ai-edge-quantizer stores, read back from the files and compared with the float weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from lab.formats.tflite.files import load_tflite, packed
from lab.options import validate
from lab.registry import technique
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


# --- calibration, inputs and outputs --------------------------------------------------------------


def test_files_of_older_converters_have_no_signature(tmp_path: Path) -> None:
    source, x = tiny.write_tflite(tmp_path / "old.tflite", signature=False), tiny.items(100)
    outputs = tiny.answers(
        "litert", tiny.apply("tflite_static_wi8_ai8", source, tmp_path / "out"), x
    )
    assert np.corrcoef(outputs.ravel(), tiny.answers("litert", source, x).ravel())[0, 1] > 0.99


def test_the_extremes_cut_nothing_off_and_the_average_does(
    tiny_tflite: Path, tmp_path: Path
) -> None:
    x = tiny.items(200)
    float_ = tiny.answers("litert", tiny_tflite, x)

    def error(method: str) -> float:
        file = tiny.apply("tflite_static_wi8_ai16", tiny_tflite, tmp_path / method, method=method)
        return float(np.abs(tiny.answers("litert", file, x) - float_).max())

    assert error("minmax") < error("average")


def test_calibration_items_with_channels_first_are_turned(
    tiny_tflite: Path, tmp_path: Path
) -> None:
    plug = technique("tflite_static_wi8_ai8")
    file = plug.apply(
        tiny_tflite, validate(plug.options, {}, plug.id), tiny.context(tmp_path / "first", True)
    )
    assert file.read_bytes() == tiny.apply(plug.id, tiny_tflite, tmp_path / "last").read_bytes()


@pytest.mark.parametrize(
    ("id_", "io", "type_"),
    [
        ("tflite_static_wi8_ai8", "int8", "INT8"),
        ("tflite_static_wi8_ai8", "uint8", "UINT8"),
        ("tflite_static_wi8_ai8", "float32", "FLOAT32"),
        ("tflite_static_wi4_ai8", "uint8", "UINT8"),
        ("tflite_static_wi8_ai16", "int16", "INT16"),
        ("tflite_static_wi4_ai16", "float32", "FLOAT32"),
    ],
)
def test_inputs_and_outputs_are_of_the_type_that_was_asked_for(
    id_: str, io: str, type_: str, tiny_tflite: Path, tmp_path: Path
) -> None:
    file = tiny.apply(id_, tiny_tflite, tmp_path, io=io)
    graph = stored.load(file).subgraphs[0]
    assert [stored.NAMES[graph.tensors[n].type] for n in (*graph.inputs, *graph.outputs)] == [
        type_,
        type_,
    ]
    x = tiny.items(100)
    outputs, float_ = (tiny.answers("litert", path, x) for path in (file, tiny_tflite))
    assert np.corrcoef(outputs.ravel(), float_.ravel())[0, 1] > 0.95


def test_symmetric_activations_have_no_zero_point(tiny_tflite: Path, tmp_path: Path) -> None:
    for symmetric in (True, False):
        file = tiny.apply(
            "tflite_static_wi8_ai8",
            tiny_tflite,
            tmp_path / str(symmetric),
            symmetric_activations=symmetric,
        )
        graph = stored.load(file).subgraphs[0]
        relu = next(t for t in graph.tensors if t.name == b"relu")
        assert (list(relu.quantization.zeroPoint) == [0]) is symmetric


# --- refusals -------------------------------------------------------------------------------------


def test_quantizing_twice_is_refused(tiny_tflite: Path, wide_tflite: Path, tmp_path: Path) -> None:
    for name, source, params in (
        ("weight_only_wi8", tiny_tflite, {}),
        ("dynamic_wi4_afp32", wide_tflite, {"block_size": "32"}),
    ):
        once = tiny.apply(f"tflite_{name}", source, tmp_path / name, **params)
        with pytest.raises(InvalidFile, match="quantized already"):
            tiny.apply("tflite_static_wi8_ai8", once, tmp_path / "twice")


def test_blocks_that_do_not_fit_name_the_layer(
    tiny_tflite: Path, wide_tflite: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        InvalidFile,
        match=(
            r"FULLY_CONNECTED 'y' have rows of 16, not a multiple of 32\. Allowed:"
            r" 0\..*keep_float: y"
        ),
    ):
        tiny.apply("tflite_dynamic_wi4_afp32", tiny_tflite, tmp_path, block_size="32")
    with pytest.raises(InvalidFile, match=r"rows of 64.*Allowed: 32, 64\."):
        tiny.apply("tflite_dynamic_wi4_afp32", wide_tflite, tmp_path, block_size="128")


@pytest.mark.parametrize(
    ("id_", "params"),
    [
        ("tflite_dynamic_wi4_afp32", {"block_size": "32", "per_channel": False}),
        ("tflite_dynamic_wi4_afp32", {"block_size": "32", "algorithm": "mse"}),
        ("tflite_weight_only_wi4", {"symmetric": False, "algorithm": "octav"}),
    ],
)
def test_options_that_contradict_each_other_are_no_trial(
    id_: str, params: dict[str, Any], wide_tflite: Path, tmp_path: Path
) -> None:
    plug = technique(id_)
    assert not plug.valid(validate(plug.options, params, id_))
    with pytest.raises(InvalidOption, match="do not go together"):
        tiny.apply(id_, wide_tflite, tmp_path, **params)


def test_what_cannot_be_quantized_so_is_refused_with_what_can(
    tiny_tflite: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        InvalidFile,
        match=r"LiteRT has no kernel for CONV_2D.*Allowed: EMBEDDING_LOOKUP, FULLY_CONNECTED",
    ):
        tiny.apply("tflite_dynamic_wi2_afp32", tiny_tflite, tmp_path, operators=("CONV_2D",))
    with pytest.raises(InvalidFile, match=r"cannot quantize AVERAGE_POOL_2D.*Allowed: .*CONV_2D"):
        tiny.apply("tflite_weight_only_wi8", tiny_tflite, tmp_path, operators=("AVERAGE_POOL_2D",))
    with pytest.raises(
        InvalidOption,
        match=(
            r"no operator of that type.*AVERAGE_POOL_2D, CONV_2D, FULLY_CONNECTED.*TRANSPOSE_CONV"
        ),
    ):
        tiny.apply("tflite_weight_only_wi8", tiny_tflite, tmp_path, operators=("TRANSPOSE_CONV",))


def test_a_file_with_nothing_to_quantize_is_refused(tmp_path: Path) -> None:
    source = tiny.write_tflite(tmp_path / "tiny.tflite")
    model = load_tflite(source)
    del model.subgraphs[0].operators[2], model.subgraphs[0].operators[0]
    graph = model.subgraphs[0]
    graph.inputs, graph.outputs = graph.operators[0].inputs, graph.operators[0].outputs
    model.signatureDefs = None
    (tmp_path / "pool.tflite").write_bytes(packed(model, source.read_bytes()))
    with pytest.raises(
        InvalidFile,
        match=(
            r"No operator of this file can be quantized in this way \(4-bit weights alone.*Given:"
            r" 'AVERAGE_POOL_2D'.*8 bits"
        ),
    ):
        tiny.apply("tflite_weight_only_wi4", tmp_path / "pool.tflite", tmp_path / "out")
    with pytest.raises(InvalidFile, match=r"algorithm 'gptq' finds no operator.*FULLY_CONNECTED"):
        tiny.apply("tflite_gptq", tmp_path / "pool.tflite", tmp_path / "out")


def test_what_the_library_refuses_is_told_with_its_words(
    tiny_tflite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ai_edge_quantizer.quantizer import Quantizer

    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("Failed to quantize bias tensor for op CONV_2D")

    monkeypatch.setattr(Quantizer, "quantize", refuse)
    with pytest.raises(InvalidFile, match=r"bias tensor for op CONV_2D.*keep_float"):
        tiny.apply("tflite_weight_only_wi8", tiny_tflite, tmp_path)


def test_weights_that_take_the_wrong_number_of_bytes_are_found_out(
    tiny_tflite: Path, tmp_path: Path
) -> None:
    from lab.compress.tflite.refusals import check_stored

    file = tiny.apply("tflite_weight_only_wi8", tiny_tflite, tmp_path)
    assert check_stored(file) == file
    model = load_tflite(file)
    next(
        t for t in model.subgraphs[0].tensors if t.name == b"dense"
    ).type = stored.s.TensorType.INT4
    file.write_bytes(packed(model, file.read_bytes()))
    with pytest.raises(InvalidFile, match=r"number of bytes does not match.*'dense'"):
        check_stored(file)


def test_progress_bars_stay_out_of_the_log(
    tiny_tflite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for id_ in ("tflite_static_wi8_ai8", "tflite_gptq"):
        tiny.apply(id_, tiny_tflite, tmp_path / id_)
    assert capsys.readouterr() == ("", "")
