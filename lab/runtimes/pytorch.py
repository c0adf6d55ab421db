"""PyTorch itself: an exported program run operator by operator from Python, as in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.evidence import Profile
from lab.formats.batching import BATCH, batch_size, with_batch
from lab.formats.threads import THREADS
from lab.formats.torch_export.threads import use_threads
from lab.plugs import Array, Runtime


def _preload() -> None:
    """Import torch and the modules that torch.export.load imports at its first call, because they
    are not part of the model.
    """
    import networkx  # noqa: F401
    import torch._export.serde.serialize
    import torch.export._trace
    import torch.export._unlift
    import torch.export.pt2_archive._package  # noqa: F401


class PyTorchSession:
    """Session of one exported program, called from Python."""

    def __init__(self, path: str, threads: int, batch: int = 1) -> None:
        import torch

        from lab.formats.torch_export.files import inputs_and_outputs, load_program

        use_threads(threads)
        program = load_program(Path(path))
        self._torch, self._module = torch, program.module(check_guards=False)
        feed, self.output = inputs_and_outputs(program)
        self.input = with_batch(feed, batch)

    def prepare(self, x: Array) -> Array:
        """Return the batch in the model's input type."""
        return x.astype(self.input.dtype, order="C", copy=False)

    def run(self, x: Array) -> Array:
        """Run the model on a batch; shape (batch, *input) -> (batch, *output)."""
        with self._torch.inference_mode():
            output: Array = self._module(self._torch.from_numpy(x)).numpy()
        return output


def _load(path: str, options: Mapping[str, Any]) -> PyTorchSession:
    from lab.formats.quiet import quiet

    with quiet():
        return PyTorchSession(str(path), int(options.get("threads", 1)), batch_size(options))


def _profile(path: str, options: Mapping[str, Any], item: Array, runs: int) -> Profile:
    from lab.formats.torch_export.files import load_program
    from lab.runtimes._torch_profile import profile

    return profile(_load(path, options), _layers(load_program(Path(path))), "", item, runs)


def _layers(program: Any) -> list[tuple[str, str]]:
    """Return (operator, layer) of each operation in order; a layer is named after the innermost
    module, or after the operation outside of modules.
    """
    nodes = [
        node
        for node in program.module(check_guards=False).graph.nodes
        if node.op == "call_function"
    ]
    paths = [
        next(reversed((node.meta.get("nn_module_stack") or {"": ("", "")}).values()))[0]
        for node in nodes
    ]
    inner = {
        path for path in paths if path and not any(other.startswith(f"{path}.") for other in paths)
    }
    names = [
        path if path in inner else f"{path}.{node.name}".strip(".")
        for path, node in zip(paths, nodes, strict=True)
    ]
    return [
        (
            str(getattr(node.target, "_schema", node.target)).partition("(")[0].partition(".")[0],
            name,
        )
        for node, name in zip(nodes, names, strict=True)
    ]


RUNTIME = Runtime(
    id="pytorch",
    title="PyTorch (CPU)",
    help=(
        "Runs exported PyTorch programs operator by operator from Python, as in a notebook."
        " Supports any batch size."
    ),
    formats=("torch_export",),
    preload=_preload,
    load=_load,
    profile=_profile,
    options=(THREADS, BATCH),
    requires=("torch",),
    version_of="torch",
    computes_as_stored=True,
    toolchain="torch",
    presets=("full",),
)
