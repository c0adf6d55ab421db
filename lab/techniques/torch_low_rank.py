"""Low-rank factorization of PyTorch layers (singular value decomposition)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.low_rank import HELP, LOW_RANK, STUDY, low_rank_name
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.torch.low_rank import factorize
    from lab.formats.quiet import quiet
    from lab.formats.torch_export.files import load_program
    from lab.formats.torch_export.modules import as_modules, save_modules

    with quiet():
        program = load_program(source)
        model = as_modules(program)
        factorize(model, params, context)
        return save_modules(model, program, context.workdir / "model.pt2")


TECHNIQUE = Technique(
    id="torch_low_rank",
    title="Low rank",
    help=HELP,
    accepts=("torch_export",),
    produces="torch_export",
    apply=_apply,
    name=low_rank_name,
    options=LOW_RANK,
    toolchain="torch",
    requires=("torch",),
    role="prune",
    presets=("full",),
    extra={"full": STUDY},
    typical_s=5.0,
)
