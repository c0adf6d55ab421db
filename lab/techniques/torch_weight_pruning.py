"""Magnitude pruning of PyTorch weights, unstructured or N:M."""

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
    from lab.compress.torch.pruning import masked, prune_pattern, settle
    from lab.formats.quiet import quiet
    from lab.formats.torch_export.files import load_program
    from lab.formats.torch_export.modules import as_modules, save_modules

    with quiet():
        program = load_program(source)
        model = as_modules(program)
        if params["mode"] in PATTERNS:
            prune_pattern(model, params["mode"], params[KEEP.id], context)
        else:
            settle(
                masked(model, program, params["mode"], params["ratio"], params[KEEP.id]), context
            )
        return save_modules(model, program, context.workdir / "model.pt2")


def _name(params: Mapping[str, Any]) -> str:
    return speaking_name(sparse_word(params["mode"], params["ratio"]), chosen_suffix(params))


TECHNIQUE = Technique(
    id="torch_weight_pruning",
    title="Weight pruning",
    help=(
        "Sets the weights of least magnitude to zero. Zeros are stored like other values: the"
        " compressed download shrinks, but file size and latency do not."
    ),
    accepts=("torch_export",),
    produces="torch_export",
    apply=_apply,
    name=_name,
    options=(
        RATIO,
        Option(
            id="mode",
            label="Selection",
            kind="choice",
            default="global",
            choices=("global", "local", *PATTERNS),
            help=(
                "Selects the weights of least magnitude across all layers (each divided by its"
                " layer's norm), within each layer, or within every 4 or 8 neighbouring inputs (2:4"
                " keeps two of four and ignores the sparsity setting). Some GPUs have instructions"
                " for these patterns."
            ),
            sweep={"full": ("global", "2:4")},
        ),
        KEEP,
    ),
    toolchain="torch",
    requires=("torch", "nncf"),
    role="prune",
    presets=("full",),
    valid=lambda params: params["mode"] not in PATTERNS or params["ratio"] == RATIO.default,
    extra={"full": ({"ratio": 0.8}, {"ratio": 0.9})},
    typical_s=6.0,
    purposes={"weight_pruning": ""},
)
