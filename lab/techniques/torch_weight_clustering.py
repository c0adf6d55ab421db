"""Weight clustering of PyTorch models (k-means)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.choosing import KEEP
from lab.compress.clustering import CLUSTERING, HELP, STUDY, clustered, clusters_name, noted
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    import torch

    from lab.compress.torch.folding import fold_modules
    from lab.compress.torch.weighted import weighted_layers
    from lab.formats.quiet import quiet
    from lab.formats.torch_export.files import load_program
    from lab.formats.torch_export.modules import as_modules, save_modules

    with quiet():
        program = load_program(source)
        model = fold_modules(as_modules(program))
        layers = weighted_layers(model, params[KEEP.id])
        before = {name: module.weight.detach().numpy().copy() for name, module in layers.items()}
        after = {
            name: clustered(w, params["clusters"], params["scope"]) for name, w in before.items()
        }
        with torch.no_grad():
            for name, module in layers.items():
                module.weight.copy_(torch.from_numpy(after[name]))
        context.note("clustering", noted(before, after))
        return save_modules(model, program, context.workdir / "model.pt2")


TECHNIQUE = Technique(
    id="torch_weight_clustering",
    title="Weight clustering",
    help=HELP,
    accepts=("torch_export",),
    produces="torch_export",
    apply=_apply,
    name=clusters_name,
    options=CLUSTERING,
    toolchain="torch",
    requires=("torch",),
    presets=("full",),
    extra={"full": STUDY},
    typical_s=5.0,
)
