"""A classifier of bright pictures whose weights are large and of one sign, so that pairs of their
products leave 16 bits.

Every activation is read by two operators: ONNX Runtime leaves such activations int8 on x86 where a
file has them so, and turns all others into uint8.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

SIDE, CHANNELS, FILTERS, CLASSES = 8, 4, 16, 6


def items(n: int, seed: int = 1) -> tuple[Any, Any]:
    """Pictures (n, CHANNELS, SIDE, SIDE) between 0 and 1, of a class's colours with noise, and the
    classes.
    """
    rng = np.random.default_rng(seed)
    colours = np.random.default_rng(0).uniform(0.55, 0.95, (CLASSES, CHANNELS))
    classes = rng.integers(0, CLASSES, n)
    x = colours[classes][:, :, None, None] * rng.uniform(0.85, 1.1, (n, 1, 1, 1)) + rng.normal(
        scale=0.1, size=(n, CHANNELS, SIDE, SIDE)
    )
    return np.clip(x, 0, 1).astype(np.float32), classes


def _weights() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    found = {}
    for name, inputs, size in (
        ("wide1", CHANNELS, 3),
        ("point1", CHANNELS, 1),
        ("wide2", FILTERS, 3),
        ("point2", FILTERS, 1),
    ):
        sign = np.where(rng.random((FILTERS, inputs, 1, 1)) < 0.6, 1.0, -1.0)
        found[name] = (
            sign * rng.uniform(0.4, 1, (FILTERS, inputs, size, size)) / (inputs * size)
        ).astype(np.float32)
    return found


def write_onnx(path: Path) -> Path:
    """Input (n, CHANNELS, SIDE, SIDE), output (n, CLASSES); the last layer is fitted to the
    features by ridge regression.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        *_block("x", 1),
        *_block("r1", 2),
        helper.make_node("GlobalAveragePool", ["r2"], ["p"], name="pool"),
        helper.make_node("Flatten", ["p"], ["f"], name="flat"),
        helper.make_node("Gemm", ["f", "dense", "dense_bias"], ["y"], name="dense", transB=1),
    ]
    stored = {
        **_weights(),
        "dense": np.zeros((CLASSES, FILTERS), np.float32),
        "dense_bias": np.zeros(CLASSES, np.float32),
    }

    def model(output: str, size: int) -> Any:
        graph = helper.make_graph(
            nodes,
            "bright",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", CHANNELS, SIDE, SIDE])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", size])],
            [numpy_helper.from_array(value, name) for name, value in stored.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    stored["dense"], stored["dense_bias"] = _fitted(model("f", FILTERS))
    onnx.save(model("y", CLASSES), str(path))
    return path


def _block(x: str, number: int) -> list[Any]:
    from onnx import helper

    return [
        helper.make_node(
            "Conv", [x, f"wide{number}"], [f"a{number}"], name=f"wide{number}", pads=[1, 1, 1, 1]
        ),
        helper.make_node("Conv", [x, f"point{number}"], [f"b{number}"], name=f"point{number}"),
        helper.make_node("Add", [f"a{number}", f"b{number}"], [f"s{number}"], name=f"add{number}"),
        helper.make_node("Relu", [f"s{number}"], [f"r{number}"], name=f"relu{number}"),
    ]


def _fitted(features: Any) -> tuple[Any, Any]:
    from onnx.reference import ReferenceEvaluator

    x, classes = items(600, seed=5)
    f = ReferenceEvaluator(features).run(None, {"x": x})[0]
    f = np.concatenate([f, np.ones((len(f), 1), np.float32)], axis=1)
    ridge = (
        0.3 * np.square(f).mean() * np.eye(f.shape[1])
    )  # without it the solution cancels, and 8 bits cannot hold it
    fitted = np.linalg.solve(f.T @ f + ridge, f.T @ np.eye(CLASSES)[classes]).T
    return fitted[:, :-1].astype(np.float32), fitted[:, -1].astype(np.float32)


@pytest.fixture(scope="session")
def bright_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The classifier in float and in static int8: name of what differs from the defaults ->
    file.
    """
    from lab.options import validate
    from lab.plugs import Context
    from lab.registry import technique
    from lab.types import InputSpec, ModelCard

    folder = tmp_path_factory.mktemp("bright")
    source, x = write_onnx(folder / "float.onnx"), items(128, seed=7)[0]
    card = ModelCard(
        "bright", "Bright", "classification", "none", "onnx", "", InputSpec(x.shape[1:]), "none"
    )
    plug, files = technique("onnx_static_int8"), {"float": source}
    for name, params in {
        "u8s8": {"per_channel": True},
        "u8s8_per_tensor": {},
        "u8u8": {"per_channel": True, "scheme": "u8u8"},
        "reduced": {"per_channel": True, "reduce_range": True},
        "s8s8": {"per_channel": True, "scheme": "s8s8"},
    }.items():
        workdir = folder / name
        workdir.mkdir()
        context = Context(workdir, card, lambda n: x[:n], lambda n: (x[:n], None))
        files[name] = plug.apply(source, validate(plug.options, params, name), context)
    return files
