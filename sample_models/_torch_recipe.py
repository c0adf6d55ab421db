"""Training of a PyTorch model from a plan, and evaluation of the saved graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from lab.plugs import Array, Training
from lab.types import ModelCard
from sample_models import _recipe
from sample_models._recipe import Plan, Trained

BATCH = 256
IMAGE_AXES = 4
"""Number of axes of a batch of images: batch, channels, height, width."""


def train(
    card: ModelCard, build: Callable[[], nn.Module], plan: Plan, training: Training, **facts: Any
) -> None:
    """Train from scratch with a fixed seed, then write the weights and the record."""
    started = perf_counter()
    dataset, x, y = _recipe.training_data(card)
    torch.manual_seed(plan.seed if training.seed is None else training.seed)
    model = build()
    fit(_laid_out(model, x.ndim), torch.from_numpy(x), torch.from_numpy(y), plan, training)
    model.to(memory_format=torch.contiguous_format)
    file = training.folder / f"{card.id}{_recipe.SUFFIX[card.format]}"
    save(model.eval(), torch.from_numpy(x[:2]), file)
    trained = Trained(
        file,
        saved_outputs(file),
        sum(p.numel() for p in model.parameters()),
        macs(model, torch.from_numpy(x[:1])),
    )
    _recipe.write_record(
        card, plan, training, trained, started, ("torch", *dataset.requires), **facts
    )


def _laid_out(model: nn.Module, ndim: int) -> nn.Module:
    """Return the model with channels last in memory if its input is an image: convolutions then
    train in two thirds of the time.
    """
    return model.to(memory_format=torch.channels_last) if ndim == IMAGE_AXES else model


def fit(model: nn.Module, x: Tensor, y: Tensor, plan: Plan, training: Training) -> None:
    """Train with AdamW and one cycle of the learning rate (Smith 2018, arXiv:1803.09820).

    Args:
        x: items in the form of the model's input.
        y: class indices, unused where the plan restores.
    """
    epochs = training.epochs or plan.epochs
    optimizer = torch.optim.AdamW(_groups(model, plan.weight_decay), lr=plan.rate)
    steps = -(-len(x) // plan.batch) * epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan.rate, total_steps=steps, pct_start=0.15
    )
    model.train()
    for epoch in range(epochs):
        losses = []
        for rows in _dealt(x, plan):
            losses.append(
                _step(model, _augmented(x[rows], plan), y[rows], optimizer, plan, training.bf16)
            )
            schedule.step()
        training.progress(epoch + 1, epochs, f"loss {sum(losses) / len(losses):.3f}")


def _dealt(x: Tensor, plan: Plan) -> Sequence[Tensor]:
    """Return the rows of each batch of one epoch."""
    return (
        torch.randperm(len(x)).split(plan.batch) if plan.deal is None else plan.deal(x, plan.batch)
    )


def _groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Return parameter groups: matrices and kernels have weight decay; biases and scales of
    normalisations do not.
    """
    large = [p for p in model.parameters() if p.ndim > 1]
    small = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": large, "weight_decay": decay}, {"params": small, "weight_decay": 0.0}]


def _augmented(x: Tensor, plan: Plan) -> Tensor:
    x = x if plan.augment is None else plan.augment(x)
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == IMAGE_AXES else x


def _step(model: nn.Module, x: Tensor, y: Tensor, optimizer: Any, plan: Plan, bf16: bool) -> float:
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        outputs = model(x)
    loss = _loss(outputs.float(), x if plan.restore else y, plan)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def _loss(outputs: Tensor, target: Tensor, plan: Plan) -> Tensor:
    if plan.restore:
        return nn.functional.mse_loss(outputs, target)
    return nn.functional.cross_entropy(outputs, target, label_smoothing=plan.smoothing)


def save(model: nn.Module, example: Tensor, file: Path) -> None:
    """Write the trained graph with a free batch axis; it loads without any of our classes."""
    program = torch.export.export(
        model, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # contains folder names of the machine that trained it
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.export.save(program, file)


def saved_outputs(file: Path) -> Callable[[Array], Array]:
    """Return a function that computes the outputs of the saved model."""
    module = torch.export.load(file).module()

    def answer(x: Array) -> Array:
        with torch.no_grad():
            return torch.cat([module(part) for part in torch.from_numpy(x).split(BATCH)]).numpy()

    return answer


def macs(model: nn.Module, item: Tensor) -> int:
    """Return the multiply-accumulates of one item, in matrix products and convolutions."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(item)
    return int(counter.get_total_flops()) // 2
