"""Fine-tuning of a PyTorch model, which recovers accuracy lost to pruning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.finetuning.options import KEEP_ZEROS, TRAINING, fine_tune_name
from lab.plugs import Context, Technique


def apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    """Train a program's weights a little further without changing its graph."""
    from lab.finetuning.torch_loop import fit
    from lab.formats.torch_export.files import load_program, with_free_batch
    from lab.formats.torch_export.modules import as_modules, save_modules

    program = with_free_batch(load_program(source))
    model = as_modules(program)
    fit(model, context, params, after_step=_zeros_kept(model) if params["keep_zeros"] else None)
    return save_modules(model, program, context.workdir / "tuned.pt2")


def _zeros_kept(model: Any) -> Callable[[int, int], None] | None:
    """Return a callback that keeps zero weights at zero, or None if there are none."""
    masks = [
        (p, p.detach() != 0) for p in model.parameters() if p.ndim > 1 and bool((p == 0).any())
    ]

    def mask(step: int, total: int) -> None:
        for parameter, kept in masks:
            parameter.data.mul_(kept)

    return mask if masks else None


TECHNIQUE = Technique(
    id="torch_fine_tune",
    title="Fine-tuning",
    help="Trains the model a little further to recover accuracy lost to pruning or another change.",
    accepts=("torch_export",),
    produces="torch_export",
    apply=apply,
    name=fine_tune_name,
    options=(KEEP_ZEROS, *TRAINING),
    toolchain="torch",
    requires=("torch",),
    trains=True,
    role="tune",
    composed=dict.fromkeys(("standard", "full"), ({"train_steps": 800, "distillation": 0.5},)),
    presets=("full",),
    typical_s=60.0,
    purposes={"fine_tuning": ""},
)
