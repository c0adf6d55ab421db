"""Reads the weights that a TFLite file stores back as real numbers, from the format's definition
and without the lab's readers.

Four-bit integers lie two in a byte, two-bit ones four, the first in the lowest bits. A tensor has
one scale, one for each entry of an axis, or one for each block of neighbours in a row, these as
16-bit floats in a tensor of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as s

NAMES = {value: name for name, value in vars(s.TensorType).items() if not name.startswith("_")}
CODES = {value: name for name, value in vars(s.BuiltinOperator).items() if not name.startswith("_")}
BITS = {"INT8": 8, "INT4": 4, "INT2": 2}


@dataclass(frozen=True)
class Stored:
    """A constant tensor: its type, its values as real numbers, its integers and the step between
    two (as float weights have none).
    """

    type: str
    values: Any
    integers: Any = None
    step: Any = None
    scales: int = 0


def load(path: Path) -> Any:
    """The file as flatbuffer objects."""
    return s.ModelT.InitFromPackedBuf(path.read_bytes(), 0)


def operators(model: Any) -> list[tuple[str, Any]]:
    """Type and operator of the first subgraph, in their order."""
    codes = [
        (
            c.customCode.decode()
            if c.customCode
            else CODES[max(c.builtinCode, c.deprecatedBuiltinCode)]
        )
        for c in model.operatorCodes
    ]
    return [(codes[o.opcodeIndex], o) for o in model.subgraphs[0].operators]


def weights(path: Path) -> dict[str, Stored]:
    """Name -> constant tensor, of float and 8-, 4- and 2-bit ones."""
    model, content = load(path), path.read_bytes()
    tensors = model.subgraphs[0].tensors
    found = {}
    for tensor in tensors:
        raw, kind = _raw(model, tensor, content), NAMES[tensor.type]
        if raw and kind in ("FLOAT32", "FLOAT16"):
            found[tensor.name.decode()] = Stored(kind, _floats(raw, kind, tensor))
        elif raw and kind in BITS:
            found[tensor.name.decode()] = _integers(raw, kind, tensor, model, content)
    return found


def _raw(model: Any, tensor: Any, content: bytes) -> bytes:
    buffer = model.buffers[tensor.buffer]
    if buffer.size > 1:
        return content[buffer.offset : buffer.offset + buffer.size]
    return b"" if buffer.data is None else bytes(buffer.data)


def _floats(raw: bytes, kind: str, tensor: Any) -> Any:
    return (
        np.frombuffer(raw, {"FLOAT32": np.float32, "FLOAT16": np.float16}[kind])
        .reshape(tensor.shape)
        .astype(np.float64)
    )


def _integers(raw: bytes, kind: str, tensor: Any, model: Any, content: bytes) -> Stored:
    shape = [int(size) for size in tensor.shape]
    q = _unpacked(np.frombuffer(raw, np.uint8), BITS[kind])[: np.prod(shape)].reshape(shape)
    details = tensor.quantization
    if details.detailsType == s.QuantizationDetails.BlockwiseQuantization:
        scales = model.subgraphs[0].tensors[details.details.scales]
        step = np.repeat(
            _floats(_raw(model, scales, content), "FLOAT16", scales),
            details.details.blockSize,
            axis=1,
        )
        return Stored(kind, q * step, q, step, int(np.prod(scales.shape)))
    axes = [1] * len(shape)
    axes[details.quantizedDimension if len(details.scale) > 1 else 0] = len(details.scale)
    step, zero = (
        np.reshape(details.scale, axes).astype(np.float64),
        np.reshape(details.zeroPoint, axes),
    )
    return Stored(kind, (q - zero) * step, q, step, len(details.scale))


def _unpacked(packed: Any, bits: int) -> Any:
    """Bytes -> signed integers."""
    parts = [(packed >> shift) & (2**bits - 1) for shift in range(0, 8, bits)]
    q = np.stack(parts, axis=1).ravel().astype(np.int64)
    return np.where(q >= 2 ** (bits - 1), q - 2**bits, q)
