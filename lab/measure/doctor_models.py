"""Workloads of the self-test: small generated networks in ONNX Runtime, or a numpy product without
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lab import registry
from lab.lazy import np

Call = Callable[[], Any]
RUNTIME = "ort"


def available() -> bool:
    """Return True if a network can be generated and run."""
    return find_spec("onnx") is not None and registry.runtime(RUNTIME).missing is None


def loader(folder: Path) -> tuple[str, Callable[[], Call]]:
    """Return the name of the workload and a function that loads it and returns a call of about 0.3
    ms.
    """
    if not available():
        return "A numpy product", _product
    registry.runtime(RUNTIME).preload()
    file = folder / "small.onnx"
    _write(file, 3, 32, (16, 32, 32, 64))
    return "A small network in ONNX Runtime", lambda: _call(file, 1)


def wide(folder: Path, threads: int) -> Callable[[], Call] | None:
    """Return a function that loads a network of a few milliseconds with a number of threads; None
    without ONNX Runtime.
    """
    if not available():
        return None
    file = folder / "wide.onnx"
    _write(file, 64, 56, (64, 64))
    return lambda: _call(file, threads)


def _product() -> Call:
    a = np.random.default_rng(0).standard_normal((160, 160), dtype=np.float32)
    return lambda: a @ a


def _call(file: Path, threads: int) -> Call:
    session = registry.runtime(RUNTIME).load(str(file), {"threads": threads})
    shape = tuple(int(n or 1) for n in session.input.shape)
    item = session.prepare(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))
    return lambda: session.run(item)


def _write(file: Path, channels: int, side: int, widths: Sequence[int]) -> None:
    """Return a chain of 3×3 convolutions with ReLU, and a mean at its end."""
    from onnx import TensorProto, helper, numpy_helper, save

    rng, nodes, weights, feed = np.random.default_rng(0), [], [], "x"
    for i, (n, m) in enumerate(zip((channels, *widths), widths, strict=False)):
        weights.append(
            numpy_helper.from_array(
                0.1 * rng.standard_normal((m, n, 3, 3), dtype=np.float32), f"w{i}"
            )
        )
        nodes += [
            helper.make_node("Conv", [feed, f"w{i}"], [f"c{i}"], kernel_shape=[3, 3], pads=[1] * 4),
            helper.make_node("Relu", [f"c{i}"], [f"r{i}"]),
        ]
        feed = f"r{i}"
    nodes.append(helper.make_node("GlobalAveragePool", [feed], ["y"]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, channels, side, side]), ("y", [1, widths[-1], 1, 1]))
    ]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        str(file),
    )
