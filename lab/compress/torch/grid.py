"""Weights of a PyTorch module rounded to a grid of few bits during training, as a later quantizer
will round them.

A weight is w = s * q with integers q of b bits and one scale s for a group of weights. In training,
gradients pass through the rounding as if it were not there (Bengio et al. 2013, arXiv:1308.3432),
and s is trained, too (Esser et al. 2020, Learned Step Size Quantization, arXiv:1902.08153).
Post-training quantizers derive s from the largest weight of the group; s is therefore held where
that weight lies on the last integer, so that they find the same s and the same integers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

STEPS = 60
SMALLEST = 1e-9
"""Smallest value of a group's largest weight, as in ai-edge-quantizer: a group of zeros has a
scale, too.
"""


@dataclass(frozen=True)
class GridSpec:
    """Grid of weights.

    Attributes:
        bits: bits of an integer, 2 to 8.
        granularity: weights that share a scale: "channel" (of the output), "tensor", or "block"
            (`block` neighbours in a dense layer's row).
        block: size of a block.
        lopsided: False for integers from -(2^(b-1) - 1) to 2^(b-1) - 1; True to place the largest
            weight of a group, of either sign, at -2^(b-1), as in the blocks of ONNX Runtime and
            NNCF.
    """

    bits: int
    granularity: str = "channel"
    block: int = 32
    lopsided: bool = False

    @property
    def highest(self) -> int:
        """The largest positive integer."""
        return int(2 ** (self.bits - 1) - 1)

    @property
    def end(self) -> int:
        """The magnitude of the integer for a group's largest weight."""
        return self.highest + self.lopsided

    def groups(self, weight: Any) -> Any:
        """Return the weight as (groups, weights that share a scale)."""
        if self.granularity == "tensor":
            return weight.reshape(1, -1)
        return (
            weight.reshape(-1, self.block)
            if self.granularity == "block"
            else weight.reshape(len(weight), -1)
        )

    def fits(self, weight: Any) -> bool:
        """Return whether a weight can be stored on this grid: blocks must divide the rows of a
        matrix.
        """
        return self.granularity != "block" or (
            weight.ndim == 2 and weight.shape[1] % self.block == 0
        )


def extremes(groups: Any) -> Any:
    """Return the largest weight of each group by magnitude, with its sign, (groups, 1)."""
    return groups.gather(1, groups.abs().argmax(1, keepdim=True))


def largest_scale(groups: Any, spec: GridSpec) -> Any:
    """Return the scale of post-training quantizers: the largest weight lies on the last integer. It
    may be negative if lopsided.
    """
    largest = extremes(groups)
    size = largest.abs().clamp(min=SMALLEST) / spec.end
    return -size * largest.sign().masked_fill(largest == 0, 1.0) if spec.lopsided else size


def rounded(groups: Any, scale: Any, spec: GridSpec) -> Any:
    """Return the integers, as floats, rounded half to even."""
    return (groups / scale).round().clamp(-spec.end, spec.highest)


def best_share(groups: Any, spec: GridSpec) -> Any:
    """Return the share of `largest_scale` with the least squared error of STEPS candidates,
    (groups, 1).
    """
    import torch

    full, best, least = largest_scale(groups, spec), None, None
    for step in range(STEPS, STEPS // 5, -1):
        share = torch.full_like(full, step / STEPS)
        error = ((rounded(groups, full * share, spec) * full * share - groups) ** 2).sum(
            1, keepdim=True
        )
        best = share if best is None else torch.where(error < least, share, best)
        least = error if least is None else torch.minimum(error, least)
    return best


@cache
def grid_class() -> Any:
    """Return the parametrization (torch.nn.utils.parametrize) that puts a weight on its grid."""
    import torch

    class Grid(torch.nn.Module):  # type: ignore[misc]
        """The trained parameter is the weight with all output channels scaled to the same size, so
        that one learning rate suits all.
        """

        def __init__(self, weight: Any, spec: GridSpec, keep_zeros: bool) -> None:
            super().__init__()
            self.spec, rows = spec, weight.detach().reshape(len(weight), -1)
            size = rows.abs().amax(1).clamp(min=SMALLEST)
            self.register_buffer("size", (size / size.mean()).reshape(-1, *[1] * (weight.ndim - 1)))
            kept = (weight.detach() != 0).to(weight.dtype)
            self.register_buffer("mask", kept if keep_zeros and not kept.all() else None)
            groups = spec.groups(weight.detach())
            scale = largest_scale(groups, spec).abs() * best_share(groups, spec)
            self.log_scale = torch.nn.Parameter(scale.flatten().log())

        def forward(self, trained: Any) -> Any:
            """Return the weight on its grid."""
            weight = trained * self.size
            groups = self.spec.groups(weight if self.mask is None else weight * self.mask)
            scale = self._scale(groups)
            exact = (groups / scale).clamp(-self.spec.end, self.spec.highest)
            return ((exact.round() - exact).detach() + exact).mul(scale).reshape(weight.shape)

        def _scale(self, groups: Any) -> Any:
            """Return the trained scale, limited so that a weight reaches the last integer."""
            limit = largest_scale(groups.detach(), self.spec)
            scale = torch.minimum(self.log_scale.exp()[:, None], limit.abs()) * limit.sign()
            return (
                _short(scale)
                if self.spec.granularity == "block" and not self.spec.lopsided
                else scale
            )

        def right_inverse(self, weight: Any) -> Any:
            """Return the trained parameter for a given weight."""
            return weight / self.size

    return Grid


def _short(scale: Any) -> Any:
    """Round down to bfloat16, in which TFLite stores the scales of blocks; the gradient passes."""
    import torch

    kept = torch.frexp(scale.detach())
    short = torch.ldexp((kept.mantissa * 256).floor() / 256, kept.exponent)
    return scale + (short - scale).detach()


def put_on_grid(modules: Iterable[Any], spec: GridSpec, keep_zeros: bool = False) -> None:
    """Put the weights of these modules on a grid.

    Args:
        keep_zeros: True to exclude weights that are zero now from training.
    """
    from torch.nn.utils import parametrize

    for module in modules:
        grid = grid_class()(module.weight, spec, keep_zeros)
        parametrize.register_parametrization(module, "weight", grid, unsafe=True)


def leave_on_grid(modules: Iterable[Any]) -> None:
    """Replace these modules' weights by their rounded values and remove the parametrization."""
    from torch.nn.utils import parametrize

    for module in modules:
        parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)


def weighted(model: Any, spec: GridSpec | None = None) -> dict[str, Any]:
    """Return name -> module, for convolutions, dense layers and embeddings whose weights a
    post-training quantizer rounds.

    Args:
        spec: grid; modules whose weights do not fit it are left out.
    """
    import torch

    kinds = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d, torch.nn.Linear, torch.nn.Embedding)
    modules = {name: module for name, module in model.named_modules() if isinstance(module, kinds)}
    return {
        name: module for name, module in modules.items() if spec is None or spec.fits(module.weight)
    }
