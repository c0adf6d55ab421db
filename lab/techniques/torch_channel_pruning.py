"""Structured pruning of PyTorch models: removes whole channels, attention heads and hidden widths,
so that tensors become smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.compress.channels import (
    IMPORTANCE,
    RATIO,
    ROUND_TO,
    SCOPE,
    STEPS,
    STEPS_BETWEEN,
    channels_name,
)
from lab.compress.choosing import KEEP, check_names
from lab.finetuning.options import TRAINING, training_suffix
from lab.options import Option
from lab.plugs import Context, Technique

if TYPE_CHECKING:
    from lab.compress.torch.channels.choosing import Aim
    from lab.compress.torch.channels.groups import ChannelGroup
    from lab.compress.torch.channels.pruning import Pruner

CHECK_ITEMS = 16


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.formats.quiet import quiet

    with quiet():
        return _prune(source, params, context)


def _prune(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.finetuning.torch_loop import fit
    from lab.formats.torch_export.files import load_program
    from lab.formats.torch_export.modules import as_modules, save_modules

    program = load_program(source)
    model = as_modules(program)
    pruner = _pruner(program, params, context)
    before = _checked_names(pruner, model, params)
    for step in range(1, params[STEPS.id] + 1):
        model = pruner.pruned(model, _aim(params, step / params[STEPS.id]))
        if step < params[STEPS.id]:
            fit(model, context, params, phase=f"step {step}", steps=params[STEPS_BETWEEN.id])
    file = save_modules(model, program, context.workdir / "model.pt2")
    _tell(pruner, before, model, context)
    _count(program, file, context)
    return file


def _pruner(program: Any, params: Mapping[str, Any], context: Context) -> Pruner:
    from lab.compress.torch.channels.pruning import Pruner
    from lab.formats.torch_export.feeding import calibration_batches
    from lab.formats.torch_export.files import fixed_batch

    batch = fixed_batch(program)
    items = list(
        calibration_batches(context.calibration(batch or CHECK_ITEMS), program, CHECK_ITEMS)
    )

    def rank(model: Any, groups: Sequence[ChannelGroup]) -> list[Any]:
        return _importances(model, groups, params, context, batch)

    return Pruner(items, rank, params[ATTENTION.id], params[KEEP.id])


def _importances(
    model: Any,
    groups: Sequence[ChannelGroup],
    params: Mapping[str, Any],
    context: Context,
    batch: int | None,
) -> list[Any]:
    """Compute the importance of each group; for the Taylor criterion, average over batches, because
    the gradients of a trained model cancel out over all items.
    """
    from lab.compress.torch.channels.choosing import importances
    from lab.finetuning.torch_gradients import gradients

    measure = params[IMPORTANCE.id]
    if measure != "taylor":
        return importances(model, groups, measure, params["train_seed"])
    each = [importances(model, groups, measure) for _ in gradients(model, context, batch)]
    return [sum(values) / len(each) for values in zip(*each, strict=True)]


def _aim(params: Mapping[str, Any], share: float) -> Aim:
    from lab.compress.torch.channels.choosing import Aim

    return Aim(params[RATIO.id] * share, params[SCOPE.id], params[ROUND_TO.id])


def _checked_names(pruner: Pruner, model: Any, params: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of output channels of each layer.

    Raises:
        InvalidOption: a pattern of `keep` matches no layer.
    """
    from lab.compress.torch.channels.pruning import widths

    channels = widths(pruner.dependencies_of(model)[0])
    check_names(KEEP.id, params[KEEP.id], channels)
    return channels


def _tell(pruner: Pruner, before: Mapping[str, int], model: Any, context: Context) -> None:
    from lab.compress.torch.channels.groups import protected_layers
    from lab.compress.torch.channels.pruning import reasons_in_words, widths

    dependencies, _ = pruner.dependencies_of(model)
    after = widths(dependencies)
    context.note(
        "channels",
        {layer: f"{after[layer]} of {n}" for layer, n in before.items() if after[layer] != n},
    )
    context.note("spared", reasons_in_words(protected_layers(dependencies)))


def _count(program: Any, file: Path, context: Context) -> None:
    from lab.formats.layers import total_macs
    from lab.formats.torch_export.files import load_program
    from lab.formats.torch_export.layers import layers_and_parameters

    tables = [[row for row, _ in layers_and_parameters(p)] for p in (program, load_program(file))]
    for name, (old, new) in {
        "parameters": [sum(row.parameters for row in table) for table in tables],
        "multiply-accumulates": [total_macs(table) or 0 for table in tables],
    }.items():
        context.note(name, f"{old:,} → {new:,} (÷ {old / max(new, 1):.2f})")


ATTENTION = Option(
    id="attention",
    label="Attention",
    kind="choice",
    default="heads",
    choices=("heads", "head_size", "spare"),
    help=(
        "Removes whole attention heads of Transformers, makes each head smaller, or leaves"
        " attention unchanged."
    ),
)


def _name(params: Mapping[str, Any]) -> str:
    attention = params[ATTENTION.id] if params[ATTENTION.id] != ATTENTION.default else ""
    return channels_name(params, attention, training_suffix(params))


TECHNIQUE = Technique(
    id="torch_channel_pruning",
    title="Channel pruning",
    help=(
        "Removes the least important channels, attention heads and hidden widths from every layer."
        " The tensors become smaller, and so do file, latency and memory. Accuracy drops"
        " considerably until the model is fine-tuned."
    ),
    accepts=("torch_export",),
    produces="torch_export",
    apply=_apply,
    name=_name,
    options=(
        RATIO,
        IMPORTANCE,
        SCOPE,
        STEPS,
        STEPS_BETWEEN,
        ROUND_TO,
        ATTENTION,
        KEEP,
        *TRAINING[1:],
    ),
    toolchain="torch",
    requires=("torch", "torch-pruning"),
    trains=True,
    role="prune",
    composed={
        "standard": ({"ratio": 0.4, "round_to": 16}, {"ratio": 0.5}),
        "full": ({"ratio": 0.25}, {"ratio": 0.4, "round_to": 16}, {"ratio": 0.5}),
    },
    presets=("full",),
    valid=lambda params: params[STEPS.id] > 1 or params[STEPS_BETWEEN.id] == STEPS_BETWEEN.default,
    extra={
        "full": (
            {"importance": "taylor"},
            {"importance": "random"},
            {"scope": "global"},
            {"steps": 4},
        )
    },
    typical_s=8.0,
    purposes={"channel_pruning": ""},
)
