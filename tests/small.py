"""A linear classifier of 8×8 features as an ONNX file, with data that it gets mostly right: swept
in a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

FEATURES, CLASSES, NOISE = 64, 4, 2.5


def centres() -> Any:
    """One point a class, float32 (CLASSES, FEATURES)."""
    return np.random.default_rng(0).normal(size=(CLASSES, FEATURES)).astype("float32")


def write_onnx(path: Path, classes: int = CLASSES) -> Path:
    """Gemm: input (n, FEATURES), output (n, classes)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.resize(centres(), (classes, FEATURES))
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "weight", "bias"], ["y"], name="gemm", transB=1)],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", FEATURES])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", classes])],
        [
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(-(weight**2).sum(axis=1) / 2, "bias"),
        ],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        str(path),
    )
    return path


def arrays(n: int = 200, seed: int = 1) -> dict[str, Any]:
    """Calibration and test items around the centres, and their classes."""
    rng = np.random.default_rng(seed)
    made = {}
    for split in ("calibration", "test"):
        y = rng.integers(0, CLASSES, n)
        made[f"x_{split}"] = (centres()[y] + NOISE * rng.normal(size=(n, FEATURES))).astype(
            "float32"
        )
        made[f"y_{split}"] = y
    return made


def write_data(path: Path, **changed: Any) -> Path:
    """An .npz as `lab.add_model` takes it; `changed` replaces arrays, None leaves one out."""
    whole = {**arrays(), **changed}
    np.savez(path, **{name: value for name, value in whole.items() if value is not None})
    return path
