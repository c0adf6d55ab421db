"""PyTorch's pt2e quantization: what the ExecuTorch program stores, against the float weights and
formulas.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from lab.formats.inspect import inspect
from tests import tiny

pytestmark = pytest.mark.slow
HALF_A_STEP = 0.5001
CONV, RELU, LINEAR = "0", "2", "5"
TYPES = {
    "fp32": np.float32,
    "fp16": np.float16,
    "qcint8": np.int8,
    "qint8": np.int8,
    "qcint32": np.int32,
    "qint32": np.int32,
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_torch_export(tmp_path_factory.mktemp("torch") / "tiny.pt2")


def _stored(file: Path) -> dict[tuple[int, ...], tuple[str, Any, Any]]:
    """Shape -> (type, numbers, scales) of each weight in XNNPACK's parts."""
    from lab.formats.executorch.inspect import read_program, values_of, xnnpack_graph

    program, found = read_program(file), {}
    named = {
        key: program.named_data.buffers[entry.buffer_index]
        for key, entry in program.named_data.pte_data.items()
    }
    for delegate in program.program.execution_plan[0].delegates:
        graph = xnnpack_graph(program, delegate.processed.index)
        data = [named.get(entry["named_key"]) for entry in graph["constant_data"]]
        for value in values_of(graph).values():
            if value["constant_buffer_idx"]:
                kind, shape = value["datatype"].removeprefix("xnn_datatype_"), tuple(value["dims"])
                numbers = np.frombuffer(data[value["constant_buffer_idx"]], TYPES[kind])[
                    : prod(shape)
                ].reshape(shape)
                found[shape] = (kind, numbers, _scales(value["quant_params"], data))
    return found


def _scales(params: dict[str, Any] | None, data: list[Any]) -> Any:
    if not params or "scale_buffer_idx" not in params:
        return np.float32((params or {}).get("scale", 1))
    return np.frombuffer(data[params["scale_buffer_idx"]], np.float32)[: params["num_scales"]]


@pytest.mark.parametrize(
    ("kind", "params", "names"),
    [
        ("static", {"per_channel": True}, ("conv", "dense")),
        ("static", {"per_channel": False}, ("conv", "dense")),
        ("dynamic", {}, ("dense",)),
    ],
)
def test_weights_are_the_float_ones_rounded(
    kind: str, params: dict[str, Any], names: tuple[str, ...], source: Path, tmp_path: Path
) -> None:
    stored = _stored(tiny.apply(f"torch_pt2e_{kind}_int8", source, tmp_path, **params))
    for name in names:
        weight, (type_, numbers, scales) = tiny.weights()[name], stored[tiny.weights()[name].shape]
        assert type_ == ("qint8" if params.get("per_channel") is False else "qcint8")
        largest = np.abs(weight).max(axis=tuple(range(1, weight.ndim)) if scales.size > 1 else None)
        np.testing.assert_allclose(
            scales, np.maximum(largest / 127, 2**-12), rtol=5e-3
        )  # the quantizer's smallest scale
        step = np.broadcast_to(scales, len(weight)).reshape(-1, *[1] * (weight.ndim - 1))
        # flatc writes a scale that stands for a whole tensor with six digits
        assert (
            np.abs(numbers * step - weight) <= HALF_A_STEP * step + 1e-6 * np.abs(numbers)
        ).all()


def test_dynamic_quantization_takes_plain_convolutions(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten())
    axes = ({0: torch.export.Dim("batch", min=1)},)
    torch.export.save(
        torch.export.export(model, (torch.zeros(2, 3, 8, 8),), dynamic_shapes=axes),
        tmp_path / "model.pt2",
    )
    file, x = (
        tiny.apply("torch_pt2e_dynamic_int8", tmp_path / "model.pt2", tmp_path / "out"),
        tiny.items(20),
    )
    assert _stored(file)[8, 3, 3, 3][0] == "qcint8"
    assert inspect(file, "executorch")["float_operators"] == {}
    float_ = tiny.answers("pytorch", tmp_path / "model.pt2", x)
    assert np.corrcoef(tiny.answers("executorch", file, x).ravel(), float_.ravel())[0, 1] > 0.999


def test_operators_are_counted_and_what_stayed_float_is_named(source: Path, tmp_path: Path) -> None:
    static = inspect(
        tiny.apply("torch_pt2e_static_int8", source, tmp_path / "static"), "executorch"
    )
    assert (static["operators"]["XNNConv2d"], static["operators"]["XNNFullyConnected"]) == (1, 1)
    assert static["float_operators"] == {}
    assert static["parameters"] == sum(value.size for value in tiny.weights().values())
    dense = inspect(
        tiny.apply("torch_pt2e_dynamic_int8", source, tmp_path / "dense", scope="dense"),
        "executorch",
    )
    assert dense["float_operators"] == {"XNNConv2d": 1}
    assert dense["inputs"] == [{"name": "input", "shape": [1, 3, 8, 8], "dtype": "float32"}]


@pytest.mark.parametrize(
    ("choice", "float_"),
    [
        ({"keep_float": (CONV,)}, "conv"),
        ({"keep_float": (RELU,)}, "conv"),
        ({"only": (CONV,)}, "dense"),
    ],
)
def test_layers_stay_float_as_chosen(
    choice: dict[str, Any], float_: str, source: Path, tmp_path: Path
) -> None:
    stored = _stored(tiny.apply("torch_pt2e_static_int8", source, tmp_path, **choice))
    for name in ("conv", "dense"):
        type_, numbers, _ = stored[tiny.weights()[name].shape]
        assert type_ == ("fp32" if name == float_ else "qcint8")
        if name == float_:
            np.testing.assert_allclose(numbers, tiny.weights()[name], atol=1e-6)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"keep_float": ("7",)}, "does not have"),
        ({"keep_float": (CONV, LINEAR)}, "Nothing is left"),
    ],
)
def test_an_impossible_choice_is_refused(
    choice: dict[str, Any], message: str, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidOption, match=message):
        tiny.apply("torch_pt2e_static_int8", source, tmp_path, **choice)


def test_a_model_without_an_operator_that_it_knows_is_refused(tmp_path: Path) -> None:
    import torch

    x = torch.zeros(2, 3, 8, 8)
    program = torch.export.export(
        torch.nn.Softmax(1), (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},)
    )
    torch.export.save(program, tmp_path / "model.pt2")
    with pytest.raises(InvalidFile, match="knows no operator"):
        tiny.apply("torch_pt2e_static_int8", tmp_path / "model.pt2", tmp_path / "out")


def test_16_bit_floats_are_the_weights_of_dense_layers(source: Path, tmp_path: Path) -> None:
    file, w = tiny.apply("torch_executorch_fp16", source, tmp_path), tiny.weights()
    stored = _stored(file)
    assert stored[w["dense"].shape][0] == "fp16"
    assert (stored[w["dense"].shape][1] == w["dense"].astype(np.float16)).all()
    assert stored[w["conv"].shape][0] == "fp32"  # XNNPACK's own choice
    np.testing.assert_allclose(stored[w["conv"].shape][1], w["conv"].astype(np.float16), atol=1e-3)


def test_what_xnnpack_took_is_noted(source: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from lab.registry import technique

    notes: dict[str, Any] = {}
    context = replace(tiny.context(tmp_path), note=notes.__setitem__)
    technique("torch_to_executorch").apply(source, {}, context)
    taken, total = notes["xnnpack"].split(" operators")[0].split(" of ")
    assert int(taken) == int(total) > 5
    assert "executorch_kernels" not in notes


def test_a_model_of_a_fixed_batch_is_freed_of_it(tmp_path: Path) -> None:
    source = tiny.write_torch_export(tmp_path / "four.pt2", batch=4)
    x = tiny.items(5)
    file = tiny.apply("torch_to_executorch", source, tmp_path / "freed")
    np.testing.assert_allclose(
        tiny.answers("executorch", file, x), tiny.answers("pytorch", source, x), atol=1e-4
    )
