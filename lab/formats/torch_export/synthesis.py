"""Calibration items from a PyTorch program's batch normalisations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.errors import InvalidFile
from lab.formats.synthesis import RATE, STEPS, no_statistics, noise
from lab.formats.torch_export.files import example, load_program
from lab.lazy import np
from lab.plugs import Array


def synthesise(path: Path, n: int, rng: Any, low: float, high: float) -> Array:
    """Return n inputs that the program's batch normalisations find usual, see
    `lab.formats.synthesis`.
    """
    import torch

    program = load_program(path)
    if (item := example(program, 1)).dtype != torch.float32:
        raise InvalidFile(
            "Only inputs that are real numbers have gradients",
            allowed="float32",
            given=str(item.dtype),
        )
    module, targets = (
        program.module(check_guards=False).requires_grad_(False),
        _norms(program),
    )
    torch.set_num_threads(1)  # as many jobs run at once as there are cores
    x = torch.from_numpy(noise((n, *item.shape[1:]), rng, low, high)).requires_grad_()
    optimizer = torch.optim.Adam([x], lr=RATE * (high - low) / 2)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = _distance(module, targets, x)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            x.clamp_(low, high)
    return np.asarray(x.detach().numpy())


def _norms(program: Any) -> list[str]:
    """Names of the nodes that normalise a batch."""
    found = [node.name for node in program.graph.nodes if "batch_norm" in str(node.target)]
    if not found:
        raise no_statistics("none")
    return found


def _distance(module: Any, targets: list[str], x: Any) -> Any:
    """Sum over normalisations of the distances of mean and of standard deviation from what they
    remember.
    """
    import torch

    distances = []

    class Watcher(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, node: Any) -> Any:
            if node.name in targets:
                given, mean, variance = (self.env[node.args[i]] for i in (0, 3, 4))
                axes = [a for a in range(given.ndim) if a != 1]
                distances.append((given.mean(axes) - mean).square().mean())
                distances.append(
                    (given.var(axes, correction=0).sqrt() - variance.sqrt()).square().mean()
                )
            return super().run_node(node)

    Watcher(module).run(x)
    return torch.stack(distances).sum()
