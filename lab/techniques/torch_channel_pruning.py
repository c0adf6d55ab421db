"""PyTorch channel pruning: whole channels, attention heads and hidden widths go, and tensors really become smaller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.finetuning.options import TRAINING
from lab.formats.choosing import KEEP, check_names, chosen_suffix
from lab.formats.naming import speaking_name
from lab.options import Option
from lab.plugs import Context, Technique

if TYPE_CHECKING:
    from lab.formats.torch_channels import Group
    from lab.formats.torch_channels_choosing import Aim
    from lab.formats.torch_channels_pruning import Pruner

CHECK_ITEMS = 16
_DEFAULTS = {option.id: option.default for option in TRAINING}


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.formats.quiet import quiet

    with quiet():
        return _prune(source, params, context)


def _prune(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.finetuning.torch_loop import fit
    from lab.formats.torch_files import load_program
    from lab.formats.torch_modules import as_modules, save_modules

    program = load_program(source)
    model = as_modules(program)
    pruner = _pruner(program, params, context)
    before = _checked_names(pruner, model, params)
    for step in range(1, params["steps"] + 1):
        if step > 1 and params["steps_between"]:
            fit(model, context, _DEFAULTS, phase=f"pruning{step - 1}", steps=params["steps_between"])
        model = pruner.pruned(model, _aim(params, step))
    file = save_modules(model, program, context.workdir / "model.pt2")
    _tell(pruner, before, model, context)
    _count(program, file, context)
    return file


def _pruner(program: Any, params: Mapping[str, Any], context: Context) -> Pruner:
    from lab.formats.torch_channels_pruning import Pruner
    from lab.formats.torch_feeding import calibration_batches
    from lab.formats.torch_files import fixed_batch

    batch = fixed_batch(program)
    items = list(calibration_batches(context.calibration(batch or CHECK_ITEMS), program, CHECK_ITEMS))

    def rank(model: Any, groups: Sequence[Group]) -> list[Any]:
        return _importance(model, groups, params["importance"], context, batch)

    return Pruner(items, rank, params["attention"], params[KEEP.id])


def _importance(model: Any, groups: Sequence[Group], measure: str, context: Context, batch: int | None) -> list[Any]:
    """For Taylor's expansion the mean over batches: over all at once, gradients of a trained model cancel out."""
    from lab.finetuning.torch_gradients import gradients
    from lab.formats.torch_channels_choosing import importances

    if measure != "taylor":
        return importances(model, groups, measure)
    each = [importances(model, groups, measure) for _ in gradients(model, context, batch)]
    return [sum(values) / len(each) for values in zip(*each, strict=True)]


def _aim(params: Mapping[str, Any], step: int) -> Aim:
    from lab.formats.torch_channels_choosing import Aim

    return Aim(params["ratio"] * step / params["steps"], params["scope"] == "global", params["round_to"])


def _checked_names(pruner: Pruner, model: Any, params: Mapping[str, Any]) -> dict[str, int]:
    """How many channels each layer makes; raises InvalidOption where `keep` names none of them."""
    from lab.formats.torch_channels_pruning import widths

    found = widths(pruner.looked_at(model)[0])
    check_names(KEEP.id, params[KEEP.id], found)
    return found


def _tell(pruner: Pruner, before: Mapping[str, int], model: Any, context: Context) -> None:
    from lab.formats.torch_channels import spared
    from lab.formats.torch_channels_pruning import in_words, reasons_in_words, widths

    channels, _ = pruner.looked_at(model)
    context.note("channels", in_words(before, widths(channels)))
    context.note("layers not pruned", reasons_in_words(spared(channels)))


def _count(program: Any, file: Path, context: Context) -> None:
    from lab.formats.layers import total_macs
    from lab.formats.layers_torch import layers_and_parameters
    from lab.formats.torch_files import load_program

    tables = [[row for row, _ in layers_and_parameters(p)] for p in (program, load_program(file))]
    for name, (old, new) in {
        "parameters": [sum(row.parameters for row in table) for table in tables],
        "multiply-accumulates": [total_macs(table) or 0 for table in tables],
    }.items():
        context.note(name, f"{old:,} → {new:,} (÷ {old / max(new, 1):.2f})")


def _name(params: Mapping[str, Any]) -> str:
    steps, between = params["steps"], params["steps_between"]
    return speaking_name(
        f"channels{100 * params['ratio']:g}",
        params["importance"],
        "global" if params["scope"] == "global" else "",
        f"{steps}steps{between}" if steps > 1 else "",
        f"round{params['round_to']}" if params["round_to"] != ROUND.default else "",
        params["attention"] if params["attention"] != ATTENTION.default else "",
        chosen_suffix(params),
    )


RATIO = Option(
    id="ratio", label="Channels removed", kind="float", default=0.5, low=0.0, high=0.95,
    help="Which share of the channels goes. Half of the channels is about three quarters of the weights and of the computation.",
    sweep={"full": (0.25, 0.5, 0.7)},
)  # fmt: skip
IMPORTANCE = Option(
    id="importance", label="Importance", kind="choice", default="l1", choices=("l1", "l2", "bn_scale", "taylor", "random"),
    help=(
        "How channels are ranked: by the sum of their weights' magnitudes or of their squares, by the scale that batch "
        "normalisation gives them, by how much the loss would change (first-order Taylor expansion on 512 training items, "
        "Molchanov et al. 2019), or by chance, to see what ranking is worth."
    ),
)  # fmt: skip
SCOPE = Option(
    id="scope", label="Ranked", kind="choice", default="per_layer", choices=("per_layer", "global"),
    help="Take the same share of each layer, or rank the channels of all layers together and leave a tenth of each at least.",
)  # fmt: skip
STEPS = Option(
    id="steps", label="Pruning steps", kind="int", default=1, low=1, high=20,
    help="In how many steps channels go, the same share each time; importance is looked at anew in each.",
)  # fmt: skip
BETWEEN = Option(
    id="steps_between", label="Training between steps", kind="int", default=100, low=0, high=100_000,
    help="How many batches are learnt from between two pruning steps; after the last one, fine-tuning is a step of its own.",
)  # fmt: skip
ROUND = Option(
    id="round_to", label="Multiple of channels", kind="int", default=8, low=1, high=128,
    help=(
        "What a layer keeps is rounded to a multiple of this: kernels compute 8 or 16 channels at once, and what does not "
        "fill a block costs as much as a full one."
    ),
)  # fmt: skip
ATTENTION = Option(
    id="attention", label="Attention", kind="choice", default="heads", choices=("heads", "head_size", "spare"),
    help="In Transformers, remove whole attention heads, make each head smaller, or leave attention alone.",
)  # fmt: skip
SPARED = Option(
    id=KEEP.id, label=KEEP.label, kind="names", default=(),
    help="Layers whose output channels all stay, because they cost more accuracy than their size is worth.",
)  # fmt: skip

TECHNIQUE = Technique(
    id="torch_channel_pruning",
    title="Channel pruning",
    help=(
        "Removes whole channels, attention heads and hidden widths that matter least, so that file, memory and time all "
        "shrink. Accuracy falls a lot until the model is fine-tuned."
    ),
    accepts=("torch_export",),
    produces="torch_export",
    apply=_apply,
    name=_name,
    options=(RATIO, IMPORTANCE, SCOPE, STEPS, BETWEEN, ROUND, ATTENTION, SPARED),
    toolchain="torch",
    requires=("torch", "torch-pruning"),
    trains=True,
    role="prune",
    presets=("full",),
    valid=lambda params: params["steps"] > 1 or params["steps_between"] == BETWEEN.default,
    extra={"full": ({"importance": "taylor"}, {"importance": "random"}, {"scope": "global"}, {"steps": 4})},
    typical_s=8.0,
)
