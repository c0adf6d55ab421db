"""PyTorch's FX quantization: what the TorchScript file stores, against the float weights and
formulas.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.errors import InvalidFile, InvalidOption
from lab.formats.inspect import inspect
from tests import tiny

pytestmark = pytest.mark.slow
HALF_A_STEP = 0.5001
N = 32
CONV, NORM, RELU, POOL, LINEAR = "0", "1", "2", "3", "5"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_torch_export(tmp_path_factory.mktemp("torch") / "tiny.pt2")


def _packed(file: Path) -> list[tuple[str, list[Any]]]:
    """Operator -> [weight, bias] of each operator of a file that reads packed weights, in the
    file's order.
    """
    import torch

    from lab.formats.torch_export.packed import packed_tensors

    found = []
    for node in torch.jit.load(file).inlined_graph.nodes():
        values = [i.toIValue() for i in node.inputs() if i.node().kind() == "prim::Constant"]
        found += [
            (node.kind(), packed_tensors(v)) for v in values if isinstance(v, torch.ScriptObject)
        ]
    return found


def _steps(weight: Any) -> Any:
    scales = (
        weight.q_per_channel_scales().numpy()
        if "channel" in str(weight.qscheme())
        else np.full(len(weight), weight.q_scale())
    )
    return scales.reshape(-1, *[1] * (weight.ndim - 1))


def _float(name: str) -> Any:
    """The tiny classifier's weight as torch lays it out; the convolution's with the batch
    normalisation multiplied in.
    """
    w = tiny.weights()[name]
    return w.transpose(0, 3, 1, 2) if name == "conv" else w


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize(
    ("kind", "operators"),
    [
        ("static", {"conv": "quantized::conv2d_relu", "dense": "quantized::linear"}),
        ("dynamic", {"dense": "quantized::linear_dynamic"}),
    ],
)
def test_weights_are_the_float_ones_rounded(
    kind: str, operators: dict[str, str], per_channel: bool, source: Path, tmp_path: Path
) -> None:
    file = tiny.apply(f"torch_fx_{kind}_int8", source, tmp_path, per_channel=per_channel)
    packed = _packed(file)
    assert [operator for operator, _ in packed] == list(operators.values())
    for name, (_, (weight, _)) in zip(operators, packed, strict=True):
        expected, step = _float(name), _steps(weight)
        axes = tuple(range(1, expected.ndim)) if per_channel else None
        np.testing.assert_allclose(
            step.ravel(),
            np.broadcast_to(np.abs(expected).max(axis=axes), len(step)) / 127.5,
            rtol=1e-5,
        )
        assert (np.abs(weight.dequantize().numpy() - expected) <= HALF_A_STEP * step).all()


@pytest.mark.parametrize(("engine", "levels"), [("x86", 127), ("qnnpack", 255), ("onednn", 255)])
def test_the_range_of_the_input_is_what_the_calibration_items_reach(
    engine: str, levels: int, source: Path, tmp_path: Path
) -> None:
    import torch

    file = tiny.apply(
        "torch_fx_static_int8",
        source,
        tmp_path,
        engine=engine,
        method="minmax",
        calibration_samples=N,
    )
    graph = torch.jit.load(file).inlined_graph
    (node,) = [node for node in graph.nodes() if node.kind() == "aten::quantize_per_tensor"]
    _, scale, zero, _ = (value.toIValue() for value in node.inputs())
    x = tiny.items(512, seed=2)[:N]
    assert float(scale) == pytest.approx((x.max() - x.min()) / levels, rel=1e-5)
    assert int(zero) == round(-x.min() / float(scale))


def test_operators_are_counted_and_what_stayed_float_is_named(source: Path, tmp_path: Path) -> None:
    whole = inspect(tiny.apply("torch_fx_static_int8", source, tmp_path / "whole"), "torchscript")
    assert whole["operators"] == {
        "aten::quantize_per_tensor": 1,
        "quantized::conv2d_relu": 1,
        "aten::avg_pool2d": 1,
        "aten::flatten": 1,
        "quantized::linear": 1,
        "aten::dequantize": 1,
    }
    assert whole["float_operators"] == {}
    assert whole["parameters"] == sum(value.size for value in tiny.weights().values())
    dynamic = inspect(
        tiny.apply("torch_fx_dynamic_int8", source, tmp_path / "dynamic"), "torchscript"
    )
    assert dynamic["float_operators"] == {"aten::_convolution": 1}
    assert (dynamic["inputs"][0]["shape"], dynamic["outputs"][0]["shape"]) == (
        [None, 3, 8, 8],
        [None, tiny.CLASSES],
    )


@pytest.mark.parametrize(
    ("choice", "integers"),
    [
        ({"keep_float": (CONV,)}, ["quantized::linear"]),
        ({"keep_float": (NORM,)}, ["quantized::linear"]),
        ({"keep_float": (RELU,)}, ["quantized::linear"]),
        ({"keep_float": (LINEAR,)}, ["quantized::conv2d_relu"]),
        ({"only": (CONV,)}, ["quantized::conv2d_relu"]),
        ({"only": (LINEAR,)}, ["quantized::linear"]),
    ],
)
def test_layers_stay_float_as_chosen(
    choice: dict[str, Any], integers: list[str], source: Path, tmp_path: Path
) -> None:
    file = tiny.apply("torch_fx_static_int8", source, tmp_path, **choice)
    assert [operator for operator, _ in _packed(file)] == integers
    assert sum(inspect(file, "torchscript")["float_operators"].values()) == 1
    x = tiny.items(50)
    assert (
        np.corrcoef(
            tiny.answers("torchscript", file, x).ravel(), tiny.answers("pytorch", source, x).ravel()
        )[0, 1]
        > 0.99
    )


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"keep_float": ("7",)}, "does not have"),
        ({"only": (POOL,)}, "Nothing is left"),
        ({"keep_float": (CONV, LINEAR)}, "Nothing is left"),
    ],
)
def test_an_impossible_choice_is_refused(
    choice: dict[str, Any], message: str, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidOption, match=message):
        tiny.apply("torch_fx_static_int8", source, tmp_path, **choice)


def test_engines_do_not_disturb_each_other(source: Path, tmp_path: Path) -> None:
    from lab.registry import runtime

    x = tiny.items(8, channels_first=True)
    files = [
        tiny.apply("torch_fx_static_int8", source, tmp_path / e, engine=e)
        for e in ("x86", "qnnpack")
    ]
    alone = [runtime("torchscript").load(str(file), {}).run(x) for file in files]
    sessions = [runtime("torchscript").load(str(file), {}) for file in files]
    for session, expected in [*zip(sessions, alone, strict=True)] * 2:
        assert (session.run(x) == expected).all()


@pytest.mark.parametrize("engine", ["x86", "qnnpack", "onednn"])
def test_each_engine_clips_and_adds_as_the_float_model_does(engine: str, tmp_path: Path) -> None:
    import torch

    class Inverted(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.deep = (
                torch.nn.Conv2d(3, 24, 1),
                torch.nn.Conv2d(24, 24, 3, padding=1, groups=24),
            )
            self.narrow, self.clip = torch.nn.Conv2d(24, 3, 1), torch.nn.ReLU6()

        def forward(self, x: Any) -> Any:
            return (x + self.narrow(self.clip(self.deep(self.clip(self.wide(4 * x)))))).mean((2, 3))

    torch.manual_seed(0)
    x = tiny.items(64, channels_first=True)
    source = _export(Inverted(), torch.from_numpy(x[:2]), tmp_path / "model.pt2")
    file = _apply("torch_fx_static_int8", source, tmp_path / "out", x, engine=engine)
    float_ = tiny.answers("pytorch", source, x)
    assert np.corrcoef(tiny.answers("torchscript", file, x).ravel(), float_.ravel())[0, 1] > 0.995


def _export(model: Any, x: Any, path: Path) -> Path:
    import torch

    axes = ({0: torch.export.Dim("batch", min=1)},)
    torch.export.save(torch.export.export(model.eval(), (x,), dynamic_shapes=axes), path)
    return path


def _apply(technique: str, source: Path, workdir: Path, x: Any, **params: Any) -> Path:
    from lab.options import validate
    from lab.plugs import Context
    from lab.registry import technique as find

    workdir.mkdir(parents=True)
    plug, card = find(technique), tiny.context(workdir).card
    return plug.apply(
        source,
        validate(plug.options, params, technique),
        Context(workdir, card, lambda n: x[:n], lambda n: (x[:n], x)),
    )


def test_a_weight_that_several_operators_read_is_stored_once(tmp_path: Path) -> None:
    import torch

    class Thrice(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = torch.nn.Linear(128, 128)

        def forward(self, x: Any) -> Any:
            return self.dense(self.dense(self.dense(x)))

    torch.manual_seed(0)
    source = _export(Thrice(), torch.zeros(2, 128), tmp_path / "model.pt2")
    x = np.random.default_rng(0).normal(size=(64, 128)).astype(np.float32)
    for kind in ("static", "dynamic"):
        file = _apply(f"torch_fx_{kind}_int8", source, tmp_path / kind, x)
        assert inspect(file, "torchscript")["parameters"] == 128 * 128 + 128
        assert file.stat().st_size < 2 * 128 * 128
        assert (
            np.corrcoef(
                tiny.answers("torchscript", file, x).ravel(),
                tiny.answers("pytorch", source, x).ravel(),
            )[0, 1]
            > 0.99
        )
    only = _apply("torch_fx_static_int8", source, tmp_path / "only", x, only=("dense (2)",))
    assert inspect(only, "torchscript")["float_operators"] == {"aten::linear": 2}


@pytest.mark.parametrize(("kind", "numbers"), [("GRU", 3), ("LSTM", 4)])
def test_a_recurrent_layer_is_quantized_dynamically(
    kind: str, numbers: int, tmp_path: Path
) -> None:
    import torch

    class Last(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.cells = getattr(torch.nn, kind)(3, 32, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.cells(x)[0][:, -1]

    torch.manual_seed(0)
    source = _export(Last(), torch.zeros(2, 7, 3), tmp_path / "model.pt2")
    x = np.random.default_rng(0).normal(size=(64, 7, 3)).astype(np.float32)
    float_ = _apply("torch_to_torchscript", source, tmp_path / "float", x)
    file = _apply("torch_fx_dynamic_int8", source, tmp_path / "int8", x)
    assert inspect(file, "torchscript")["operators"][f"aten::quantized_{kind.lower()}"] == 1
    saved = float_.stat().st_size - file.stat().st_size
    assert saved > 0.7 * 3 * numbers * 32 * (32 + 3)
    np.testing.assert_allclose(
        tiny.answers("torchscript", float_, x), tiny.answers("pytorch", source, x), atol=1e-5
    )
    np.testing.assert_allclose(
        tiny.answers("torchscript", file, x), tiny.answers("pytorch", source, x), atol=0.05
    )


@pytest.mark.parametrize("layer", ["softmax", "projections"])
def test_a_model_without_an_operator_that_it_knows_is_refused(layer: str, tmp_path: Path) -> None:
    import torch

    class Projected(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.cells = torch.nn.LSTM(4, 8, proj_size=2, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.cells(x)[0]

    model = torch.nn.Softmax(-1) if layer == "softmax" else Projected()
    source = _export(model, torch.zeros(2, 3, 4), tmp_path / "model.pt2")
    with pytest.raises(InvalidFile, match="no integer form"):
        _apply("torch_fx_static_int8", source, tmp_path / "out", np.zeros((8, 3, 4), np.float32))


def test_items_that_are_not_finite_are_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="finite"):
        _apply(
            "torch_fx_static_int8",
            source,
            tmp_path / "out",
            np.full((8, 3, 8, 8), np.nan, np.float32),
        )


def test_what_an_engine_cannot_scale_is_named(tmp_path: Path) -> None:
    import torch

    class Vanishing(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return torch.zeros_like(x) + torch.sigmoid(x) * 1e3

    source = _export(Vanishing(), torch.zeros(2, 4), tmp_path / "model.pt2")
    x = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
    with pytest.raises(InvalidFile, match=r"qnnpack refuses .*add: the ranges.*another engine"):
        _apply("torch_fx_static_int8", source, tmp_path / "out", x, engine="qnnpack")
