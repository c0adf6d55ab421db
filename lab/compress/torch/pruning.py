"""Weight pruning of a PyTorch model: NNCF's magnitude pruning, and N:M sparsity."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lab.compress.sparsity import PATTERNS, counted, pattern_mask
from lab.compress.torch.weighted import weighted_layers
from lab.errors import InvalidFile
from lab.formats.torch_export.modules import plain_module
from lab.plugs import Context

_INPUTS = 1
"""Axis of a weight, (outputs, inputs, …), that holds a layer's inputs."""


def masked(model: Any, program: Any, mode: str, ratio: float | None, keep: Collection[str]) -> Any:
    """Return a module around the model in which NNCF multiplies weights by masks.

    Args:
        mode: "global" (over all layers, each weight divided by the norm of its layer), "local" (in
            each layer) or "regularization" (trained masks).
        ratio: share of zeros; None for "regularization".
        keep: layers without masks.
    """
    import nncf

    from lab.formats.torch_export.files import example, fixed_batch

    layers = weighted_layers(model, keep)
    if not layers:
        raise nothing_to_prune()
    spared = [f"model.{name}.weight" for name in weighted_layers(model) if name not in layers]
    scope = nncf.IgnoredScope(names=spared) if spared else None
    return nncf.prune(
        plain_module(model),
        modes()[mode],
        ratio=ratio,
        ignored_scope=scope,
        examples_inputs=example(program, fixed_batch(program) or 2),
    )


def modes() -> dict[str, Any]:
    """Return mode of this lab -> mode of NNCF."""
    from nncf import PruneMode

    return {
        "global": PruneMode.UNSTRUCTURED_MAGNITUDE_GLOBAL,
        "local": PruneMode.UNSTRUCTURED_MAGNITUDE_LOCAL,
        "regularization": PruneMode.UNSTRUCTURED_REGULARIZATION_BASED,
    }


def set_ratio(net: Any, mode: str, ratio: float) -> None:
    """Choose the zeros of a module of `masked` again: "global" or "local"."""
    import torch
    from nncf.torch.function_hook.pruning.magnitude.algo import update_pruning_ratio

    moved = any(not weight.is_contiguous() for weight in net.parameters())
    net.to(
        memory_format=torch.contiguous_format
    )  # NNCF reads weights as a row; training lays images' channels last
    update_pruning_ratio(net, modes()[mode], ratio)
    if moved:
        net.to(memory_format=torch.channels_last)


def settle(net: Any, context: Context) -> None:
    """Write the masks of a module of `masked` into its weights, remove the masks, and note the
    number of zeros.
    """
    import nncf

    statistics = nncf.pruning_statistic(net).pruned_tensors
    nncf.strip(net, do_copy=False, strip_format=nncf.StripFormat.IN_PLACE)
    tensors = dict(net.named_parameters())
    note(
        context, {t.tensor_name.removeprefix("model."): tensors[t.tensor_name] for t in statistics}
    )


def prune_pattern(model: Any, pattern: str, keep: Collection[str], context: Context) -> None:
    """Keep N of M neighbouring inputs of each output, in place; layers whose number of inputs M
    does not divide stay dense and are noted.
    """
    import torch

    stay, of = PATTERNS[pattern]
    layers = weighted_layers(model, keep)
    fitting = {
        name: m.weight
        for name, m in layers.items()
        if not _is_embedding(m) and m.weight.shape[_INPUTS] % of == 0
    }
    if not fitting:
        raise nothing_to_prune(
            f"layers whose number of inputs (in each group of channels) {of} divides"
        )
    for weight in fitting.values():
        mask = pattern_mask(weight.detach().numpy(), stay, of, _INPUTS)
        with torch.no_grad():
            weight.mul_(torch.from_numpy(mask))
    if left := [name for name in layers if name not in fitting]:
        context.note(
            "left dense",
            f"{', '.join(left)}: {of} does not divide their inputs, or they are embeddings",
        )
    note(context, {f"{name}.weight": weight for name, weight in fitting.items()})


def _is_embedding(module: Any) -> bool:
    import torch

    return isinstance(module, torch.nn.Embedding)


def note(context: Context, pruned: dict[str, Any]) -> None:
    """Note the number of zeros in the pruned tensors, and turn -0 of a masked weight into 0: one
    value compresses better.
    """
    import torch

    with torch.no_grad():
        for tensor in pruned.values():
            tensor.add_(0.0)
    zeros = {name: int((tensor == 0).sum()) for name, tensor in sorted(pruned.items())}
    context.note("pruning", counted(zeros, {name: pruned[name].numel() for name in zeros}))


def nothing_to_prune(allowed: str = "convolutions, dense layers and embeddings") -> InvalidFile:
    """Return the error for a model without a layer that can be pruned, or for options that exclude
    all.
    """
    return InvalidFile(
        "No layer is left to prune",
        allowed=allowed,
        remedy="Spare fewer layers, or choose another mode",
    )
