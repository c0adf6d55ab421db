"""LiteRT's compiled models on the CPU: the only way to make its XNNPACK library compute float operators in 16 bits."""

from __future__ import annotations

from typing import Any

from lab.errors import InvalidFile
from lab.lazy import np
from lab.plugs import Array

QS8, QU8, FORCE_FP16 = 1, 2, 4
"""XNNPACK's flags: integer operators signed and unsigned, as the interpreter has them too, and 16-bit floats for 32-bit ones."""


class HalfModel:
    """A file whose float operators are computed in 16 bits; inputs and outputs keep their types."""

    def __init__(self, path: str, threads: int, output: Any) -> None:
        """Open a file.

        Args:
            output: the interpreter's details of the first output.

        Raises:
            InvalidFile: LiteRT refuses the file, or the CPU has no 16-bit floats.
        """
        self._model = _compiled(path, threads)
        self._feeds, self._fetches = self._model.create_input_buffers(0), self._model.create_output_buffers(0)
        self._shape, self._dtype = tuple(int(size) for size in output["shape"]), np.dtype(output["dtype"])

    def run(self, x: Array) -> Array:
        """One call: the input as the file takes it -> its first output."""
        self._feeds[0].write(x)
        self._model.run_by_index(0, self._feeds, self._fetches)
        return np.asarray(self._fetches[0].read(int(np.prod(self._shape)), self._dtype)).reshape(self._shape)


def _compiled(path: str, threads: int) -> Any:
    from ai_edge_litert.compiled_model import CompiledModel, CpuOptions, HardwareAccelerator, Options

    cpu = CpuOptions(num_threads=threads, xnnpack_flags=QS8 | QU8 | FORCE_FP16)
    try:
        return CompiledModel.from_file(
            path, options=Options(hardware_accelerators=HardwareAccelerator.CPU, cpu_options=cpu)
        )
    except (ValueError, RuntimeError) as error:
        raise InvalidFile(
            f"LiteRT refuses this file in 16-bit floats: {str(error).strip()[:500]}", given=path,
            remedy="Choose the precision float32: not every CPU computes in 16 bits",
        ) from error  # fmt: skip
