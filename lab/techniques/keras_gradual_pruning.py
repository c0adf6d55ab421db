"""Gradual magnitude pruning of Keras weights during training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.compress.choosing import KEEP, chosen_suffix
from lab.compress.naming import speaking_name
from lab.compress.sparsity import PATTERNS, RATIO, percent_word
from lab.finetuning.options import TRAINING, training_suffix
from lab.options import Option
from lab.plugs import Context, Technique

_RATIO = replace(RATIO, default=0.8)


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.keras.graph import rebuilt
    from lab.compress.keras.sparsity import Pruner
    from lab.finetuning.keras_loop import fit
    from lab.formats.keras.files import load_keras, save_keras

    model = rebuilt(load_keras(source))
    pruner = Pruner(model, params["mode"], params[RATIO.id], params[KEEP.id])
    fit(model, context, params, after_step=pruner.after_step())
    pruner.prune()  # a training that ended early has not reached the final sparsity
    pruner.note(context)
    return save_keras(rebuilt(model), context.workdir / "pruned.keras")


def _name(params: Mapping[str, Any]) -> str:
    mode, steps = params["mode"], f"s{params['train_steps']}"
    word = (
        f"gradual_{mode.replace(':', 'x')}"
        if mode in PATTERNS
        else f"gradual{percent_word(params[RATIO.id])}"
    )
    local = "local" if mode == "local" else ""
    return speaking_name(
        speaking_name(word, local, steps) + training_suffix(params), chosen_suffix(params)
    )


TECHNIQUE = Technique(
    id="keras_gradual_pruning",
    title="Gradual weight pruning",
    help=(
        "Sets a growing share of the smallest weights to zero during training, so that the"
        " remaining weights can adapt. Zeros are stored like other values: the compressed download"
        " shrinks, but file size and latency do not."
    ),
    accepts=("keras",),
    produces="keras",
    apply=_apply,
    name=_name,
    options=(
        _RATIO,
        Option(
            id="mode",
            label="Selection",
            kind="choice",
            default="global",
            choices=("global", "local", *PATTERNS),
            help=(
                "Selects the weights of least magnitude across all kernels (each divided by its"
                " norm), within each kernel, or within every 4 or 8 neighbouring inputs (2:4 keeps"
                " two of four and ignores the sparsity setting). Only kernels of dense layers and"
                " convolutions are pruned; depthwise kernels, embeddings, recurrent layers and"
                " biases stay unchanged."
            ),
        ),
        KEEP,
        *TRAINING,
    ),
    toolchain="tensorflow",
    requires=("tensorflow", "keras"),
    trains=True,
    role="prune",
    presets=("full",),
    valid=lambda params: params["mode"] not in PATTERNS or params[RATIO.id] == _RATIO.default,
    typical_s=60.0,
)
