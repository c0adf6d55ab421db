"""What ONNX Runtime writes beside plain int8: 16-bit activations, weights in blocks, fused
operators.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab
from lab.errors import InvalidFile, InvalidOption
from lab.registry import technique
from lab.spec.recipes import complete_step, name_of
from lab.types import Recipe, Step
from tests import onnx_graphs as graphs
from tests import tiny

HALF_A_STEP = 0.5001


# --- 16-bit activations and blocks ----------------------------------------------------------------


@pytest.mark.parametrize("per_channel", [False, True])
def test_16_bit_activations_beside_8_bit_weights(
    per_channel: bool, tiny_onnx: Path, tmp_path: Path
) -> None:
    file = tiny.apply("onnx_static_wi8_ai16", tiny_onnx, tmp_path, per_channel=per_channel)
    for name in ("conv", "dense"):
        found, step = graphs.restored(file, name)
        assert (np.abs(found - graphs.stored(tiny_onnx)[name]) <= HALF_A_STEP * step).all()
        assert graphs.stored(file)[f"{name}_quantized"].dtype == np.int8
    kinds = {
        value.dtype for name, value in graphs.stored(file).items() if name.endswith("zero_point")
    }
    assert kinds == {np.dtype(np.uint16), np.dtype(np.int8), np.dtype(np.int32)}


def test_tables_that_are_looked_up_have_the_weights_bits(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nodes = [
        graphs.node("Cast", "x", "i", "ids", to=7),
        graphs.node("Gather", "table i", "e", "embedding"),
        graphs.node("MatMul", "e w", "y", "dense"),
    ]
    stored = {
        "table": rng.normal(size=(16, 32)).astype(np.float32),
        "w": rng.normal(size=(32, 5)).astype(np.float32),
    }
    source = graphs.write(tmp_path / "a.onnx", nodes, stored, ["n", 3], ["n", 3, 5])
    found = graphs.stored(graphs.apply("onnx_static_wi8_ai16", source, tmp_path / "out"))
    assert found["table_quantized"].dtype == np.int8


def unpacked(file: Path, node: Any) -> tuple[Any, Any]:
    """The weight of a MatMulNBits node (K, N) as its integers say it, and the step of each number;
    both float64.
    """
    arrays, given = graphs.stored(file), {a.name: a.i for a in node.attribute}
    (k, n, bits, block), per_byte = (
        (given[name] for name in ("K", "N", "bits", "block_size")),
        8 // given["bits"],
    )
    packed, scales = arrays[node.input[1]], arrays[node.input[2]].reshape(n, -1).astype(np.float64)
    shifts = bits * np.arange(per_byte)
    q = ((packed[..., None] >> shifts) & (2**bits - 1)).reshape(n, -1, block)
    zero = np.full(scales.shape, 2 ** (bits - 1))
    if len(node.input) > 3:
        zeros = (arrays[node.input[3]].reshape(n, -1)[..., None] >> shifts) & (2**bits - 1)
        zero = zeros.reshape(n, -1)[:, : scales.shape[1]]
    weight = (q - zero[..., None]) * scales[..., None]
    steps = np.broadcast_to(np.abs(scales)[..., None], weight.shape)
    return tuple(value.reshape(n, -1)[:, :k].T for value in (weight, steps))


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("block_size", [16, 32, 64])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_blocks_hold_weights_within_a_step(
    bits: int, block_size: int, symmetric: bool, tmp_path: Path
) -> None:
    """Half a step; symmetric blocks take the sign of their largest weight, so that its counterpart
    may be cut by one step.
    """
    import onnx

    source = graphs.write_attention(tmp_path / "a.onnx")
    file = graphs.apply(
        "onnx_weight_only_wi4",
        source,
        tmp_path / "out",
        bits=bits,
        block_size=block_size,
        symmetric=symmetric,
    )
    wanted = {"query": "w0", "key": "w1", "value": "w2", "head": "w3"}
    found = [n for n in onnx.load(str(file)).graph.node if n.op_type == "MatMulNBits"]
    assert {n.name.rsplit("_", 1)[0] for n in found} == set(wanted)
    for node in found:
        weight, step = unpacked(file, node)
        error = np.abs(weight - graphs.stored(source)[wanted[node.name.rsplit("_", 1)[0]]]) / step
        assert error.max() <= (1.001 if symmetric else HALF_A_STEP)
        assert np.mean(error <= HALF_A_STEP) > (0.9 if symmetric else 0.999)


def test_blocks_take_the_room_of_their_bits(tmp_path: Path) -> None:
    source = graphs.write_attention(tmp_path / "a.onnx", width=256)
    weights = sum(value.size for value in graphs.stored(source).values())
    for bits in (2, 4, 8):
        size = (
            graphs.apply(
                "onnx_weight_only_wi4", source, tmp_path / str(bits), bits=bits, block_size=64
            )
            .stat()
            .st_size
        )
        assert size == pytest.approx(weights * (bits / 8 + 4 / 64), abs=3000)


def test_a_model_without_matrix_products_says_what_it_has(tmp_path: Path) -> None:
    weight = np.ones((4, 3, 3, 3), np.float32)
    nodes = [graphs.node("Conv", "x w", "c", "conv"), graphs.node("Relu", "c", "y", "relu")]
    source = graphs.write(tmp_path / "a.onnx", nodes, {"w": weight}, ["n", 3, 8, 8], ["n", 4, 6, 6])
    with pytest.raises(InvalidFile, match=r"MatMul or Gemm.*1 × Conv, 1 × Relu.*onnx_static_int8"):
        graphs.apply("onnx_weight_only_wi4", source, tmp_path / "out")


@pytest.mark.parametrize(
    "params", [{"bits": 3}, {"block_size": 48}, {"embeddings": True, "bits": 8}]
)
def test_blocks_that_no_kernel_reads_are_refused(params: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="Allowed: "):
        graphs.apply(
            "onnx_weight_only_wi4",
            graphs.write_attention(tmp_path / "a.onnx"),
            tmp_path / "out",
            **params,
        )


def test_a_stored_recipe_with_other_bits_is_read_and_refused_when_it_runs(
    tiny_onnx: Path, tmp_path: Path
) -> None:
    step = Step("onnx_weight_only_wi4", {"bits": 3})
    whole = complete_step(step)
    assert whole.params["bits"] == 3
    assert name_of(Recipe((whole,))) == "weight_only_wi3_afp32"
    with pytest.raises(InvalidOption, match=r"'bits' does not accept.*2, 4, 8.*3"):
        lab.make_spec("digits_lenet", space={step.technique: {"bits": (3,)}}, targets=["ort"])
    with pytest.raises(InvalidOption, match=r"no kernel for this bits.*2, 4, 8.*3"):
        technique(step.technique).apply(tiny_onnx, whole.params, tiny.context(tmp_path))


# --- fusion ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["basic", "extended", "all"])
def test_fused_files_answer_as_before_and_say_what_was_fused(level: str, tmp_path: Path) -> None:
    source, notes = graphs.write_residual(tmp_path / "a.onnx"), dict[str, Any]()
    file, x = (
        graphs.apply("onnx_fuse", source, tmp_path / "out", notes, level=level),
        graphs.items(source),
    )
    np.testing.assert_allclose(graphs.run(file, x), graphs.run(source, x, "disabled"), atol=1e-4)
    assert notes["fusion"]["level"] == level
    assert notes["fusion"]["fused"]
    assert ("only_for" in notes["fusion"]) is (level == "all")


def test_basic_fusion_writes_standard_operators(tmp_path: Path) -> None:
    import onnx

    file = graphs.apply(
        "onnx_fuse", graphs.write_residual(tmp_path / "a.onnx"), tmp_path / "out", level="basic"
    )
    assert {node.domain for node in onnx.load(str(file)).graph.node} == {""}
    onnx.checker.check_model(str(file))
