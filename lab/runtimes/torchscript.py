"""TorchScript: torch's interpreter of traced models, without Python code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.evidence import Profile
from lab.formats.batching import BATCH, batch_size, with_batch
from lab.formats.threads import THREADS
from lab.formats.torch_export.threads import use_threads
from lab.options import Option
from lab.plugs import Array, Runtime, TensorInfo


def _preload() -> None:
    import torch  # noqa: F401


class TorchScriptSession:
    """Session of one traced model. The engine of quantized operators is a setting of the process
    that other models may have changed.
    """

    def __init__(self, path: str, threads: int, optimize: bool, batch: int = 1) -> None:
        import torch

        from lab.formats.torchscript.files import read_note, read_torchscript

        use_threads(threads)
        note = read_note(Path(path))
        feed, self.output = (
            TensorInfo(tuple(note[k]["shape"]), note[k]["dtype"]) for k in ("input", "output")
        )
        self.input = with_batch(feed, batch)
        self._torch, self._engine = torch, note["engine"]
        module = read_torchscript(Path(path)).eval()
        self._module = torch.jit.optimize_for_inference(module) if optimize else module

    def prepare(self, x: Array) -> Array:
        """Return the batch in the model's input type."""
        return x.astype(self.input.dtype, order="C", copy=False)

    def run(self, x: Array) -> Array:
        """Run the model on a batch; shape (batch, *input) -> (batch, *output)."""
        if self._engine:
            self._torch.backends.quantized.engine = self._engine
        with self._torch.inference_mode():
            output: Array = self._module(self._torch.from_numpy(x)).numpy()
        return output


def _load(path: str, options: Mapping[str, Any]) -> TorchScriptSession:
    from lab.formats.quiet import quiet

    with quiet():
        threads, optimize = int(options.get("threads", 1)), bool(options.get("optimize", False))
        return TorchScriptSession(str(path), threads, optimize, batch_size(options))


def _profile(path: str, options: Mapping[str, Any], item: Array, runs: int) -> Profile:
    """Profile the file; a frozen module has operators but no layers."""
    from lab.formats.torchscript.files import read_note
    from lab.runtimes._torch_profile import profile

    return profile(_load(path, options), (), str(read_note(Path(path))["engine"]), item, runs)


RUNTIME = Runtime(
    id="torchscript",
    title="TorchScript (CPU)",
    help=(
        "Runs traced PyTorch models without Python code. Supports any batch size if the model does."
    ),
    formats=("torchscript",),
    preload=_preload,
    load=_load,
    profile=_profile,
    options=(
        THREADS,
        BATCH,
        Option(
            id="optimize",
            label="Optimize for inference",
            kind="bool",
            default=False,
            help=(
                "Optimizes the graph at loading (torch.jit.optimize_for_inference): stores weights"
                " in the layout of the oneDNN library and fuses activations into convolutions."
            ),
        ),
    ),
    requires=("torch",),
    version_of="torch",
    computes_as_stored=True,
    toolchain="torch",
    presets=("full",),
)
