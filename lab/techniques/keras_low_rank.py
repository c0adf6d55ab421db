"""Low-rank factorization of Keras layers (singular value decomposition)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.low_rank import HELP, LOW_RANK, STUDY, low_rank_name
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.keras.low_rank import factorize
    from lab.formats.keras.files import load_keras, save_keras
    from lab.formats.quiet import quiet

    with quiet():
        model = factorize(load_keras(source), params, context)
        return save_keras(model, context.workdir / "model.keras")


TECHNIQUE = Technique(
    id="keras_low_rank",
    title="Low rank",
    help=HELP,
    accepts=("keras",),
    produces="keras",
    apply=_apply,
    name=low_rank_name,
    options=LOW_RANK,
    toolchain="tensorflow",
    requires=("tensorflow", "keras"),
    role="prune",
    presets=("full",),
    extra={"full": STUDY},
    typical_s=3.0,
)
