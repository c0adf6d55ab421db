"""The ONNX techniques on sample models: convolutions with clips and sums, attention, a recurrence
that shares its weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from lab.compress.onnx.fusion import fuse
from lab.compress.onnx.static import preprocess
from lab.formats.inspect import inspect
from lab.formats.layers import layer_table
from lab.options import validate
from lab.plugs import Context
from lab.registry import sample_cards, technique
from tests import onnx_graphs as graphs
from tests.unit.techniques.test_onnx_more import unpacked

pytestmark = pytest.mark.slow

MODELS = [
    "signs_resnet8",
    "signs_mobilenetv2",
    "langid_transformer",
    "keywords_gru",
    "keywords_dscnn",
]
HALF_A_STEP = 0.5001
FEW = 16


def _items(model: str, n: int) -> Any:
    spec, rng = sample_cards()[model].input, np.random.default_rng(0)
    whole = np.issubdtype(np.dtype(spec.dtype), np.integer)
    return (
        rng.integers(1, 20, (n, *spec.shape))
        if whole
        else rng.normal(size=(n, *spec.shape)).astype(spec.dtype)
    )


def _apply(model: str, name: str, source: Path, workdir: Path, **params: Any) -> Path:
    workdir.mkdir(parents=True, exist_ok=True)
    plug, x = technique(name), _items(model, FEW)
    given = {"calibration_samples": FEW, **params} if plug.needs_calibration else params
    context = Context(
        workdir, sample_cards()[model], lambda n: x[:n], lambda n: (x[:n], np.zeros(n, np.int64))
    )
    return plug.apply(source, validate(plug.options, given, name), context)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for model in MODELS:
        card, folder = sample_cards()[model], tmp_path_factory.mktemp(model)
        converter = "torch_to_onnx" if card.format == "torch_export" else "keras_to_onnx"
        made[model] = _apply(model, converter, Path(card.path), folder)
    return made


def _multiplying(source: Path) -> list[str]:
    return [layer.name for layer in layer_table(source, "onnx") if layer.macs]


@pytest.mark.parametrize("model", MODELS)
def test_each_layer_can_be_quantized_alone_and_left_out(
    model: str, sources: dict[str, Path], tmp_path: Path
) -> None:
    """Counted from the files: one product reads integers, or one product less."""
    source = sources[model]
    whole = graphs.integer_products(_apply(model, "onnx_static_int8", source, tmp_path / "whole"))
    layers = _multiplying(source)
    assert len(whole) == len(layers)
    alone = [
        graphs.integer_products(_apply(model, "onnx_static_int8", source, tmp_path, only=[name]))
        for name in layers
    ]
    assert [len(found) for found in alone] == [1] * len(layers)
    assert set().union(*alone) == whole
    for name, (quantized,) in zip(
        layers[:: max(1, len(layers) // 8)], alone[:: max(1, len(layers) // 8)], strict=True
    ):
        kept = graphs.integer_products(
            _apply(model, "onnx_static_int8", source, tmp_path, keep_float=[name])
        )
        assert whole - kept == {quantized}


def _weights(file: Path) -> list[str]:
    """Names of the weights that a QDQ file stores in 8-bit integers."""
    graph, arrays = onnx.load(str(file)).graph, graphs.stored(file)
    read = [
        n.input[0] for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] in arrays
    ]
    return [
        name.removesuffix("_quantized")
        for name in read
        if arrays[name].dtype.itemsize == 1 and arrays[name].ndim > 1
    ]


@pytest.mark.parametrize("name", ["onnx_static_int8", "onnx_static_wi8_ai16"])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_static_weights_are_within_half_a_step(
    model: str, per_channel: bool, name: str, sources: dict[str, Path], tmp_path: Path
) -> None:
    file = _apply(model, name, sources[model], tmp_path, per_channel=per_channel)
    wanted = graphs.stored(preprocess(Path(_copy(sources[model], tmp_path))))
    weights = _weights(file)
    shared = model == "keywords_gru"
    assert len(weights) >= (
        5 if shared else len(_multiplying(sources[model])) - 5
    )  # five products of activations in attention
    for weight in weights:
        found, step = graphs.restored(file, weight)
        assert (np.abs(found - wanted[weight]) <= HALF_A_STEP * step).all()


def _copy(source: Path, folder: Path) -> Path:
    target = folder / "copy.onnx"
    target.write_bytes(source.read_bytes())
    return target


def _as_multiplied(source: Path) -> dict[str, Any]:
    """A file's weights as MatMul reads them: those of a Gemm that reads them transposed are
    turned.
    """
    gemms = [n for n in onnx.load(str(source)).graph.node if n.op_type == "Gemm"]
    turned = {n.input[1] for n in gemms if any(a.name == "transB" and a.i for a in n.attribute)}
    return {
        name: value.T if name in turned else value for name, value in graphs.stored(source).items()
    }


@pytest.mark.parametrize("model", MODELS)
def test_dynamic_weights_are_within_half_a_step(
    model: str, sources: dict[str, Path], tmp_path: Path
) -> None:
    file = _apply(model, "onnx_dynamic_int8", sources[model], tmp_path)
    arrays, wanted = graphs.stored(file), _as_multiplied(sources[model])
    weights = [name.removesuffix("_quantized") for name in arrays if name.endswith("_quantized")]
    kinds = graphs.operators(file)
    assert len(weights) >= min(6, kinds["ConvInteger"] + kinds["MatMulInteger"])
    for weight in weights:
        q, scale, zero = (
            arrays[f"{weight}_{part}"].astype(np.float64)
            for part in ("quantized", "scale", "zero_point")
        )
        assert (np.abs((q - zero) * scale - wanted[weight]) <= HALF_A_STEP * scale).all()


@pytest.mark.parametrize("model", MODELS)
def test_blocks_of_four_bits_are_within_a_step(
    model: str, sources: dict[str, Path], tmp_path: Path
) -> None:
    file = _apply(model, "onnx_weight_only_wi4", sources[model], tmp_path, symmetric=False)
    wanted, nodes = _as_multiplied(sources[model]), onnx.load(str(file)).graph.node
    found = [node for node in nodes if node.op_type == "MatMulNBits"]
    types = graphs.operators(sources[model])
    assert len(found) == types["Gemm"] + types["MatMul"] - (
        5 if model == "langid_transformer" else 0
    )
    for node in found:
        weight, step = unpacked(file, node)
        float_ = wanted[node.input[1].removesuffix("_Q4")]
        assert (np.abs(weight - float_) <= HALF_A_STEP * step).mean() > 0.999
        assert (np.abs(weight - float_) <= 1.001 * step).all()


@pytest.mark.parametrize("model", MODELS)
def test_what_stays_float_is_listed_and_sizes_follow_the_bits(
    model: str, sources: dict[str, Path], tmp_path: Path
) -> None:
    source = sources[model]
    float_, layers = source.stat().st_size, _multiplying(source)
    types = {layer.name: layer.type for layer in layer_table(source, "onnx")}
    whole = _apply(model, "onnx_static_int8", source, tmp_path / "whole")
    kept = _apply(model, "onnx_static_int8", source, tmp_path / "kept", keep_float=layers[:1])
    assert inspect(whole, "onnx")["float_operators"] == {}
    assert inspect(kept, "onnx")["float_operators"] == {types[layers[0]]: 1}
    assert whole.stat().st_size < 0.75 * float_
    assert whole.stat().st_size < kept.stat().st_size < float_


@pytest.mark.parametrize("model", MODELS)
def test_fused_files_have_as_many_multiplications(
    model: str, sources: dict[str, Path], tmp_path: Path
) -> None:
    file, facts = fuse(sources[model], "extended", tmp_path)
    assert inspect(file, "onnx")["macs"] == inspect(sources[model], "onnx")["macs"]
    assert facts["operators_after"] == dict(sorted(graphs.operators(file).items()))
    assert "FusedConv" in {kind for kind, _ in facts["fused"].values()}
