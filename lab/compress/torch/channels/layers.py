"""What layers with weights and normalisations do with the units of channels; see
`lab.compress.torch.channels.dependencies`.
"""

from __future__ import annotations

from typing import Any

from lab.compress.torch.channels.dependencies import IN, NORM, OUT
from lab.compress.torch.channels.step import Rule, Step, inputs, met


def _layer(step: Step) -> tuple[Any, str, Any]:
    """The module, its name, and the units that it reads."""
    return (
        step.model.get_submodule(step.node.target),
        step.node.target,
        step.units(step.node.args[0]),
    )


def _linear(step: Step) -> Any:
    module, name, x = _layer(step)
    return step.along(
        _weighed(step, module.out_features, name, step.vector(x, -1, _MIXES.format(name))), -1
    )


def _convolution(step: Step) -> Any:
    module, name, x = _layer(step)
    vector = step.vector(x, 1, _MIXES.format(name))
    if module.groups == 1:
        return step.along(_weighed(step, module.out_channels, name, vector), 1)
    return step.along(_grouped(step, module, name, vector), 1)


def _weighed(step: Step, n: int, name: str, vector: Any) -> Any:
    """Units of n channels that a layer makes of those that it reads, the same ones in each of its
    calls.
    """
    step.channels.meet((name, IN), vector, f"{name} reads channels there that must stay")
    if (name, OUT) not in step.channels.places:
        step.channels.places[name, OUT] = step.channels.units.fresh(n)
    return step.channels.at((name, OUT))


def _grouped(step: Step, module: Any, name: str, vector: Any) -> Any:
    """A depthwise convolution makes an output of each input; other groups lose their channels at
    the same places.
    """
    out, join = _weighed(step, module.out_channels, name, vector), step.channels.units.join
    if module.groups == module.in_channels:
        each = module.out_channels // module.groups
        join(
            out,
            step.channels.at((name, IN)).repeat_interleave(each),
            f"{name} makes them of channels that must stay",
        )
    else:
        for labels in (out, step.channels.at((name, IN))):
            rows = labels.reshape(module.groups, -1)
            join(rows, rows[:1].expand(rows.shape), f"{name} reads other groups that must stay")
    return step.channels.at((name, OUT))


def _batch_norm(step: Step) -> Any:
    _, name, x = _layer(step)
    vector = step.vector(x, 1, f"{name} normalises another axis")
    return step.along(
        step.channels.meet((name, NORM), vector, f"{name} normalises channels that must stay"), 1
    )


def _layer_norm(step: Step) -> Any:
    module, name, x = _layer(step)
    others = range(x.dim() - len(module.normalized_shape))
    return step.only_along(
        x,
        others,
        f"{name} normalises over all of them: without some, it would make other numbers of the"
        " rest",
    )


def _embedding(step: Step) -> Any:
    module, name, _ = _layer(step)
    if (name, OUT) not in step.channels.places:
        step.channels.places[name, OUT] = step.channels.units.fresh(module.embedding_dim)
    return step.along(step.channels.at((name, OUT)), -1)


def _dropout(step: Step) -> Any:
    return met(step, inputs(step), step.made.shape)


_MIXES = "{} reads them along several axes"
LAYERS: dict[str, Rule] = {
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), _convolution),
    "Linear": _linear,
    "Embedding": _embedding,
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), _batch_norm),
    "LayerNorm": _layer_norm,
    **dict.fromkeys(("Dropout", "Dropout2d", "AlphaDropout"), _dropout),
}
