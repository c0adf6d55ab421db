"""Weights on a grid: what a later quantizer stores, against the integers that were trained, counted
in numpy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile
from tests import tiny

pytestmark = pytest.mark.slow
EXACT = 1e-6
CONV, DENSE = "0.weight", "5.weight"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_torch_export(tmp_path_factory.mktemp("torch") / "tiny.pt2")


def _trained(source: Path, folder: Path, **params: Any) -> tuple[Path, dict[str, Any]]:
    import torch

    file = tiny.apply("torch_qat_grid", source, folder, train_steps=4, learning_rate=0.01, **params)
    state = torch.export.load(file).state_dict
    return file, {name: value.detach().numpy() for name, value in state.items()}


def _integers(
    weight: Any, bits: int, granularity: str, block: int = 32, lopsided: bool = False
) -> Any:
    """Integers of a weight on its grid, the largest of each group on the last one; fails where it
    is on none.
    """
    groups = weight.reshape(
        {"tensor": 1, "channel": len(weight), "block": weight.size // block}[granularity], -1
    )
    extreme = np.take_along_axis(groups, np.abs(groups).argmax(1)[:, None], 1).astype(np.float64)
    step = extreme / -(2 ** (bits - 1)) if lopsided else np.abs(extreme) / (2 ** (bits - 1) - 1)
    found = groups / step
    assert np.abs(found - np.rint(found)).max() < EXACT * 2**bits
    return np.rint(found).astype(int).reshape(weight.shape)


def _tflite_weights(file: Path) -> list[Any]:
    """The stored integers of convolution and dense layer, output channels first."""
    from lab.formats.stored_weights import unpack
    from lab.formats.tflite.files import load_tflite, type_name

    bits, found = {"INT8": 8, "INT4": 4, "INT2": 2}, {}
    model = load_tflite(file)
    for tensor in model.subgraphs[0].tensors:
        data = model.buffers[tensor.buffer].data
        if type_name(tensor) in bits and data is not None and len(tensor.shape) > 1:
            raw = np.asarray(data, np.uint8)
            found[len(tensor.shape)] = unpack(
                raw, bits[type_name(tensor)], True, int(np.prod(tensor.shape))
            ).reshape(tensor.shape)
    return [found[4], found[2]]


@pytest.mark.parametrize(
    ("bits", "granularity", "technique", "params"),
    [
        (4, "channel", "tflite_weight_only_wi4", {}),
        (4, "tensor", "tflite_weight_only_wi4", {"per_channel": False}),
        (2, "channel", "tflite_weight_only_wi2", {}),
        (8, "channel", "tflite_static_wi8_ai8", {}),
        (4, "channel", "tflite_static_wi4_ai8", {}),
    ],
)
def test_tflite_stores_the_integers_that_were_trained(
    bits: int,
    granularity: str,
    technique: str,
    params: dict[str, Any],
    source: Path,
    tmp_path: Path,
) -> None:
    file, weights = _trained(source, tmp_path / "grid", bits=bits, granularity=granularity)
    made = tiny.apply(
        technique,
        tiny.apply("torch_to_tflite", file, tmp_path / "float"),
        tmp_path / "made",
        **params,
    )
    conv, dense = _tflite_weights(made)
    assert (conv.transpose(0, 3, 1, 2) == _integers(weights[CONV], bits, granularity)).all()
    assert (dense == _integers(weights[DENSE], bits, granularity)).all()


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
def test_onnx_stores_the_integers_that_were_trained(
    granularity: str, source: Path, tmp_path: Path
) -> None:
    import onnx

    file, weights = _trained(
        source, tmp_path / "grid", bits=8, granularity=granularity, activation_bits="8"
    )
    float_ = tiny.apply("torch_to_onnx", file, tmp_path / "float")
    made = onnx.load(
        tiny.apply(
            "onnx_static_int8",
            float_,
            tmp_path / "made",
            per_channel=granularity == "channel",
            scheme="s8s8",
        )
    )
    stored = [onnx.numpy_helper.to_array(t) for t in made.graph.initializer if len(t.dims) > 1]
    conv, dense = (next(w for w in stored if w.dtype == np.int8 and w.ndim == n) for n in (4, 2))
    assert (conv == _integers(weights[CONV], 8, granularity)).all()
    assert (dense == _integers(weights[DENSE], 8, granularity)).all()


def test_onnx_blocks_are_the_lopsided_ones_that_were_trained(source: Path, tmp_path: Path) -> None:
    import onnx

    from lab.formats.stored_weights import unpack

    file, weights = _trained(
        source,
        tmp_path / "grid",
        bits=4,
        granularity="block",
        block_size=tiny.FILTERS,
        lopsided=True,
    )
    float_ = tiny.apply("torch_to_onnx", file, tmp_path / "float")
    made = onnx.load(
        tiny.apply("onnx_weight_only_wi4", float_, tmp_path / "made", block_size=tiny.FILTERS)
    )
    node = next(n for n in made.graph.node if n.op_type == "MatMulNBits")
    raw = next(
        onnx.numpy_helper.to_array(t) for t in made.graph.initializer if t.name == node.input[1]
    )
    stored = unpack(raw, 4, False).reshape(tiny.CLASSES, -1).astype(int) - 8
    assert (stored == _integers(weights[DENSE], 4, "block", tiny.FILTERS, lopsided=True)).all()


@pytest.mark.parametrize("activation_bits", ["none", "8"])
def test_the_gap_is_told_on_the_same_items(
    activation_bits: str, source: Path, tmp_path: Path
) -> None:
    from dataclasses import replace

    from lab.options import validate
    from lab.registry import technique

    notes: dict[str, Any] = {}
    plug = technique("torch_qat_grid")
    context = replace(tiny.context(tmp_path, channels_first=True), note=notes.__setitem__)
    params = validate(plug.options, {"train_steps": 2, "activation_bits": activation_bits}, plug.id)
    plug.apply(source, params, context)
    told = notes["fake_quantized"]
    assert (told["metric"], told["n"]) == ("top1_accuracy", 512)
    if activation_bits == "none":
        assert told["value"] == told["deployed"]
    assert 0 <= told["value"] <= 1


def test_zeros_stay(source: Path, tmp_path: Path) -> None:
    import torch

    program = torch.export.load(source)
    with torch.no_grad():
        dense = program.state_dict[DENSE]
        dense[:, ::2] = 0
    torch.export.save(program, tmp_path / "pruned.pt2")
    for keep in (True, False):
        _, weights = _trained(
            tmp_path / "pruned.pt2", tmp_path / str(keep), keep_zeros=keep, bits=8
        )
        assert bool((weights[DENSE][:, ::2] == 0).all()) is keep


def test_blocks_that_fit_no_layer_are_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="block"):
        _trained(source, tmp_path, granularity="block", block_size=32)


def test_the_scale_that_costs_the_least_error_is_where_training_starts() -> None:
    """Against a finer search in numpy, on a group whose largest weight stands out."""
    import torch

    from lab.compress.torch.grid import GridSpec, best_share, largest_scale

    values = np.append(np.random.default_rng(0).normal(size=255), 8.0).astype(np.float32)
    spec, groups = GridSpec(4), torch.from_numpy(values)[None]
    start = float((largest_scale(groups, spec) * best_share(groups, spec))[0, 0])

    def error(step: float) -> float:
        return float(((np.clip(np.rint(values / step), -7, 7) * step - values) ** 2).sum())

    steps = np.linspace(0.2, 1.0, 400) * 8 / 7
    assert error(start) <= 1.02 * min(map(error, steps))
    assert start < 0.8 * 8 / 7
