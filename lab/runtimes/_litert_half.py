"""Sessions on LiteRT's compiled-model API, the only way to make its XNNPACK library compute float
operators in 16 bits.
"""

from __future__ import annotations

from typing import Any

from lab.errors import InvalidFile
from lab.lazy import np
from lab.plugs import Array

QS8, QU8, FORCE_FP16 = 1, 2, 4
"""Flags of XNNPACK: signed and unsigned integer operators, as in the interpreter, and 16-bit floats
instead of 32-bit floats.
"""


class HalfModel:
    """Session of a file whose float operators are computed in 16 bits; inputs and outputs keep
    their types.
    """

    def __init__(self, path: str, threads: int, feed: Any, fetch: Any) -> None:
        """Open a file.

        Args:
            feed, fetch: details of the input and of the first output from the interpreter.

        Raises:
            InvalidFile: LiteRT rejects the file, its inputs or outputs are 16-bit integers, or the
                CPU has no 16-bit floats.
        """
        _check_types(path, feed, fetch)
        self._shape, self._dtype = (
            tuple(int(size) for size in fetch["shape"]),
            np.dtype(fetch["dtype"]),
        )
        self._path = path
        try:
            self._model = _compiled(path, threads)
            self._feeds, self._fetches = (
                self._model.create_input_buffers(0),
                self._model.create_output_buffers(0),
            )
        except (ValueError, RuntimeError) as error:
            raise _refusal(path, error) from error

    def run(self, x: Array) -> Array:
        """Run one call: input in the file's type -> first output.

        Raises:
            InvalidFile: XNNPACK rejects an operator, which it only checks in the first run.
        """
        self._feeds[0].write(x)
        try:
            self._model.run_by_index(0, self._feeds, self._fetches)
        except RuntimeError as error:
            raise _refusal(self._path, error) from error
        return np.asarray(self._fetches[0].read(int(np.prod(self._shape)), self._dtype)).reshape(
            self._shape
        )


def _refusal(path: str, error: Exception) -> InvalidFile:
    message = " ".join(str(error).split())[:500]
    return InvalidFile(
        f"LiteRT refuses this file in 16-bit floats: {message}",
        given=path,
        remedy="Choose the precision float32; not every CPU computes in 16 bits",
    )


def _check_types(path: str, feed: Any, fetch: Any) -> None:
    if np.int16 in (feed["dtype"], fetch["dtype"]):
        raise InvalidFile(
            "LiteRT's compiled models support no 16-bit integers as inputs or outputs",
            allowed="float32, int8, uint8, int32",
            given=path,
            remedy="Choose the precision float32, or quantize with io float32",
        )


def _compiled(path: str, threads: int) -> Any:
    from ai_edge_litert.compiled_model import (
        CompiledModel,
        CpuOptions,
        HardwareAccelerator,
        Options,
    )

    cpu = CpuOptions(num_threads=threads, xnnpack_flags=QS8 | QU8 | FORCE_FP16)
    return CompiledModel.from_file(
        path, options=Options(hardware_accelerators=HardwareAccelerator.CPU, cpu_options=cpu)
    )
