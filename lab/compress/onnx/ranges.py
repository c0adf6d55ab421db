"""Calibration of ONNX models: ranges of activations, collected once for all variants that share
them.

Ranges depend on the model, the method and the calibration data, not on the types that a variant
stores. A warm process therefore caches the last ones and passes them to `quantize_static` as its
calibration cache file; the result is the same as with a new calibration.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from lab.formats.feeding import fit_items
from lab.formats.onnx.files import quantization
from lab.formats.quiet import quiet
from lab.plugs import Array

METHODS = {
    "minmax": "MinMax",
    "average": "MinMax",
    "entropy": "Entropy",
    "percentile": "Percentile",
}
PERCENTILE = 99.999
_DTYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
_KEPT = 16
_CHUNK = 256
_ranges: OrderedDict[tuple[str, str, float, str], bytes] = OrderedDict()


def write_ranges(
    model: Path, method: str, x: Array, target: Path, percentile: float = PERCENTILE
) -> Path:
    """Write the ranges of a model's activations as a calibration cache file of onnxruntime.

    Args:
        model: ONNX file; onnxruntime writes files beside it.
        method: "minmax", "average", "entropy" or "percentile".
        x: calibration items in the model's units, shape (n, *item).
        target: the file to write.
        percentile: percentage of an activation's values inside its range, for the method
            "percentile".
    """
    key = (
        sha256(model.read_bytes()).hexdigest(),
        method,
        percentile,
        sha256(x.tobytes()).hexdigest(),
    )
    if key not in _ranges:
        _collect(model, method, x, target, percentile)
        _remember(key, target.read_bytes())
    target.write_bytes(_ranges[key])
    return target


def _remember(key: tuple[str, str, float, str], ranges: bytes) -> None:
    _ranges[key] = ranges
    while len(_ranges) > _KEPT:
        _ranges.popitem(last=False)


def _collect(model: Path, method: str, x: Array, target: Path, percentile: float) -> None:
    from onnxruntime.quantization.calibrate import create_calibrator, save_tensors_data

    package = quantization()
    augmented, chunk = model.with_name("augmented.onnx"), len(x) if method == "average" else _CHUNK
    with quiet():
        calibrator = create_calibrator(
            model,
            operators(),
            str(augmented),
            getattr(package.CalibrationMethod, METHODS[method]),
            extra_options={
                "average": {"moving_average": True},
                "percentile": {"percentile": percentile},
            }.get(method, {}),
        )
        for start in range(0, len(x), chunk):
            one_by_one = method == "average"  # the mean is taken over feeds
            calibrator.collect_data(
                _Reader(calibrator.infer_session, x[start : start + chunk], one_by_one)
            )
        save_tensors_data(calibrator.compute_data(), target)


def operators() -> list[str]:
    """Return the operator types that `quantize_static` calibrates and quantizes by default."""
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    return sorted({*QLinearOpsRegistry, *QDQRegistry})


class _Reader:
    """Reader that feeds items as one batch where the batch axis is free, and one by one elsewhere.

    The methods take minima, maxima and histograms over all items of a chunk, so the batch size
    changes no range.
    """

    def __init__(self, session: Any, x: Array, one_by_one: bool = False) -> None:
        feed = session.get_inputs()[0]
        shape = [size if isinstance(size, int) else None for size in feed.shape]
        items = fit_items(x, shape).astype(_DTYPES.get(feed.type, np.float32))
        size = shape[0] or (1 if one_by_one else len(items))
        parts = [
            items[start : start + size] for start in range(0, len(items) - len(items) % size, size)
        ]
        self._feeds: Iterator[dict[str, Array]] = iter([{feed.name: part} for part in parts])

    def get_next(self) -> dict[str, Array] | None:
        """Return the next feed, or None after the last one."""
        return next(self._feeds, None)
