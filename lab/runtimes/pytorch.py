"""PyTorch itself: an exported program run operator by operator from Python, as in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.formats.batching import BATCH, batch_size, with_batch
from lab.formats.torch_threads import THREADS, use_threads
from lab.plugs import Array, Runtime


def _preload() -> None:
    """Also what torch.export.load imports when it is first called: code, not a part of the model."""
    import networkx  # noqa: F401
    import torch._export.serde.serialize
    import torch.export._trace
    import torch.export._unlift
    import torch.export.pt2_archive._package  # noqa: F401


class PyTorchSession:
    """One exported program, called from Python."""

    def __init__(self, path: str, threads: int, batch: int = 1) -> None:
        import torch

        from lab.formats.torch_files import inputs_and_outputs, load_program

        use_threads(threads)
        program = load_program(Path(path))
        self._torch, self._module = torch, program.module(check_guards=False)
        feed, self.output = inputs_and_outputs(program)
        self.input = with_batch(feed, batch, path)

    def prepare(self, x: Array) -> Array:
        """The batch in the type that the model takes."""
        return x.astype(self.input.dtype, order="C", copy=False)

    def run(self, x: Array) -> Array:
        """Shape (batch, *input) -> (batch, *output)."""
        with self._torch.inference_mode():
            output: Array = self._module(self._torch.from_numpy(x)).numpy()
        return output


def _load(path: str, options: Mapping[str, Any]) -> PyTorchSession:
    from lab.formats.quiet import quiet

    with quiet():
        return PyTorchSession(str(path), int(options.get("threads", 1)), batch_size(options))


RUNTIME = Runtime(
    id="pytorch",
    title="PyTorch (CPU)",
    help="Runs exported PyTorch programs operator by operator from Python, as in a notebook; takes any batch.",
    formats=("torch_export",),
    preload=_preload,
    load=_load,
    options=(THREADS, BATCH),
    requires=("torch",),
    version_of="torch",
    toolchain="torch",
    presets=("full",),
)
