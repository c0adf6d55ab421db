"""Layer tables against what the frameworks count by other means, and against formulas by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.errors import InvalidFile, LabError
from lab.formats.inspect import inspect
from lab.formats.layers import activation_peak_bytes, layer_table, total_macs
from lab.types import InputSpec, Layer, ModelCard
from tests import small, tiny

CONV_MACS = tiny.SIDE**2 * tiny.FILTERS * 9 * tiny.CHANNELS
CONV_PARAMETERS = tiny.FILTERS * (9 * tiny.CHANNELS + 1)
DENSE_MACS, DENSE_PARAMETERS = tiny.FILTERS * tiny.CLASSES, (tiny.FILTERS + 1) * tiny.CLASSES
PLANE = 4 * tiny.SIDE**2 * tiny.FILTERS


def parameters(layers: list[Layer]) -> int:
    return sum(layer.parameters for layer in layers)


# --- ONNX and TFLite ------------------------------------------------------------------------------


def test_an_onnx_table_whole(tiny_onnx: Path) -> None:
    shape = (tiny.FILTERS, tiny.SIDE, tiny.SIDE)
    assert layer_table(tiny_onnx, "onnx") == [
        Layer("conv0", "Conv", shape, CONV_PARAMETERS, CONV_MACS, PLANE),
        Layer("relu0", "Relu", shape, 0, 0, PLANE, ("conv0",)),
        Layer("pool0", "AveragePool", (tiny.FILTERS, 1, 1), 0, 0, 4 * tiny.FILTERS, ("relu0",)),
        Layer(
            "gemm0",
            "Gemm",
            (tiny.CLASSES,),
            DENSE_PARAMETERS,
            DENSE_MACS,
            4 * tiny.CLASSES,
            ("pool0",),
        ),
    ]


def test_a_tflite_table_whole(tiny_tflite: Path) -> None:
    assert layer_table(tiny_tflite, "tflite") == [
        Layer(
            "relu",
            "CONV_2D",
            (tiny.SIDE, tiny.SIDE, tiny.FILTERS),
            CONV_PARAMETERS,
            CONV_MACS,
            PLANE,
        ),
        Layer("pool", "AVERAGE_POOL_2D", (1, 1, tiny.FILTERS), 0, 0, 4 * tiny.FILTERS, ("relu",)),
        Layer(
            "y",
            "FULLY_CONNECTED",
            (tiny.CLASSES,),
            DENSE_PARAMETERS,
            DENSE_MACS,
            4 * tiny.CLASSES,
            ("pool",),
        ),
    ]


def test_the_model_of_one_layer(tmp_path: Path) -> None:
    (layer,) = layer_table(small.write_onnx(tmp_path / "small.onnx"), "onnx")
    assert (layer.macs, layer.parameters) == (
        small.FEATURES * small.CLASSES,
        (small.FEATURES + 1) * small.CLASSES,
    )


@pytest.mark.parametrize(
    "technique",
    [
        "onnx_dynamic_int8",
        "onnx_static_int8",
        "onnx_fp16",
        "tflite_static_wi8_ai8",
        "tflite_weight_only_wi4",
    ],
)
def test_totals_of_variants_are_those_of_the_inspection(
    technique: str, tiny_onnx: Path, tiny_tflite: Path, tmp_path: Path
) -> None:
    format_ = technique.split("_")[0]
    file = tiny.apply(technique, {"onnx": tiny_onnx, "tflite": tiny_tflite}[format_], tmp_path)
    layers, found = layer_table(file, format_), inspect(file, format_)
    assert (parameters(layers), total_macs(layers)) == (found["parameters"], found["macs"])


def test_integer_activations_take_a_quarter(tiny_tflite: Path, tmp_path: Path) -> None:
    file = tiny.apply("tflite_static_wi8_ai8", tiny_tflite, tmp_path)
    conv = next(layer for layer in layer_table(file, "tflite") if layer.type == "CONV_2D")
    assert conv.activation_bytes == PLANE / 4


def test_other_formats_are_refused(tiny_onnx: Path) -> None:
    with pytest.raises(InvalidFile, match="keras, onnx, openvino_ir, tflite, torch_export"):
        layer_table(tiny_onnx, "npz")


# --- PyTorch --------------------------------------------------------------------------------------


def torch_network():
    """Convolutions, one depthwise, a residual connection, a recurrence, attention, a weight used
    twice.
    """
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(
                nn.Conv2d(3, 8, 3, padding=1, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU()
            )
            self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
            self.recurrent = nn.GRU(8, 12, batch_first=True)
            self.dense = nn.Linear(12, 12)
            self.dropout = nn.Dropout(0.5)
            self.head = nn.Linear(12, 5)

        def forward(self, x):
            x = self.stem(x)
            x = x + self.depthwise(x)
            x, _ = self.recurrent(x.flatten(2).transpose(1, 2))
            share = torch.softmax(x @ x.transpose(1, 2), dim=-1)
            x = self.dense(self.dense(share @ x))
            return self.head(self.dropout(x.mean(dim=1)))

    torch.manual_seed(0)
    return Network().eval()


@pytest.fixture(scope="module")
def torch_layers(tmp_path_factory) -> tuple[object, list[Layer]]:
    import torch

    network, path = torch_network(), tmp_path_factory.mktemp("torch") / "network.pt2"
    free = ({0: torch.export.Dim("batch")},)
    torch.export.save(
        torch.export.export(network, (torch.randn(2, 3, 16, 16),), dynamic_shapes=free), path
    )
    return network, layer_table(path, "torch_export")


def test_torch_totals_are_those_of_the_whole_network(torch_layers) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    network, layers = torch_layers
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.randn(1, 3, 16, 16))
    assert total_macs(layers) == counter.get_total_flops() // 2
    assert parameters(layers) == sum(p.numel() for p in network.parameters())


def test_torch_rows_are_the_modules_and_the_operations_between_them(torch_layers) -> None:
    rows = {layer.name: layer for layer in torch_layers[1]}
    assert rows["stem.0"] == Layer("stem.0", "Conv2d", (8, 8, 8), 8 * 27, 64 * 8 * 27, 2048)
    assert (rows["depthwise"].type, rows["depthwise"].parameters, rows["depthwise"].macs) == (
        "Conv2d",
        80,
        64 * 72,
    )
    assert rows["recurrent"].type == "GRU"
    assert rows["recurrent"].macs == 64 * 3 * (8 * 12 + 12 * 12)
    assert rows["recurrent"].output_shape == (64, 12)
    assert [layer.macs for layer in torch_layers[1] if layer.type == "matmul"] == [64 * 64 * 12] * 2
    assert "dropout" not in rows


def test_a_weight_that_is_used_twice_counts_once_and_works_twice(torch_layers) -> None:
    first, second = [layer for layer in torch_layers[1] if layer.name.startswith("dense")]
    assert (first.parameters, second.parameters) == (156, 0)
    assert first.macs == second.macs == 64 * 144
    assert second.inputs == (first.name,)


def test_a_residual_connection_reads_both(torch_layers) -> None:
    (add,) = [layer for layer in torch_layers[1] if layer.type == "add"]
    assert add.inputs == ("stem.2", "depthwise")


# --- Keras ----------------------------------------------------------------------------------------


def keras_network():
    """Every kind of layer that has a formula of its own."""
    import keras

    layers = keras.layers
    image = keras.Input((16, 16, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="conv")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.SeparableConv2D(6, 3, padding="same", name="separable")(x)
    x = layers.Conv2DTranspose(4, 2, strides=2, name="transpose")(x)
    inner = keras.Sequential(
        [keras.Input((16, 16, 4)), layers.Conv2D(4, 1, name="pointwise"), layers.Dropout(0.5)],
        name="inner",
    )
    x = layers.Add(name="sum")([x, inner(x)])
    x = layers.Reshape((16, 64), name="steps")(x)
    x = layers.MultiHeadAttention(2, 8, name="attention")(x, x)
    x = layers.Bidirectional(layers.LSTM(5, return_sequences=True), name="both")(x)
    x = layers.TimeDistributed(layers.Dense(7), name="each")(x)
    x = layers.GRU(6, name="gru")(x)
    x = layers.Dense(3, name="head")(layers.Dropout(0.2, name="dropout")(x))
    return keras.Model(image, x)


KERAS_MACS = {
    "conv": 64 * 27 * 8,
    "norm": 0,
    "depthwise": 64 * 9 * 8,
    "separable": 64 * (9 * 8 + 8 * 6),
    "transpose": 64 * 4 * 6 * 4,
    "inner.pointwise": 256 * 16,
    "sum": 0,
    "attention": 4 * 16 * 64 * 16 + 2 * 16 * 16 * 16,
    "both": 2 * 16 * 4 * 5 * (64 + 5),
    "each": 16 * 10 * 7,
    "gru": 16 * 3 * 6 * (7 + 6),
    "head": 18,
}


@pytest.fixture(scope="module")
def keras_layers(tmp_path_factory) -> tuple[object, list[Layer]]:
    from lab.formats.keras.files import tensorflow

    tensorflow()
    network, path = keras_network(), tmp_path_factory.mktemp("keras") / "network.keras"
    network.save(path)
    return network, layer_table(path, "keras")


def test_keras_rows_do_the_work_that_formulas_say(keras_layers) -> None:
    assert {layer.name: layer.macs for layer in keras_layers[1]} == KERAS_MACS


def test_keras_parameters_are_those_of_the_model(keras_layers) -> None:
    network, layers = keras_layers
    assert parameters(layers) == network.count_params()


def test_keras_outputs_and_their_memory(keras_layers) -> None:
    rows = {layer.name: layer for layer in keras_layers[1]}
    assert (rows["conv"].output_shape, rows["conv"].activation_bytes) == ((8, 8, 8), 4 * 512)
    assert rows["sum"].inputs == ("transpose", "inner.pointwise")


# --- memory ---------------------------------------------------------------------------------------


def row(name: str, size: int, *inputs: str) -> Layer:
    return Layer(name, "x", (1,), 0, 0, size, inputs)


def test_a_chain_holds_two_outputs_at_once() -> None:
    assert (
        activation_peak_bytes([row("a", 5), row("b", 7, "a"), row("c", 2, "b"), row("d", 1, "c")])
        == 12
    )


def test_a_shortcut_is_held_until_it_is_added() -> None:
    assert (
        activation_peak_bytes(
            [row("a", 5), row("b", 7, "a"), row("c", 7, "b"), row("d", 5, "a", "c")]
        )
        == 19
    )


def test_answers_stay() -> None:
    assert activation_peak_bytes([row("a", 5), row("answer", 3, "a"), row("b", 7, "a")]) == 15
    assert activation_peak_bytes([]) == 0


# --- where the lab keeps it -----------------------------------------------------------------------


def added(path: Path, format_: str = "onnx") -> ModelCard:
    return ModelCard(
        "mine", "Mine", "classification", format_, format_, str(path), InputSpec((64,)), "npz-1"
    )


def test_a_file_is_read_once_in_a_process_of_its_own(
    lab_home: Path, tmp_path: Path, monkeypatch
) -> None:
    from lab.store import layers

    card = added(small.write_onnx(tmp_path / "small.onnx"))
    first = layers.layers_of(card)
    assert first == layer_table(card.path, "onnx")
    monkeypatch.setattr(layers, "_read", lambda *_: pytest.fail("read again"))
    assert layers.layers_of(card) == first


def test_a_record_is_believed_only_beside_its_own_weights(lab_home: Path, tmp_path: Path) -> None:
    from lab.store.blobs import sha256_of
    from lab.store.layers import layers_of

    card = added(small.write_onnx(tmp_path / "small.onnx"))
    told = {
        "name": "told",
        "type": "x",
        "output_shape": [1],
        "parameters": 1,
        "macs": None,
        "activation_bytes": 4,
        "inputs": [],
    }
    record = {"layers": [told], "weights_sha256": sha256_of(Path(card.path))}
    (tmp_path / "small.json").write_text(json.dumps(record))
    assert layers_of(card) == [Layer("told", "x", (1,), 1, None, 4)]
    (tmp_path / "small.json").write_text(json.dumps({**record, "weights_sha256": "0"}))
    assert [layer.type for layer in layers_of(card)] == ["Gemm"]


def test_what_cannot_be_read_is_explained(lab_home: Path, tmp_path: Path) -> None:
    from lab.store.layers import layers_of

    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(LabError, match=r"broken\.onnx could not be read"):
        layers_of(added(tmp_path / "broken.onnx"))
    with pytest.raises(LabError, match="is not here"):
        layers_of(added(tmp_path / "gone.onnx"))


def test_asking_for_layers_loads_no_framework(lab_home: Path, tmp_path: Path) -> None:
    file = small.write_onnx(tmp_path / "small.onnx")
    code = (
        "import sys; from lab.store.layers import layers_of; from lab.types import"
        f" *;layers_of(ModelCard('m', 'M', 'classification', 'onnx', 'onnx', {str(file)!r},"
        " InputSpec((64,)), 'npz-1'));print(sorted({'torch', 'tensorflow', 'keras', 'onnx',"
        " 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout.strip() == "[]"
