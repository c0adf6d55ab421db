"""Rules for layers with weights and for normalizations; see
`lab.compress.torch.channels.dependencies`.
"""

from __future__ import annotations

from typing import Any

from lab.compress.torch.channels.groups import IN, NORM, OUT
from lab.compress.torch.channels.node_run import NodeRun, Rule, coupled_elementwise, input_ids


def _layer(run: NodeRun) -> tuple[Any, str, Any]:
    """Return the module, its name, and the channel ids of its input."""
    return (
        run.model.get_submodule(run.node.target),
        run.node.target,
        run.ids_of(run.node.args[0]),
    )


def _linear(run: NodeRun) -> Any:
    module, name, x = _layer(run)
    return run.spread_along(
        _output_ids(run, module.out_features, name, run.ids_along(x, -1, _MIXES.format(name))), -1
    )


def _convolution(run: NodeRun) -> Any:
    module, name, x = _layer(run)
    ids = run.ids_along(x, 1, _MIXES.format(name))
    if module.groups == 1:
        return run.spread_along(_output_ids(run, module.out_channels, name, ids), 1)
    return run.spread_along(_grouped_output_ids(run, module, name, ids), 1)


def _output_ids(run: NodeRun, n: int, name: str, ids: Any) -> Any:
    """Return the ids of a layer's n output channels, the same in each call of the layer."""
    run.dependencies.couple_axis((name, IN), ids, f"{name} reads channels there that must stay")
    if (name, OUT) not in run.dependencies.axes:
        run.dependencies.axes[name, OUT] = run.dependencies.ids.new(n)
    return run.dependencies.axis_ids((name, OUT))


def _grouped_output_ids(run: NodeRun, module: Any, name: str, ids: Any) -> Any:
    """Couple inputs and outputs of a depthwise convolution; groups of any other convolution lose
    channels at the same positions.
    """
    out, couple = _output_ids(run, module.out_channels, name, ids), run.dependencies.ids.couple
    if module.groups == module.in_channels:
        each = module.out_channels // module.groups
        couple(
            out,
            run.dependencies.axis_ids((name, IN)).repeat_interleave(each),
            f"{name} makes them of channels that must stay",
        )
    else:
        for channel_ids in (out, run.dependencies.axis_ids((name, IN))):
            rows = channel_ids.reshape(module.groups, -1)
            couple(rows, rows[:1].expand(rows.shape), f"{name} reads other groups that must stay")
    return run.dependencies.axis_ids((name, OUT))


def _batch_norm(run: NodeRun) -> Any:
    _, name, x = _layer(run)
    ids = run.ids_along(x, 1, f"{name} normalises another axis")
    return run.spread_along(
        run.dependencies.couple_axis(
            (name, NORM), ids, f"{name} normalises channels that must stay"
        ),
        1,
    )


def _layer_norm(run: NodeRun) -> Any:
    module, name, x = _layer(run)
    others = range(x.dim() - len(module.normalized_shape))
    return run.protect_unless_along(
        x,
        others,
        f"{name} normalises over all of them: without some, it would make other numbers of the"
        " rest",
    )


def _embedding(run: NodeRun) -> Any:
    module, name, _ = _layer(run)
    if (name, OUT) not in run.dependencies.axes:
        run.dependencies.axes[name, OUT] = run.dependencies.ids.new(module.embedding_dim)
    return run.spread_along(run.dependencies.axis_ids((name, OUT)), -1)


def _dropout(run: NodeRun) -> Any:
    return coupled_elementwise(run, input_ids(run), run.output.shape)


_MIXES = "{} reads them along several axes"
LAYERS: dict[str, Rule] = {
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), _convolution),
    "Linear": _linear,
    "Embedding": _embedding,
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), _batch_norm),
    "LayerNorm": _layer_norm,
    **dict.fromkeys(("Dropout", "Dropout2d", "AlphaDropout"), _dropout),
}
