"""Gradual pruning of PyTorch weights during training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.compress.choosing import KEEP, chosen_suffix
from lab.compress.naming import speaking_name
from lab.compress.sparsity import RAMP, RATIO, percent_word, share_after, share_at
from lab.finetuning.options import TRAINING, training_suffix
from lab.options import Option
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.torch.pruning import settle
    from lab.formats.quiet import quiet
    from lab.formats.torch_export.files import load_program, with_free_batch
    from lab.formats.torch_export.modules import as_modules, save_modules

    with quiet():
        program = with_free_batch(load_program(source))
        model = as_modules(program)
    train = _learnt if params["mode"] == "regularization" else _by_magnitude
    net = train(model, program, params, context)
    with quiet():
        settle(net, context)
        return save_modules(model, program, context.workdir / "model.pt2")


def _by_magnitude(model: Any, program: Any, params: Mapping[str, Any], context: Context) -> Any:
    """Train the model and return it with NNCF's masks, which are updated several times while their
    share of zeros grows.
    """
    from lab.compress.torch.pruning import masked, set_ratio
    from lab.finetuning.torch_loop import fit

    net = masked(model, program, params["mode"], 0.0, params[KEEP.id])

    def update(step: int, total: int) -> None:
        if (share := share_after(step, total)) is not None:
            set_ratio(net, params["mode"], share * params["ratio"])

    fit(net, context, params, after_step=update)
    set_ratio(net, params["mode"], params["ratio"])
    return net


def _learnt(model: Any, program: Any, params: Mapping[str, Any], context: Context) -> Any:
    """Train the model together with its masks, whose share of zeros follows a growing target, then
    train the model with fixed masks.
    """
    from lab.compress.torch.learned_masks import decide, learning
    from lab.finetuning.torch_loop import fit

    whole = learning(model, program, params[KEEP.id])
    steps = params["train_steps"]
    first = max(1, round(RAMP * steps))

    def update(step: int, total: int) -> None:
        whole.target.fill_(share_at(step / (RAMP * total)) * params["ratio"])

    fit(whole, context, _part(params, RAMP), phase="masks", after_step=update, steps=first)
    decide(whole.net, params["ratio"])
    if steps > first:
        fit(whole.net, context, _part(params, 1 - RAMP), phase="recovery", steps=steps - first)
    return whole.net


def _part(params: Mapping[str, Any], share: float) -> dict[str, Any]:
    """Return the training settings for a part of its steps."""
    return {**params, "train_seconds": params["train_seconds"] * share}


def _name(params: Mapping[str, Any]) -> str:
    mode = params["mode"] if params["mode"] != "global" else ""
    word = speaking_name(
        f"gradual{percent_word(params['ratio'])}", mode, f"s{params['train_steps']}"
    )
    return speaking_name(word + training_suffix(params), chosen_suffix(params))


TECHNIQUE = Technique(
    id="torch_gradual_pruning",
    title="Gradual weight pruning",
    help=(
        "Sets a growing share of the smallest weights to zero during training, so that the"
        " remaining weights can adapt. Zeros are stored like other values: the compressed download"
        " shrinks, but file size and latency do not."
    ),
    accepts=("torch_export",),
    produces="torch_export",
    apply=_apply,
    name=_name,
    options=(
        replace(RATIO, default=0.8),
        Option(
            id="mode",
            label="Selection",
            kind="choice",
            default="global",
            choices=("global", "local", "regularization"),
            help=(
                "Selects the weights of least magnitude across all layers or within each layer, or"
                " trains the masks with a loss term that drives the share of zeros towards the"
                " sparsity (regularization-based)."
            ),
        ),
        KEEP,
        *TRAINING,
    ),
    toolchain="torch",
    requires=("torch", "nncf"),
    trains=True,
    role="prune",
    presets=("full",),
    extra={"full": ({"mode": "regularization"},)},
    timeout_s=7200.0,
    typical_s=90.0,
)
