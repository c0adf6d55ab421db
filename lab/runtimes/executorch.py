"""ExecuTorch: PyTorch's runtime for phones and microcontrollers, here with XNNPACK on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.errors import InvalidFile
from lab.evidence import Profile
from lab.formats.batching import BATCH, batch_size, with_batch
from lab.formats.executorch.files import DTYPES
from lab.formats.threads import THREADS
from lab.plugs import Array, Runtime, TensorInfo


def _preload() -> None:
    import executorch.runtime  # noqa: F401


class ExecuTorchSession:
    """Session of one program. The thread pool is shared by the process: a session with another
    number of threads recreates it.
    """

    def __init__(self, path: str, threads: int, batch: int = 1) -> None:
        import torch
        from executorch.extension.pybindings import portable_lib

        self._torch, self._library, self._path, self._threads = torch, portable_lib, path, threads
        self._open()
        meta = self._method.method_meta()
        if meta.num_inputs() != 1:
            raise InvalidFile(
                "The model must have exactly one input", allowed="1", given=meta.num_inputs()
            )
        self.input, self.output = (
            with_batch(_info(meta.input_tensor_meta(0)), batch),
            _info(meta.output_tensor_meta(0)),
        )

    def _open(self) -> None:
        """Load the program with its number of threads, because XNNPACK keeps the pool that exists
        at loading.
        """
        if self._library._threadpool_get_thread_count() != self._threads:
            self._library._unsafe_reset_threadpool(self._threads)
        try:
            self._program = self._library._load_program(self._path)
            self._method = self._program.load_method("forward")
        except Exception as error:
            raise InvalidFile(
                f"ExecuTorch refuses this file: {str(error).strip()[:300]}", given=self._path
            ) from error

    def prepare(self, x: Array) -> Array:
        """Return the batch in the model's input type."""
        return x.astype(self.input.dtype, order="C", copy=False)

    def run(self, x: Array) -> Array:
        """Run the model on one item; shape (1, *input) -> (1, *output)."""
        if self._library._threadpool_get_thread_count() != self._threads:
            self._open()
        output: Array = self._method((self._torch.from_numpy(x),))[0].numpy()
        return output


def _info(meta: Any) -> TensorInfo:
    return TensorInfo(tuple(meta.sizes()), DTYPES[meta.dtype()])


def _load(path: str, options: Mapping[str, Any]) -> ExecuTorchSession:
    from lab.formats.quiet import quiet

    with quiet():
        return ExecuTorchSession(str(path), int(options.get("threads", 1)), batch_size(options))


def _profile(path: str, options: Mapping[str, Any], item: Array, runs: int) -> Profile:
    from lab.runtimes._executorch_profile import profile

    return profile(_load(path, options), str(path), item, runs)


RUNTIME = Runtime(
    id="executorch",
    title="ExecuTorch (XNNPACK)",
    help=(
        "Runs ExecuTorch programs, PyTorch's format for phones and microcontrollers, with XNNPACK,"
        " one item at a time."
    ),
    formats=("executorch",),
    preload=_preload,
    load=_load,
    profile=_profile,
    options=(THREADS, BATCH),
    requires=("executorch",),
    version_of="executorch",
    computes_as_stored=True,
    toolchain="torch",
    presets=("standard", "full"),
)
