"""Gradients of a PyTorch model's loss by its weights, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.finetuning.loop import gives_shares
from lab.finetuning.torch_loop import own_loss
from lab.formats.feeding import fit_items
from lab.lazy import np
from lab.plugs import Context

ITEMS, BATCH = 512, 32


def gradients(model: Any, context: Context, batch: int | None = None) -> Iterator[None]:
    """Yield after each batch, with the gradients of the loss on it in the parameters; the model
    runs in inference mode.

    Args:
        model: torch.nn.Module with one input; its gradients are None at the end.
        batch: fixed batch size of the model; None if it is free.
    """
    import torch

    data = context.training()
    chosen = np.linspace(0, len(data.x) - 1, min(ITEMS, len(data.x))).astype(int)
    size = batch or BATCH
    for at in range(0, len(chosen) - size + 1 if batch else len(chosen), size):
        rows = chosen[at : at + size]
        x = torch.from_numpy(fit_items(data.x[rows], (None, *data.x.shape[1:])))
        model.zero_grad(set_to_none=False)
        outputs, y = model(x), torch.from_numpy(data.y[rows])
        own_loss(
            outputs, x, y, data, data.learns == "classes" and gives_shares(outputs.detach().numpy())
        ).backward()
        yield
    model.zero_grad(set_to_none=True)
