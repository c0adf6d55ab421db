"""Magnitude pruning of Keras weights, unstructured or N:M."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.choosing import KEEP, chosen_suffix
from lab.compress.naming import speaking_name
from lab.compress.sparsity import PATTERNS, RATIO, sparse_word
from lab.options import Option
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.keras.graph import rebuilt
    from lab.compress.keras.sparsity import Pruner
    from lab.formats.keras.files import load_keras, save_keras

    model = rebuilt(load_keras(source))
    pruner = Pruner(model, params["mode"], params[RATIO.id], params[KEEP.id])
    pruner.prune()
    pruner.note(context)
    return save_keras(model, context.workdir / "pruned.keras")


TECHNIQUE = Technique(
    id="keras_weight_pruning",
    title="Weight pruning",
    help=(
        "Sets the weights of least magnitude to zero. Zeros are stored like other values: the"
        " compressed download shrinks, but file size and latency do not."
    ),
    accepts=("keras",),
    produces="keras",
    apply=_apply,
    name=lambda params: speaking_name(
        sparse_word(params["mode"], params[RATIO.id]), chosen_suffix(params)
    ),
    options=(
        RATIO,
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
            sweep={"full": ("global", "2:4")},
        ),
        KEEP,
    ),
    toolchain="tensorflow",
    requires=("tensorflow", "keras"),
    role="prune",
    presets=("full",),
    valid=lambda params: params["mode"] not in PATTERNS or params[RATIO.id] == RATIO.default,
    extra={"full": ({"ratio": 0.8}, {"ratio": 0.9})},
    typical_s=8.0,
    purposes={"weight_pruning": ""},
)
