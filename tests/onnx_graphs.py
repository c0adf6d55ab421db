"""Small ONNX graphs with what networks are made of, and what can be read from a quantized file
without the lab's help.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

SIDE, CHANNELS, CLASSES = 8, 3, 5


def write(
    path: Path,
    nodes: Sequence[Any],
    stored: dict[str, Any],
    x: Sequence[int | str],
    y: Sequence[int | str],
    opset: int = 17,
) -> Path:
    """A model with the float input `x`, the float output `y`, and arrays stored under their
    names.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, y)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8),
        str(path),
    )
    return path


def node(type_: str, inputs: str, output: str, name: str = "", **attributes: Any) -> Any:
    """A node whose inputs are separated by spaces."""
    from onnx import helper

    return helper.make_node(type_, inputs.split(), [output], name=name, **attributes)


def write_residual(path: Path, **options: Any) -> Path:
    """Convolution with a batch normalisation beside it and a clip, a depthwise convolution, a sum,
    MatMul with a bias beside it.
    """
    rng = np.random.default_rng(0)
    stored = {
        "w1": rng.normal(scale=0.3, size=(8, CHANNELS, 3, 3)),
        "scale": rng.uniform(0.5, 2, (8, 1, 1)),
        "shift": rng.normal(size=(8, 1, 1)),
        "low": np.float32(0),
        "high": np.float32(6),
        "w2": rng.normal(scale=0.5, size=(8, 1, 3, 3)),
        "b2": rng.normal(size=8),
        "w3": rng.normal(size=(8, CLASSES)),
        "b3": rng.normal(size=CLASSES),
    }
    nodes = [
        node("Conv", "x w1", "c1", "conv", pads=[1, 1, 1, 1]),
        node("Mul", "c1 scale", "m", "norm_mul"),
        node("Add", "m shift", "n", "norm_add"),
        node("Clip", "n low high", "k", "clip"),
        node("Conv", "k w2 b2", "c2", "depthwise", pads=[1, 1, 1, 1], group=8),
        node("Add", "k c2", "s", "sum"),
        node("GlobalAveragePool", "s", "p", "pool"),
        node("Flatten", "p", "f", "flat"),
        node("MatMul", "f w3", "d", "dense"),
        node("Add", "d b3", "y", "bias"),
    ]
    stored = {name: np.asarray(value, np.float32) for name, value in stored.items()}
    return write(path, nodes, stored, ["n", CHANNELS, SIDE, SIDE], ["n", CLASSES], **options)


def write_attention(path: Path, width: int = 48) -> Path:
    """Attention of one head over (n, SIDE, width): products by weights, and products of two
    activations.
    """
    rng = np.random.default_rng(0)
    stored = {
        f"w{i}": rng.normal(scale=width**-0.5, size=(width, width)).astype(np.float32)
        for i in range(3)
    }
    stored |= {
        "root": np.float32(width**0.5),
        "w3": rng.normal(size=(width, CLASSES)).astype(np.float32),
    }
    nodes = [
        node("MatMul", "x w0", "q", "query"),
        node("MatMul", "x w1", "k", "key"),
        node("MatMul", "x w2", "v", "value"),
        node("Transpose", "k", "kt", "turn", perm=[0, 2, 1]),
        node("MatMul", "q kt", "a", "scores"),
        node("Div", "a root", "b", "scaled"),
        node("Softmax", "b", "c", "softmax", axis=-1),
        node("MatMul", "c v", "o", "mixed"),
        node("ReduceMean", "o", "p", "mean", axes=[1], keepdims=0),
        node("MatMul", "p w3", "y", "head"),
    ]
    return write(path, nodes, stored, ["n", SIDE, width], ["n", CLASSES])


def write_recurrent(path: Path, steps: int = 4, width: int = 32) -> Path:
    """A state that the same weights (transposed, as Gemm takes them) update at each of an even
    number of steps.
    """
    rng = np.random.default_rng(0)
    stored = {
        "w": rng.normal(scale=width**-0.5, size=(width, width)).astype(np.float32),
        "b": rng.normal(size=width).astype(np.float32),
    }
    nodes, state = [], "x"
    for step in range(steps):
        nodes += [
            node("Gemm", f"{state} w b", f"g{step}", f"gemm{step}", transB=1),
            node("Tanh", f"g{step}", f"t{step}", f"tanh{step}"),
        ]
        state = f"t{step}"
    nodes[-1].output[0] = "y"
    return write(path, nodes, stored, ["n", width], ["n", width])


def items(source: Path, n: int = 64, seed: int = 1) -> Any:
    """Items of different sizes for a graph of this module."""
    import onnx

    shape = [
        axis.dim_value for axis in onnx.load(str(source)).graph.input[0].type.tensor_type.shape.dim
    ][1:]
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, *shape)) * rng.uniform(0.3, 2, (n, *[1] * len(shape)))
    return x.astype(np.float32)


def apply(
    technique: str, source: Path, workdir: Path, notes: dict[str, Any] | None = None, **params: Any
) -> Path:
    """Run a technique on a graph of this module, parameters that are not given at their
    defaults.
    """
    from lab.options import validate
    from lab.plugs import Context
    from lab.registry import technique as find
    from lab.types import InputSpec, ModelCard

    workdir.mkdir(parents=True, exist_ok=True)
    plug, x = find(technique), items(source, 128, seed=2)
    card = ModelCard(
        "graph", "Graph", "classification", "none", "onnx", "", InputSpec(x.shape[1:]), "none"
    )
    kept: dict[str, Any] = {} if notes is None else notes
    context = Context(
        workdir,
        card,
        lambda n: x[:n],
        lambda n: (x[:n], np.zeros(len(x[:n]), np.int64)),
        kept.__setitem__,
    )
    return plug.apply(source, validate(plug.options, params, technique), context)


def run(file: Path, x: Any, level: str = "all") -> Any:
    """Outputs of a file, in ONNX Runtime itself."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(
        onnxruntime.GraphOptimizationLevel,
        {"all": "ORT_ENABLE_ALL", "disabled": "ORT_DISABLE_ALL"}[level],
    )
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


# --- what a file says -----------------------------------------------------------------------------


def operators(file: Path) -> Counter[str]:
    """Operator type -> count."""
    import onnx

    return Counter(n.op_type for n in onnx.load(str(file)).graph.node)


def stored(file: Path) -> dict[str, Any]:
    """Name -> array of what a file stores."""
    import onnx

    return {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(str(file)).graph.initializer}


def integer_products(file: Path) -> set[str]:
    """Multiplying nodes of a QDQ file that read integer weights, or, where both factors are
    activations, make integers.
    """
    import onnx

    graph = onnx.load(str(file)).graph
    maker = {t: n for n in graph.node for t in n.output}
    kept = {t.name for t in graph.initializer}
    rounded = {n.input[0] for n in graph.node if n.op_type == "QuantizeLinear"}

    def reads_integers(tensor: str) -> bool:
        return (
            tensor in maker
            and maker[tensor].op_type == "DequantizeLinear"
            and maker[tensor].input[0] in kept
        )

    products = [n for n in graph.node if n.op_type in ("Conv", "MatMul", "Gemm")]
    weighted = {n.name for n in products if reads_integers(n.input[1])}
    float_ = {n.name for n in products if n.input[1] in kept}
    return weighted | {
        n.name for n in products if n.name not in float_ | weighted and n.output[0] in rounded
    }


def restored(file: Path, weight: str) -> tuple[Any, Any]:
    """A weight of a QDQ file as its integers say it, and its step, both float64 and of the weight's
    shape.
    """
    import onnx

    graph, arrays = onnx.load(str(file)).graph, stored(file)
    back = next(
        n
        for n in graph.node
        if n.op_type == "DequantizeLinear" and n.input[0] == f"{weight}_quantized"
    )
    q, scale, zero = (arrays[name].astype(np.float64) for name in back.input)
    axis = next((a.i for a in back.attribute if a.name == "axis"), 0)
    shape = [-1 if i == axis else 1 for i in range(q.ndim)] if scale.size > 1 else [1] * q.ndim
    step = scale.reshape(shape)
    return (q - zero.reshape(shape)) * step, np.broadcast_to(step, q.shape)
