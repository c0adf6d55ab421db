"""Structured pruning of Keras models: removes whole channels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.channels import (
    IMPORTANCE,
    RATIO,
    ROUND_TO,
    SCOPE,
    STEPS,
    STEPS_BETWEEN,
    channels_name,
)
from lab.compress.choosing import KEEP
from lab.errors import InvalidFile
from lab.finetuning.options import TRAINING, training_suffix
from lab.plugs import Context, Technique

CHECKED, TOLERANCE = 8, 1e-4
"""Number of items the pruned model is checked on, and the largest allowed difference relative to
the largest output.
"""


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.keras.channels import channels
    from lab.finetuning.keras_loop import fit
    from lab.formats.keras.files import load_keras, save_keras

    model = load_keras(source)
    before, steps = model.count_params(), params[STEPS.id]
    first = channels(model, params[KEEP.id])
    for step in range(1, steps + 1):
        model = _smaller(model, params, context, first, step / steps)
        if step < steps:
            fit(model, context, params, phase=f"step {step}", steps=params[STEPS_BETWEEN.id])
    _note(context, first, channels(model, params[KEEP.id]), before, model.count_params())
    return save_keras(model, context.workdir / "pruned.keras")


def _smaller(
    model: Any, params: Mapping[str, Any], context: Context, first: Any, share: float
) -> Any:
    """Return the model after removing this share of the pruning ratio."""
    from lab.compress.keras.channels import channels
    from lab.compress.keras.importance import importances, pruned
    from lab.finetuning.keras_slopes import slopes

    graph, seed = channels(model, params[KEEP.id]), params["train_seed"]
    slope = (
        slopes(graph.model, context.training(), seed) if params[IMPORTANCE.id] == "taylor" else None
    )
    importance = importances(graph, params[IMPORTANCE.id], seed, slope)
    sizes = [len(first.groups[layers]) for layers in graph.groups]
    ratio = params[RATIO.id] * share
    removed = pruned(graph, importance, sizes, ratio, params[SCOPE.id], params[ROUND_TO.id])
    smaller = graph.without(removed)
    _check(smaller, graph.zeroed(removed), context)
    return smaller


def _check(smaller: Any, zeroed: Any, context: Context) -> None:
    """Check that the pruned model gives the same outputs as the whole model with the removed
    channels set to zero.

    Raises:
        InvalidFile: the outputs differ.
    """
    from lab.formats.feeding import fit_items
    from lab.lazy import np

    x = fit_items(context.calibration(CHECKED), (None, *smaller.inputs[0].shape[1:]))
    actual, expected = (np.asarray(model(x, training=False)) for model in (smaller, zeroed))
    if np.abs(actual - expected).max() > TOLERANCE * max(1.0, np.abs(expected).max()):
        raise InvalidFile(
            "The pruned model gives other outputs than the whole model with these channels set to"
            " zero",
            allowed="layers that treat channels as Keras' built-in layers do",
            given=smaller.name,
            remedy="Name layers to keep in the option 'keep', or choose keras_weight_pruning",
        )


def _note(context: Context, first: Any, last: Any, before: int, after: int) -> None:
    left = {
        " + ".join(layers): f"{len(last.groups[layers])} of {len(units)}"
        for layers, units in first.groups.items()
    }
    context.note("channels", left)
    context.note("parameters", f"{before:,} → {after:,}")
    if spared := first.coupling.protected_by:
        context.note(
            "spared",
            f"the channels that reach {', '.join(spared)}: it is unknown how these layers use"
            " channels",
        )


TECHNIQUE = Technique(
    id="keras_channel_pruning",
    title="Channel pruning",
    help=(
        "Removes the least important channels from every layer. The tensors become smaller, and so"
        " do file, latency and memory. Accuracy drops considerably until the model is fine-tuned."
    ),
    accepts=("keras",),
    produces="keras",
    apply=_apply,
    name=lambda params: channels_name(params, training_suffix(params)),
    options=(RATIO, IMPORTANCE, SCOPE, STEPS, STEPS_BETWEEN, ROUND_TO, KEEP, *TRAINING[1:]),
    toolchain="tensorflow",
    requires=("tensorflow", "keras"),
    trains=True,
    role="prune",
    composed={
        "standard": ({"ratio": 0.3},),
        "full": ({"ratio": 0.25}, {"ratio": 0.3}, {"ratio": 0.5}),
    },
    presets=("full",),
    valid=lambda params: params[STEPS.id] > 1 or params[STEPS_BETWEEN.id] == STEPS_BETWEEN.default,
    typical_s=10.0,
    purposes={"channel_pruning": ""},
)
