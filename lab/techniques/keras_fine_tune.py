"""Fine-tuning of a Keras model, which recovers accuracy lost to pruning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.finetuning.options import KEEP_ZEROS, TRAINING, fine_tune_name
from lab.plugs import Context, Technique


def apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    """Train a model's weights a little further without changing its layers."""
    from lab.finetuning.keras_loop import fit
    from lab.formats.keras.files import load_keras, save_keras

    model = load_keras(source)
    fit(model, context, params, after_step=_zeros_kept(model) if params["keep_zeros"] else None)
    return save_keras(model, context.workdir / "tuned.keras")


def _zeros_kept(model: Any) -> Callable[[int, int], None] | None:
    """Return a callback that keeps zero weights at zero, or None if there are none."""
    weights = [v for v in model.trainable_variables if len(v.shape) > 1]
    masks = [(v, (value != 0).astype("float32")) for v in weights if not (value := v.numpy()).all()]

    def mask(step: int, total: int) -> None:
        for variable, kept in masks:
            variable.assign(variable * kept)

    return mask if masks else None


TECHNIQUE = Technique(
    id="keras_fine_tune",
    title="Fine-tuning",
    help="Trains the model a little further to recover accuracy lost to pruning or another change.",
    accepts=("keras",),
    produces="keras",
    apply=apply,
    name=fine_tune_name,
    options=(KEEP_ZEROS, *TRAINING),
    toolchain="tensorflow",
    requires=("tensorflow", "keras"),
    trains=True,
    role="tune",
    composed=dict.fromkeys(("standard", "full"), ({"train_steps": 800, "distillation": 0.5},)),
    presets=("full",),
    typical_s=60.0,
    purposes={"fine_tuning": ""},
)
