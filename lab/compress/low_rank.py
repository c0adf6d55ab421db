"""Factorization of a layer into two: choice of the rank, and the factors (singular value
decomposition).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.compress.choosing import KEEP, chosen_suffix
from lab.compress.naming import speaking_name
from lab.compress.sparsity import percent_word
from lab.errors import InvalidFile
from lab.lazy import np
from lab.options import Option
from lab.plugs import Array

HELP = (
    "Replaces a dense layer or convolution by two smaller ones in a row that approximate it:"
    " fewer weights and multiplications, but more operators."
)
BY = Option(
    id="by",
    label="Rank by",
    kind="choice",
    default="weights",
    choices=("weights", "energy"),
    help=(
        "Reference of the share: the weights of all these layers together, or the energy of"
        " each (its squared singular values). Either way all layers keep the same share of their"
        " energy, and a layer that factorization would not make smaller stays unchanged."
    ),
)
SHARE = Option(
    id="share",
    label="Share kept",
    kind="float",
    default=0.5,
    low=0.01,
    high=0.999,
    help="Share of the layers' weights, or of each layer's energy, that is kept.",
)
KERNELS = Option(
    id="kernels",
    label="Layers",
    kind="choice",
    default="all",
    choices=("all", "dense"),
    help=(
        "Layers to factorize: also convolutions with larger kernels (into one with few channels"
        " and a 1×1 convolution), or only dense layers and 1×1 convolutions. Embeddings,"
        " depthwise and grouped convolutions stay unchanged."
    ),
)
HALVINGS = 40
LOW_RANK = (BY, SHARE, KERNELS, KEEP)
STUDY = ({"by": "energy", "share": 0.9}, {"kernels": "dense"})
"""Settings that the full preset varies one at a time."""


def low_rank_name(params: Mapping[str, Any]) -> str:
    """Return a name like `rank50` (half of the weights stay), `rank_energy90` or `dense`, with the
    layers that stay unchanged.
    """
    share = percent_word(params[SHARE.id])
    word = f"rank{share}" if params[BY.id] == "weights" else f"rank_energy{share}"
    return speaking_name(
        word, "dense" if params[KERNELS.id] == "dense" else "", chosen_suffix(params)
    )


@dataclass(frozen=True)
class Factors:
    """Two matrices whose product is, among all of this rank, nearest to a matrix (outputs, inputs).

    Attributes:
        second: (outputs, rank).
        first: (rank, inputs), applied first.
        energy: share of the squared singular values that the rank keeps.
    """

    second: Array
    first: Array
    energy: float

    @property
    def rank(self) -> int:
        """Number of elements between the two layers."""
        return len(self.first)


def factorized(matrices: Mapping[str, Array], by: str, share: float) -> dict[str, Factors]:
    """Factorize the matrices that two factors make smaller.

    Args:
        matrices: layer -> (outputs, inputs).
        by, share: see the options.
    """
    parts = {
        name: np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
        for name, matrix in matrices.items()
    }
    energies = {
        name: np.cumsum(values**2) / max(float((values**2).sum()), 1e-30)
        for name, (_, values, _) in parts.items()
    }
    shapes = {name: (matrix.shape[0], matrix.shape[1]) for name, matrix in matrices.items()}
    ranks = _ranks(energies, share) if by == "energy" else _affordable(energies, shapes, share)
    smaller = [
        name
        for name, (outputs, inputs) in shapes.items()
        if ranks[name] * (outputs + inputs) < outputs * inputs
    ]
    return {
        name: _cut(parts[name], ranks[name], float(energies[name][ranks[name] - 1]))
        for name in smaller
    }


def _ranks(energies: Mapping[str, Array], energy: float) -> dict[str, int]:
    """Return the smallest rank of each layer that keeps this share of its energy."""
    return {
        name: min(int(np.searchsorted(kept, energy)) + 1, len(kept))
        for name, kept in energies.items()
    }


def _affordable(
    energies: Mapping[str, Array], shapes: Mapping[str, tuple[int, int]], share: float
) -> dict[str, int]:
    """Return the ranks with the highest energy share, equal for all layers, that need no more than
    this share of all weights.
    """
    most = share * sum(outputs * inputs for outputs, inputs in shapes.values())
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        ranks = _ranks(energies, middle)
        cost = sum(min(ranks[name] * (o + i), o * i) for name, (o, i) in shapes.items())
        low, high = (middle, high) if cost <= most else (low, middle)
    return _ranks(energies, low)


def _cut(parts: tuple[Array, Array, Array], rank: int, energy: float) -> Factors:
    """Return the factors of the first singular values; each factor gets their square roots, so that
    both have one scale and rounding and training treat them alike.

    No matrix of this rank is nearer (Eckart & Young 1936, Psychometrika 1:211). Signs, which are
    free, are set so that the largest entry of each column is positive.
    """
    left, values, right = parts[0][:, :rank], parts[1][:rank], parts[2][:rank]
    scale = np.sqrt(values) * np.sign(left[np.abs(left).argmax(0), np.arange(rank)])
    return Factors(
        (left * scale).astype(np.float32), (right.T * scale).T.astype(np.float32), energy
    )


def noted(made: Mapping[str, Factors], whole: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """Return the note about a factorization.

    Args:
        whole: layer -> (outputs, inputs) for all layers that could be factorized.
    """
    left = [name for name in whole if name not in made]
    layers = {
        name: f"{whole[name][0]} × {whole[name][1]} → rank {f.rank} ({f.energy:.1%} of the energy)"
        for name, f in made.items()
    }
    return {"layers": layers, **({"left whole": ", ".join(left)} if left else {})}


def nothing_to_factorize(whole: Mapping[str, tuple[int, int]]) -> InvalidFile:
    """Return the error for a model in which no layer gets smaller."""
    given = (
        ", ".join(f"{name} ({o} × {i})" for name, (o, i) in whole.items())
        or "no layer that could be factorized"
    )
    return InvalidFile(
        "No layer of this model gets smaller by a low rank",
        allowed="dense layers and convolutions, not grouped",
        given=given,
        remedy="Keep a smaller share, spare fewer layers, or include larger kernels",
    )
