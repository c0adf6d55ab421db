"""Quantization-aware training by NNCF and by torchao: what is deployed answers as what was trained,
in integers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.options import validate
from lab.registry import technique
from tests import tiny

pytestmark = pytest.mark.slow
SAME, A_STEP = 0.999, 0.05
"""Least correlation with the model as it was trained, and the largest difference as a share of the
largest answer: half of a tie may be rounded the other way.
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_torch_export(tmp_path_factory.mktemp("torch") / "tiny.pt2")


class _Watched:
    """The tiny context, which keeps what the technique judged and noted."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from dataclasses import replace

        from lab.finetuning import quantizing

        self.notes: dict[str, Any] = {}
        self.outputs: list[Any] = []
        self.context = replace(
            tiny.context(folder, channels_first=True), note=self.notes.__setitem__
        )
        before = quantizing.Gap._value

        def value(gap: Any, answer: Any) -> Any:
            self.outputs.append(answer(gap._x))
            return before(gap, answer)

        monkeypatch.setattr(quantizing.Gap, "_value", value)


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("id_", ["torch_qat_nncf", "torch_qat_tflite"])
def test_the_file_answers_as_the_model_that_was_trained(
    id_: str, per_channel: bool, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug, watched = technique(id_), _Watched(tmp_path, monkeypatch)
    params = validate(plug.options, {"train_steps": 5, "per_channel": per_channel}, id_)
    file = plug.apply(source, params, watched.context)
    trained, deployed = watched.outputs
    assert np.corrcoef(trained.ravel(), deployed.ravel())[0, 1] > SAME
    assert np.abs(trained - deployed).max() < A_STEP * np.abs(trained).max()
    told = watched.notes["fake_quantized"]
    labels = watched.context.labelled(512)[1]
    assert told == {
        "metric": "top1_accuracy",
        "n": 512,
        "value": (trained.argmax(1) == labels).mean(),
        "deployed": (deployed.argmax(1) == labels).mean(),
    }
    assert _scales(file) == ([tiny.FILTERS, tiny.CLASSES] if per_channel else [1, 1])


def _scales(file: Path) -> list[int]:
    """How many scales the convolution's and the dense layer's weights have; both must be 8-bit
    integers.
    """
    if file.suffix == ".onnx":
        import onnx

        model = onnx.load(file)
        stored = {tensor.name: tensor for tensor in model.graph.initializer}
        readers = {
            n.input[0]: n
            for n in model.graph.node
            if n.op_type == "DequantizeLinear" and n.input[0] in stored
        }
        weights = sorted(
            (name for name in readers if len(stored[name].dims) > 1),
            key=lambda n: -len(stored[n].dims),
        )
        assert all(stored[name].data_type == onnx.TensorProto.INT8 for name in weights)
        assert not [
            t.name
            for t in stored.values()
            if t.data_type == onnx.TensorProto.FLOAT and len(t.dims) > 1
        ]
        return [int(np.prod(stored[readers[name].input[1]].dims)) for name in weights]
    from lab.formats.tflite.files import is_constant, load_tflite, type_name

    model = load_tflite(file)
    tensors = [t for t in model.subgraphs[0].tensors if is_constant(model, t) and len(t.shape) > 1]
    weights = sorted(tensors, key=lambda t: -len(t.shape))
    assert [type_name(t) for t in weights] == ["INT8", "INT8"]
    return [len(t.quantization.scale) for t in weights]


def test_openvino_computes_what_nncf_trained_in_integers(source: Path, tmp_path: Path) -> None:
    file = tiny.apply("torch_qat_nncf", source, tmp_path / "qat", train_steps=5)
    converted = tiny.apply("onnx_to_openvino", file, tmp_path / "converted")
    x = tiny.items(50)
    here, there = tiny.answers("ort", file, x), tiny.answers("openvino", converted, x)
    assert np.abs(here - there).max() < A_STEP * np.abs(here).max()
    from lab.formats.openvino_ir.files import load_openvino
    from lab.formats.openvino_ir.graph import float_operators

    assert not {"Convolution", "MatMul"} & {
        op.get_type_name() for op in float_operators(load_openvino(converted))
    }


@pytest.mark.parametrize("per_channel", [True, False])
def test_nncf_takes_layer_normalisations_with_either_granularity(per_channel: bool) -> None:
    """Asked for one scale a channel there, too, NNCF 3.4 fails on their one-dimensional weights."""
    import torch

    from lab.compress.nncf.torch import with_quantizers

    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Linear(6, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 3)
    ).eval()
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(16, 6)).astype(np.float32))
    params = {"preset": "performance", "overflow_fix": "first_layer", "per_channel": per_channel}
    rounded = with_quantizers(layers, [x], params)
    with torch.no_grad():
        before, after = layers(x).numpy(), rounded(x).numpy()
    assert (before != after).any()
    assert (
        np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.98
    )  # it cuts off what exceeds the mean of the extremes
