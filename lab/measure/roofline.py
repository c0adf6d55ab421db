"""Peak rates of this machine: `python -m lab.measure.roofline THREADS ANSWER.json`, a separate
process that takes 3 to 4 s.

Arithmetic is measured on products of square matrices that fit the caches: with the better of
numpy's BLAS and ONNX Runtime, with ONNX Runtime for 8-bit integers, and with OpenVINO for 16-bit
floats if the processor supports them. Bandwidth is measured on the element-wise maximum of two
vectors: two reads and a write. The best of several repetitions counts, because disturbances only
increase the time.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lab.evidence import Roofline
from lab.formats.quiet import no_telemetry
from lab.lazy import np
from lab.measure.parent import die_with_parent

SIZES = (16_000, 128_000, 1_000_000, 8_000_000, 64_000_000)
SIDE = 1024
"""Side of the matrices: large enough to make the start of threads negligible, small enough for the
caches (12 MB).
"""
LASTING_S, TURN_S, MOST_PASSES = 0.3, 0.01, 1 << 24
SMALLEST_PART = 4_000
"""Smallest share of one thread in bytes; below it, the loop overhead would dominate."""


def blas_environment(threads: int) -> dict[str, str]:
    """Return environment variables for the number of BLAS threads, read when numpy is imported."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    return dict.fromkeys(names, str(threads))


def measure_roofline(threads: int, lasting_s: float = LASTING_S) -> Roofline:
    """Measure peak rates and bandwidths; numpy must not have been imported with another number of
    threads.

    Args:
        threads: number of computing threads.
        lasting_s: seconds for each rate.
    """
    rates = {"float32": _float32_by_numpy(lasting_s)}
    note = f"{SIDE}×{SIDE} matrix products"
    if find_spec("onnx") and find_spec("onnxruntime"):
        rates["float32"] = max(rates["float32"], _by_onnxruntime("float32", threads, lasting_s))
        rates["int8"] = _by_onnxruntime("int8", threads, lasting_s)
    else:
        note += "; int8 is left out because onnx and onnxruntime are not both installed"
    rates |= _halves_by_openvino(threads, lasting_s) if find_spec("openvino") else {}
    bandwidths = {size: bandwidth(size, threads, lasting_s / 2) for size in SIZES}
    return Roofline(threads, rates, bandwidths, f"{note}; two reads and a write of vectors")


def best_s(work: Callable[[], Any], lasting_s: float) -> float:
    """Return the seconds of the fastest run of as many as fit, at least three."""
    end, best, runs = time.perf_counter() + lasting_s, float("inf"), 0
    while runs < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        best, runs = min(best, time.perf_counter() - start), runs + 1
    return best


def _float32_by_numpy(lasting_s: float) -> float:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((SIDE, SIDE), dtype=np.float32) for _ in range(2))
    c = np.empty((SIDE, SIDE), np.float32)
    return float(2 * SIDE**3 / best_s(lambda: np.matmul(a, b, out=c), lasting_s))


def _by_onnxruntime(precision: str, threads: int, lasting_s: float) -> float:
    from lab.formats.onnx.sessions import onnxruntime

    package = onnxruntime()
    options = package.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = package.InferenceSession(
        product_graph(precision), options, providers=["CPUExecutionProvider"]
    )
    a = _matrix("float32" if precision == "float32" else "uint8")
    return float(2 * SIDE**3 / best_s(lambda: session.run(None, {"a": a}), lasting_s))


HALVES = {"bfloat16": ("BF16", "bf16"), "float16": ("FP16", "f16")}
"""OpenVINO's name of the capability and of the precision, for each 16-bit float type."""


def _halves_by_openvino(threads: int, lasting_s: float) -> dict[str, float]:
    """Return the rates of the 16-bit floats that the processor computes in; OpenVINO would only
    store the others.
    """
    no_telemetry()
    import openvino

    core = openvino.Core()
    offered = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    rates = {}
    for name, (capability, precision) in HALVES.items():
        if capability in offered:
            how = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads}
            request = core.compile_model(_openvino_product(), "CPU", how).create_infer_request()
            a = _matrix("float32")
            rates[name] = 2 * SIDE**3 / best_s(partial(request.infer, [a]), lasting_s)
    return rates


def _openvino_product() -> Any:
    import openvino
    from openvino import opset13

    a = opset13.parameter([SIDE, SIDE], np.float32)
    b = opset13.constant(_matrix("float32"))
    return openvino.Model([opset13.matmul(a, b, False, False)], [a])


def product_graph(precision: str) -> bytes:
    """Return an ONNX model that multiplies its input by a constant matrix: float32, or "int8"
    (unsigned by signed, sums of 32 bits).
    """
    from onnx import TensorProto, helper, numpy_helper

    floats = precision == "float32"
    of, to = (TensorProto.FLOAT,) * 2 if floats else (TensorProto.UINT8, TensorProto.INT32)
    node = helper.make_node("MatMul" if floats else "MatMulInteger", ["a", "b"], ["c"])
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("a", of, [SIDE, SIDE])],
        [helper.make_tensor_value_info("c", to, [SIDE, SIDE])],
        [numpy_helper.from_array(_matrix("float32" if floats else "int8"), "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def _matrix(dtype: str) -> Any:
    rng = np.random.default_rng(1)
    if dtype == "float32":
        return rng.standard_normal((SIDE, SIDE), dtype=np.float32)
    return rng.integers(0, 64, (SIDE, SIDE)).astype(dtype)


def bandwidth(size_bytes: int, threads: int, lasting_s: float) -> float:
    """Return the bytes read and written per second for a working set of this size.

    Args:
        size_bytes: total size of the parts of all threads.
    """
    numbers = max(size_bytes // threads, SMALLEST_PART) // 8
    parts = [(np.ones(numbers, np.float32), np.zeros(numbers, np.float32)) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:

        def seconds(times: int, lasting_s: float) -> float:
            return best_s(
                lambda: list(pool.map(lambda part: _pass(part[0], part[1], times), parts)),
                lasting_s,
            )

        times = 1
        while times < MOST_PASSES and seconds(times, 0) < TURN_S:
            times *= 4
        return 3 * 4 * numbers * threads * times / seconds(times, lasting_s)


def _pass(a: Any, c: Any, times: int) -> None:
    """Return a function that computes c = max(c, a) several times in one call, without Python in
    between and without its lock.
    """
    again = np.lib.stride_tricks.as_strided(a, (times, len(a)), (0, a.itemsize), writeable=False)
    np.maximum.reduce(again, axis=0, out=c)


def to_json(found: Roofline) -> dict[str, Any]:
    """Return JSON, whose keys are text, to be read with `Roofline.from_json`."""
    value = asdict(found)
    return {**value, "bytes_per_s": {str(k): v for k, v in value["bytes_per_s"].items()}}


def main(arguments: list[str], environment: Mapping[str, str]) -> None:
    """Measure the rates and write them."""
    threads, to = int(arguments[0]), Path(arguments[1])
    assert environment["OPENBLAS_NUM_THREADS"] == str(threads), (
        "must be started with blas_environment(threads)"
    )
    to.write_text(json.dumps(to_json(measure_roofline(threads))))


if __name__ == "__main__":
    die_with_parent()
    main(sys.argv[1:], os.environ)
