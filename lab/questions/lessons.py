"""Studies that teach: the effects of pruning, and of the order of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab import registry
from lab.analysis.orders import other_orders
from lab.analysis.pruning import KIND, channels_for
from lab.errors import InvalidOption, UsageError
from lab.spec.chains import NOTHING
from lab.spec.recipes import complete_target, conversion_path
from lab.types import Chain, ModelCard, Recipe, Step, Target

SHARES = (0.2, 0.4, 0.6, 0.8)
STEPS = 150
EVEN = {"round_to": 2}
"""An even number of channels is left, where a technique would otherwise round to eight and take
nothing from small layers.
"""


@dataclass(frozen=True)
class Pieces:
    """Ids of the techniques of one framework that a lesson uses."""

    structured: str
    unstructured: str
    tune: str
    grid: str


def _pieces(format_: str) -> Pieces | None:
    """Return the techniques that change a model within its format; None where one is lacking."""
    purposes = ("channel_pruning", "weight_pruning", "fine_tuning", "grid_training")
    serving = [
        [t for t in registry.serving(p, format_) if registry.technique(t).produces == format_]
        for p in purposes
    ]
    return Pieces(*(ids[0] for ids in serving)) if all(serving) else None


def pieces_of(card: ModelCard, *wanted: str) -> Pieces:
    """The techniques for a model's framework.

    Args:
        wanted: the fields of `Pieces` that must be installed.

    Raises:
        UsageError: there are none for this format, or a package is missing.
    """
    pieces = _pieces(card.format)
    if pieces is None:
        raise UsageError(
            "This model cannot be pruned and trained here: it has come without its framework",
            given=f"{card.id} ({card.format})",
            allowed="models of PyTorch (.pt2) or Keras (.keras, .h5)",
            remedy="Add the model in the format of the framework that it was trained with",
        )
    for id_ in (getattr(pieces, name) for name in wanted):
        technique = registry.techniques().get(id_)
        if technique is None or technique.missing:
            raise UsageError(
                f"The technique {id_!r} is not installed",
                given=card.id,
                remedy=f"pip install {technique.missing}" if technique else "Update the lab",
            )
    return pieces


def can_prune(card: ModelCard) -> bool:
    """True if `pruning_lesson` can be made of a model."""
    try:
        pieces_of(card, "structured", "unstructured", "tune")
    except UsageError:
        return False
    return True


@dataclass(frozen=True)
class Layout:
    """Parts of a spec that a lesson runs."""

    chains: tuple[Chain, ...]
    recipes: tuple[Recipe, ...]
    target: Target
    about: Mapping[str, Any]


def pruning_lesson(card: ModelCard, shares: Sequence[float], steps: int, runtime: str) -> Layout:
    """Whole channels and single weights, so much of each, with and without fine-tuning; and
    fine-tuning alone.

    Args:
        shares: of the weights that go; channels are taken so that about as many weights go with
            them.
        steps: of each fine-tuning.

    Raises:
        UsageError: the model cannot be pruned, or cannot run there.
        InvalidOption: a share or the number of steps is not possible.
    """
    pieces, target = pieces_of(card, "structured", "unstructured", "tune"), _target(card, runtime)
    if not shares or not all(0 < share < 1 for share in shares):
        raise InvalidOption(
            "A share of weights is not possible",
            allowed="numbers between 0 and 1",
            given=list(shares),
        )
    tuning = {NOTHING: {}, pieces.tune: {"train_steps": (steps,)}}
    chains = tuple(({id_: space}, tuning) for id_, space in _spaces(pieces, shares).items())
    alone = Recipe((Step(pieces.tune, {"train_steps": steps}),))
    about = {
        "kind": KIND,
        "structured": pieces.structured,
        "unstructured": pieces.unstructured,
        "tune": pieces.tune,
        "parameters": card.parameters or 0,
        "steps": steps,
    }
    return Layout(chains, (alone,), target, about)


def _spaces(pieces: Pieces, shares: Sequence[float]) -> dict[str, dict[str, tuple[Any, ...]]]:
    known = {o.id for o in registry.technique(pieces.structured).options}
    even = {name: (value,) for name, value in EVEN.items() if name in known}
    channels = tuple(dict.fromkeys(channels_for(share) for share in shares))
    return {
        pieces.structured: {"ratio": channels, **even},
        pieces.unstructured: {"ratio": tuple(dict.fromkeys(shares))},
    }


def _target(card: ModelCard, runtime: str) -> Target:
    target = complete_target(Target(runtime))
    if conversion_path(card.format, registry.runtime(runtime).formats) is None:
        raise UsageError(
            "This model cannot be converted for the runtime",
            given=runtime,
            remedy="Name another one: python -m lab runtimes",
        )
    return target


def order_lesson(card: ModelCard, ratio: float, steps: int, runtime: str) -> Layout:
    """Pruning and fine-tuning before quantization-aware training, and after it, each stored in
    integers by the same quantizer.

    Raises:
        UsageError: the model cannot be pruned and trained, or no quantizer leads to the runtime.
    """
    pieces, target = pieces_of(card, "structured", "tune", "grid"), _target(card, runtime)
    quantizer = _QUANTIZERS.get(runtime)
    if quantizer is None:
        raise UsageError(
            "No order is laid out for this runtime", allowed=", ".join(_QUANTIZERS), given=runtime
        )
    pruned = (Step(pieces.structured, {"ratio": ratio}), Step(pieces.tune, {"train_steps": steps}))
    grid = (Step(pieces.grid, {"bits": 8, "activation_bits": "8", "train_steps": steps}),)
    recipes = tuple(
        Recipe((*steps_, Step(quantizer))) for steps_ in ((*pruned, *grid), (*grid, *pruned))
    )
    return Layout((), recipes, target, {})


_QUANTIZERS = {"ort": "onnx_static_int8", "litert": "tflite_static_wi8_ai8"}


def swapped(recipe: Recipe) -> tuple[Recipe, ...]:
    """A recipe with two neighbouring steps exchanged, every way that files allow."""
    known = registry.techniques()
    steps = [
        s for s in recipe.steps if s.technique not in known or not known[s.technique].conversion
    ]
    movable = {
        id_: t.produces
        for id_, t in known.items()
        if t.role in ("prune", "tune") and t.produces in t.accepts
    }
    return other_orders(steps, movable)
