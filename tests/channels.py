"""What channel pruning must equal, computed without any of its code: kept channels are found by
their numbers in the tensors, and the network as its author wrote it is run with all others set to
zero.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from lab.plugs import Context, TrainingSet
from lab.registry import sample_cards

ARCHITECTURES = sorted(id_ for id_, card in sample_cards().items() if card.format == "torch_export")


def context_for(model_id: str, workdir: Path, notes: dict[str, Any]) -> Context:
    """Random items of a sample model, and random truth."""
    card, rng = sample_cards()[model_id], np.random.default_rng(5)
    shape = (64, *card.input.shape)
    x = (
        rng.integers(0, 40, shape)
        if card.input.dtype == "int64"
        else rng.normal(size=shape).astype(card.input.dtype)
    )
    y = rng.integers(0, len(card.class_names), len(x))
    workdir.mkdir(parents=True, exist_ok=True)
    data = TrainingSet(x, y, x[:16], y[:16])
    return replace(
        Context(workdir, card, lambda n: x[:n], lambda n: (x[:n], y[:n]), notes.__setitem__),
        training=lambda: data,
    )


def network(model_id: str) -> Any:
    """A sample model as its author wrote it, with its shipped weights."""
    model = import_module(f"sample_models.{model_id}").build().eval()
    model.load_state_dict(_shipped(model_id))
    return model


@cache
def _shipped(model_id: str) -> dict[str, Any]:
    """Loaded once in a process: a program takes a second."""
    import torch

    with open(sample_cards()[model_id].path, "rb") as file:
        return dict(torch.export.load(file).state_dict)


def answers_with_zeros(model: Any, smaller: dict[str, Any], x: Any) -> tuple[Any, int]:
    """The model's answers with every channel zeroed that the smaller tensors do not have, and how
    many those are.

    Args:
        smaller: state dict of the pruned program.
    """
    import torch

    gone, layers = 0, (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Linear, torch.nn.Embedding)
    for name, module in model.named_modules():
        if (
            isinstance(module, (*layers, torch.nn.modules.batchnorm._BatchNorm))
            and f"{name}.weight" in smaller
        ):
            gone += _silence(module, name, smaller)
    with torch.no_grad():
        return model(x), gone


def _silence(module: Any, name: str, smaller: dict[str, Any]) -> int:
    import torch

    if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
        parts = ("weight", "bias", "running_mean", "running_var")
        whole, part = (
            torch.stack([s[p] for p in parts], 1)
            for s in (
                {p: getattr(module, p).detach() for p in parts},
                {p: smaller[f"{name}.{p}"] for p in parts},
            )
        )
        return _mask(module, _found(part, whole), 1)
    if isinstance(module, torch.nn.Embedding):
        return _mask(module, _found(smaller[f"{name}.weight"].T, module.weight.detach().T), -1)
    whole, part = module.weight.detach(), smaller[f"{name}.weight"]
    axis = -1 if isinstance(module, torch.nn.Linear) else 1
    gone = _mask(module, _found(part.flatten(1), whole.flatten(1)), axis)
    if getattr(module, "groups", 1) == 1:
        _mask(
            module,
            _found(part.transpose(0, 1).flatten(1), whole.transpose(0, 1).flatten(1)),
            axis,
            before=True,
        )
    return gone


def _found(part: Any, whole: Any) -> Any:
    """1 for each row of `whole` of which a row of `part` is made, by its numbers, 0 for others:
    each row is found once.
    """
    import torch

    rows = whole.detach().numpy()
    found = np.zeros(len(rows), np.float32)
    for row in part.detach().numpy():
        likely = np.flatnonzero((rows == row[0]).any(1) & (found == 0))
        places = [i for i in likely if np.isin(row, rows[i]).all()]
        found[places[0]] = 1  # IndexError: a tensor that is no part of the original
    return torch.from_numpy(found)


def _mask(module: Any, kept: Any, axis: int, before: bool = False) -> int:
    def masked(x: Any) -> Any:
        return x * (kept if axis == -1 else kept.reshape(-1, *[1] * (x.dim() - 2)))

    if before:
        module.register_forward_pre_hook(lambda _, args: (masked(args[0]),))
    else:
        module.register_forward_hook(lambda _module, _args, made: masked(made))
    return int((kept == 0).sum())
