"""Which operators multiply uint8 by int8, and how they are emulated one by one, against loops over
patches.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.processors._network import Emulated
from lab.processors._products import as_x86_runs_it, products
from lab.processors._saturation import can_saturate

CONVOLUTIONS = {
    "plain": ((1, 6, 7, 7), (8, 6, 3, 3), {}),
    "odd_channels": ((2, 3, 8, 8), (5, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
    "strides_and_uneven_pads": (
        (1, 4, 9, 8),
        (6, 4, 3, 2),
        {"strides": [2, 3], "pads": [0, 1, 2, 1]},
    ),
    "dilated": ((1, 4, 9, 9), (4, 4, 3, 3), {"dilations": [2, 3], "pads": [2, 3, 2, 3]}),
    "groups": ((1, 6, 6, 6), (8, 3, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
    "same_upper": ((1, 3, 8, 7), (4, 3, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "same_lower": ((1, 3, 8, 7), (4, 3, 2, 2), {"auto_pad": "SAME_LOWER"}),
    "pointwise": ((2, 8, 5, 5), (6, 8, 1, 1), {}),
    "one_axis": ((2, 5, 12), (4, 5, 4), {"strides": [2], "pads": [1, 2]}),
    "many_terms": ((1, 400, 3, 3), (4, 400, 3, 3), {"pads": [1, 1, 1, 1]}),
}
X_ZERO, Y_ZERO, X_SCALE, Y_SCALE = 7, 100, np.float32(0.02), np.float32(0.9)


def write(
    path: Path,
    kind: str,
    x_shape: Any,
    weights: Any,
    bias: Any = None,
    domain: str = "",
    **attributes: Any,
) -> Path:
    """One QLinearConv or QLinearMatMul or QGemm."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    scales = np.linspace(
        0.003, 0.01, weights.shape[0] if kind != "QLinearMatMul" else weights.shape[1]
    ).astype(np.float32)
    stored = {
        "xs": X_SCALE,
        "xz": np.uint8(X_ZERO),
        "w": weights,
        "ws": scales,
        "wz": np.zeros(len(scales), np.int8),
        "ys": Y_SCALE,
        "yz": np.uint8(Y_ZERO),
    } | ({} if bias is None else {"b": bias})
    order = [
        "xs",
        "xz",
        "w",
        "ws",
        "wz",
        *(
            ["b", "ys", "yz"]
            if kind == "QGemm"
            else ["ys", "yz", *(["b"] if bias is not None else [])]
        ),
    ]
    graph = helper.make_graph(
        [helper.make_node(kind, ["x", *order], ["y"], name="one", domain=domain, **attributes)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", *x_shape[1:]])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def saturating_sum(x: Any, w: Any) -> int:
    """Terms in the kernel's order; pairs clipped, then the zero point of x taken away exactly."""
    products_ = [int(a) * int(b) for a, b in zip(x, w, strict=True)]
    products_ += [0] * (len(products_) % 2)
    clipped = sum(
        max(-32768, min(32767, a + b)) for a, b in zip(products_[::2], products_[1::2], strict=True)
    )
    return clipped - X_ZERO * int(np.sum(w, dtype=np.int64))


def requantized(total: int, scale: Any) -> int:
    return int(np.clip(np.rint(np.float32(total) * (X_SCALE * scale / Y_SCALE)) + Y_ZERO, 0, 255))


def slow_convolution(x: Any, w: Any, bias: Any, attributes: Any, y_shape: Any) -> Any:
    """Patch by patch; padding holds the zero point of x."""
    spatial = x.ndim - 2
    strides, dilations = (
        attributes.get("strides", [1] * spatial),
        attributes.get("dilations", [1] * spatial),
    )
    group, kernel = attributes.get("group", 1), w.shape[2:]
    pads = attributes.get("pads", [0] * 2 * spatial)
    if "auto_pad" in attributes:
        need = [
            max((o - 1) * s + k - n, 0)
            for o, s, k, n in zip(y_shape[2:], strides, kernel, x.shape[2:], strict=True)
        ]
        before = [n // 2 if attributes["auto_pad"] == "SAME_UPPER" else n - n // 2 for n in need]
        pads = before + [n - b for n, b in zip(need, before, strict=True)]
    padded = np.pad(
        x,
        [(0, 0), (0, 0), *zip(pads[:spatial], pads[spatial:], strict=True)],
        constant_values=X_ZERO,
    )
    scales = np.linspace(0.003, 0.01, len(w)).astype(np.float32)
    y = np.zeros(y_shape, np.uint8)
    for at in np.ndindex(*y_shape):
        item, out, *place = at
        first = out // (len(w) // group) * w.shape[1]
        span = [
            slice(p * s, p * s + (k - 1) * d + 1, d)
            for p, s, k, d in zip(place, strides, kernel, dilations, strict=True)
        ]
        patch = np.moveaxis(padded[(item, slice(first, first + w.shape[1]), *span)], 0, -1).ravel()
        y[at] = requantized(
            saturating_sum(patch, np.moveaxis(w[out], 0, -1).ravel()) + int(bias[out]), scales[out]
        )
    return y


def lopsided(rng: Any, shape: Any) -> Any:
    return rng.choice(
        np.array([-127, -100, -70, 60, 100, 120, 127], np.int8),
        shape,
        p=[0.05, 0.05, 0.1, 0.2, 0.2, 0.2, 0.2],
    )


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_a_convolution_saturates_patch_by_patch(case: str, tmp_path: Path) -> None:
    x_shape, w_shape, attributes = CONVOLUTIONS[case]
    rng = np.random.default_rng(1)
    x, w = rng.integers(60, 256, x_shape, dtype=np.uint8), lopsided(rng, w_shape)
    bias = -(w.reshape(len(w), -1).sum(axis=1, dtype=np.int32) * 150)
    file = write(tmp_path / "one.onnx", "QLinearConv", x_shape, w, bias, **attributes)
    (product,) = products(as_x86_runs_it(file))
    assert can_saturate(product.weights).any()
    there, exact = (Emulated(file, saturate, everything=True).run(x) for saturate in (True, False))
    assert (there != exact).any()
    np.testing.assert_array_equal(there, slow_convolution(x, w, bias, attributes, exact.shape))


@pytest.mark.parametrize("kind", ["QLinearMatMul", "QGemm"])
def test_a_matrix_product_saturates_row_by_row(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    x, w = rng.integers(60, 256, (9, 33), dtype=np.uint8), lopsided(rng, (7, 33))
    scales = np.linspace(0.003, 0.01, 7).astype(np.float32)
    bias = -(w.sum(axis=1, dtype=np.int32) * 140) if kind == "QGemm" else np.zeros(7, np.int32)
    more = {"transB": 1, "bias": bias, "domain": "com.microsoft"} if kind == "QGemm" else {}
    file = write(
        tmp_path / "one.onnx",
        kind,
        x.shape,
        w if kind == "QGemm" else np.ascontiguousarray(w.T),
        **more,
    )
    wanted = [
        [requantized(saturating_sum(row, w[o]) + int(bias[o]), scales[o]) for o in range(7)]
        for row in x
    ]
    np.testing.assert_array_equal(Emulated(file, saturate=True).run(x), wanted)


def test_depthwise_convolutions_are_no_products(tmp_path: Path) -> None:
    w = np.full((4, 1, 3, 3), 127, np.int8)
    file = write(tmp_path / "one.onnx", "QLinearConv", (1, 4, 6, 6), w, group=4)
    assert products(as_x86_runs_it(file)) == []


def test_a_float_file_has_no_products(tiny_onnx: Path) -> None:
    assert as_x86_runs_it(tiny_onnx) is None


def test_channels_may_be_last(bright_files: dict[str, Path], tmp_path: Path) -> None:
    """ONNX Runtime's own layout for this CPU, where a file is written as it leaves it."""
    from lab.formats.feeding import run_all
    from lab.formats.onnx.sessions import open_session
    from tests import bright

    fused = tmp_path / "fused.onnx"
    open_session(str(bright_files["u8s8"]), level="all", write_to=str(fused))
    assert any(product.channels_last for product in products(as_x86_runs_it(fused)))
    x = bright.items(50)[0]
    first, last = (
        run_all(Emulated(file, saturate=True), x, 50) for file in (bright_files["u8s8"], fused)
    )
    np.testing.assert_array_equal(first, last)
