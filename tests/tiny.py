"""Tiny models made on the spot: the same convolutional classifier as an ONNX and as a TFLite
file.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

SIDE, CHANNELS, FILTERS, CLASSES = 8, 3, 16, 5


def weights(filters: int = FILTERS) -> dict[str, Any]:
    """Convolution (filters, 3, 3, CHANNELS), its bias, dense (CLASSES, filters), its bias."""
    rng = np.random.default_rng(0)
    return {
        "conv": rng.normal(scale=0.3, size=(filters, 3, 3, CHANNELS)).astype(np.float32),
        "conv_bias": rng.normal(scale=0.1, size=filters).astype(np.float32),
        "dense": rng.normal(scale=0.5, size=(CLASSES, filters)).astype(np.float32),
        "dense_bias": rng.normal(scale=0.1, size=CLASSES).astype(np.float32),
    }


def items(n: int, seed: int = 1, channels_first: bool = False) -> Any:
    """Random images whose brightness and contrast differ, so that the classifier's answers do
    too.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, SIDE, SIDE, CHANNELS)) * rng.uniform(0.3, 2, (n, 1, 1, 1)) + rng.normal(
        size=(n, 1, 1, CHANNELS)
    )
    x = x.astype(np.float32)
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if channels_first else x


def write_onnx(path: Path, batch: int | str = "n", filters: int = FILTERS) -> Path:
    """Input (batch, CHANNELS, SIDE, SIDE), output (batch, CLASSES)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    w = weights(filters)
    nodes = [
        helper.make_node(
            "Conv", ["x", "conv", "conv_bias"], ["c"], name="conv0", pads=[1, 1, 1, 1]
        ),
        helper.make_node("Relu", ["c"], ["r"], name="relu0"),
        helper.make_node("AveragePool", ["r"], ["p"], name="pool0", kernel_shape=[SIDE, SIDE]),
        helper.make_node("Flatten", ["p"], ["f"], name="flat0"),
        helper.make_node("Gemm", ["f", "dense", "dense_bias"], ["y"], name="gemm0", transB=1),
    ]
    stored = {**w, "conv": np.ascontiguousarray(w["conv"].transpose(0, 3, 1, 2))}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, CHANNELS, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, CLASSES])],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        str(path),
    )
    return path


def write_tflite(path: Path, signature: bool = True, filters: int = FILTERS) -> Path:
    """Input (1, SIDE, SIDE, CHANNELS), output (1, CLASSES); without a signature like files of older
    converters.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as s

    w = weights(filters)
    buffers, tensors = [_buffer(s, None)], []

    def tensor(name: str, shape: tuple[int, ...], value: Any = None) -> int:
        buffers.append(_buffer(s, value))
        tensors.append(_tensor(s, name, shape, len(buffers) - 1))
        return len(tensors) - 1

    x, y = tensor("x", (1, SIDE, SIDE, CHANNELS)), tensor("y", (1, CLASSES))
    conv, pooled = tensor("relu", (1, SIDE, SIDE, filters)), tensor("pool", (1, 1, 1, filters))
    stored = {name: tensor(name, value.shape, value) for name, value in w.items()}
    graph = s.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs, graph.name = tensors, [x], [y], b"main"
    kinds = s.BuiltinOptions
    graph.operators = [
        _operator(
            s,
            0,
            [x, stored["conv"], stored["conv_bias"]],
            conv,
            kinds.Conv2DOptions,
            _conv_options(s),
        ),
        _operator(s, 1, [conv], pooled, kinds.Pool2DOptions, _pool_options(s)),
        _operator(
            s,
            2,
            [pooled, stored["dense"], stored["dense_bias"]],
            y,
            kinds.FullyConnectedOptions,
            s.FullyConnectedOptionsT(),
        ),
    ]
    model = s.ModelT()
    model.version, model.subgraphs, model.buffers = 3, [graph], buffers
    codes = (
        s.BuiltinOperator.CONV_2D,
        s.BuiltinOperator.AVERAGE_POOL_2D,
        s.BuiltinOperator.FULLY_CONNECTED,
    )
    model.operatorCodes = [_code(s, code) for code in codes]
    model.signatureDefs = [_signature(s, x, y)] if signature else None
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def write_keras(path: Path) -> Path:
    """Input (n, SIDE, SIDE, CHANNELS), output (n, CLASSES); loads TensorFlow."""
    path = path.with_suffix(".keras")
    path.write_bytes(_keras())
    return path


@cache
def _keras() -> bytes:
    from lab.formats.keras.files import tensorflow

    tensorflow()
    import keras

    w = weights()
    conv = keras.layers.Conv2D(FILTERS, 3, padding="same", activation="relu", name="conv0")
    dense = keras.layers.Dense(CLASSES, name="dense0")
    pool = [keras.layers.AveragePooling2D(SIDE, name="pool0"), keras.layers.Flatten(name="flat0")]
    model = keras.Sequential(
        [keras.Input((SIDE, SIDE, CHANNELS), name="x"), conv, *pool, dense], name="tiny"
    )
    conv.set_weights([w["conv"].transpose(1, 2, 3, 0), w["conv_bias"]])
    dense.set_weights([w["dense"].T, w["dense_bias"]])
    return _saved(model.save, "tiny.keras")


def _saved(save: Any, name: str) -> bytes:
    """What `save` writes to the path that it is given."""
    with TemporaryDirectory() as folder:
        save(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def write_torch_export(path: Path, batch: int | None = None) -> Path:
    """Input (n or batch, CHANNELS, SIDE, SIDE), output (n, CLASSES); a batch normalisation follows
    the convolution, whose
    weights and bias are such that both together are the convolution of the other formats. Loads
    torch.
    """
    path.write_bytes(_torch_export(batch))
    return path


@cache
def _torch_export(batch: int | None) -> bytes:
    import torch

    model = torch.nn.Sequential(
        torch.nn.Conv2d(CHANNELS, FILTERS, 3, padding=1),
        torch.nn.BatchNorm2d(FILTERS),
        torch.nn.ReLU(),
        torch.nn.AvgPool2d(SIDE),
        torch.nn.Flatten(),
        torch.nn.Linear(FILTERS, CLASSES),
    ).eval()
    conv, norm, *_, dense = model
    w = {name: torch.from_numpy(value) for name, value in weights().items()}
    with torch.no_grad():
        for n, values in enumerate((norm.weight, norm.running_var, norm.bias, norm.running_mean)):
            values.copy_(torch.linspace(0.5, 1.5, FILTERS).roll(n))
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        conv.weight.copy_(w["conv"].permute(0, 3, 1, 2) / scale[:, None, None, None])
        conv.bias.copy_((w["conv_bias"] - norm.bias) / scale + norm.running_mean)
        dense.weight.copy_(w["dense"])
        dense.bias.copy_(w["dense_bias"])
    x = torch.from_numpy(items(batch or 2, channels_first=True))
    axes = None if batch else ({0: torch.export.Dim("batch", min=1)},)
    program = torch.export.export(model, (x,), dynamic_shapes=axes)
    return _saved(lambda path: torch.export.save(program, path), "tiny.pt2")


def write_torchscript(path: Path) -> Path:
    """Input (n, CHANNELS, SIDE, SIDE), output (n, CLASSES). Loads torch."""
    return _write(path.with_suffix(".torchscript"), *_converted("torch_to_torchscript"))


def write_executorch(path: Path) -> Path:
    """Input (1, CHANNELS, SIDE, SIDE), output (1, CLASSES). Loads torch."""
    return _write(path.with_suffix(".executorch"), *_converted("torch_to_executorch"))


def write_openvino(path: Path) -> Path:
    """Converted from the ONNX file, whose nodes keep their names."""
    path.write_bytes(_converted("onnx_to_openvino")[1])
    return path


@cache
def _converted(conversion: str) -> tuple[str, bytes]:
    """Name and content of the file that a conversion makes of the tiny model. Converted once in a
    process, since some take seconds.
    """
    from lab.registry import technique

    (format_,) = technique(conversion).accepts
    with TemporaryDirectory() as folder:
        file = apply(conversion, WRITERS[format_](Path(folder) / "tiny"), Path(folder) / "made")
        return file.name, file.read_bytes()


def _write(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


WRITERS = {
    "onnx": write_onnx,
    "tflite": write_tflite,
    "keras": write_keras,
    "torch_export": write_torch_export,
    "torchscript": write_torchscript,
    "executorch": write_executorch,
    "openvino_ir": write_openvino,
}
"""Format -> what writes the same classifier as a file of it."""


class Sources(dict[str, Path]):
    """The tiny classifier in every format, written when it is first asked for: some load a
    framework.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __missing__(self, format_: str) -> Path:
        self[format_] = WRITERS[format_](self.folder / f"tiny.{format_}")
        return self[format_]


def _buffer(s: Any, value: Any) -> Any:
    buffer = s.BufferT()
    buffer.data = None if value is None else np.frombuffer(value.tobytes(), np.uint8)
    return buffer


def _tensor(s: Any, name: str, shape: tuple[int, ...], buffer: int) -> Any:
    tensor = s.TensorT()
    tensor.name, tensor.shape, tensor.buffer, tensor.type = (
        name.encode(),
        list(shape),
        buffer,
        s.TensorType.FLOAT32,
    )
    tensor.quantization = s.QuantizationParametersT()
    return tensor


def _operator(s: Any, code: int, inputs: list[int], output: int, kind: int, options: Any) -> Any:
    operator = s.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, inputs, [output]
    operator.builtinOptionsType, operator.builtinOptions = kind, options
    return operator


def _conv_options(s: Any) -> Any:
    options = s.Conv2DOptionsT()
    options.padding, options.strideW, options.strideH = s.Padding.SAME, 1, 1
    options.dilationWFactor, options.dilationHFactor = 1, 1
    options.fusedActivationFunction = s.ActivationFunctionType.RELU
    return options


def _pool_options(s: Any) -> Any:
    options = s.Pool2DOptionsT()
    options.padding, options.strideW, options.strideH = s.Padding.VALID, 1, 1
    options.filterWidth, options.filterHeight = SIDE, SIDE
    return options


def _code(s: Any, code: int) -> Any:
    operator = s.OperatorCodeT()
    operator.builtinCode, operator.deprecatedBuiltinCode, operator.version = code, code, 1
    return operator


def _signature(s: Any, x: int, y: int) -> Any:
    signature = s.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    signature.inputs, signature.outputs = [_map(s, b"x", x)], [_map(s, b"y", y)]
    return signature


def _map(s: Any, name: bytes, index: int) -> Any:
    entry = s.TensorMapT()
    entry.name, entry.tensorIndex = name, index
    return entry


def own_answers(x: Any) -> Any:
    """Class numbers as the classifier itself answers: who learns them stays what it was. x: (n,
    SIDE, SIDE, CHANNELS).
    """
    w, padded = weights(), np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    conv = np.einsum("nhwcij,oijc->nhwo", windows, w["conv"]) + w["conv_bias"]
    return (np.maximum(conv, 0).mean((1, 2)) @ w["dense"].T + w["dense_bias"]).argmax(1)


def context(workdir: Path, channels_first: bool = False) -> Any:
    """What a technique gets, with random calibration items."""
    from lab.plugs import Context, TrainingSet
    from lab.types import InputSpec, ModelCard

    spec = InputSpec((CHANNELS, SIDE, SIDE) if channels_first else (SIDE, SIDE, CHANNELS))
    card = ModelCard("tiny", "Tiny", "classification", "none", "onnx", "", spec, "none")
    workdir.mkdir(parents=True, exist_ok=True)
    x = items(512, seed=2, channels_first=channels_first)
    y, own = np.arange(len(x)) % CLASSES, own_answers(items(512, seed=2))
    learnt = TrainingSet(x[:384], own[:384], x[384:], own[384:])
    return Context(
        workdir, card, lambda n: x[:n], lambda n: (x[:n], y[:n]), training=lambda: learnt
    )


def apply(technique: str, source: Path, workdir: Path, **params: Any) -> Path:
    """Run a technique of the registry on a tiny model, parameters that are not given at their
    defaults.
    """
    from lab.options import validate
    from lab.registry import technique as find

    plug = find(technique)
    items_as = plug.trains and plug.accepts == (
        "torch_export",
    )  # what is trained on has the shape of the model's input
    return plug.apply(
        source, validate(plug.options, params, technique), context(workdir, channels_first=items_as)
    )


def answers(runtime: str, file: Path, x: Any) -> Any:
    """Outputs of a file on items, in a runtime of the registry with its default options."""
    from lab.formats.feeding import run_all
    from lab.options import validate
    from lab.registry import runtime as find

    plug = find(runtime)
    return run_all(plug.load(str(file), validate(plug.options, {}, runtime)), x, 50)


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_onnx(tmp_path_factory.mktemp("tiny") / "tiny.onnx")


@pytest.fixture(scope="session")
def tiny_torch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_torch_export(tmp_path_factory.mktemp("tiny") / "tiny.pt2")


@pytest.fixture(scope="session")
def tiny_tflite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tflite(tmp_path_factory.mktemp("tiny") / "tiny.tflite")


@pytest.fixture(scope="session")
def tiny_openvino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_openvino(tmp_path_factory.mktemp("tiny") / "tiny.zip")
