"""How a PyTorch model's loss would change with its weights, one batch after another."""

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
    """After each step, the parameters' gradients are those of the loss on other training items, as
    the model answers.

    Args:
        model: torch.nn.Module with one input; its gradients are none at the end.
        batch: the only number of items that it takes; None for any.
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
