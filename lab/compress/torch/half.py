"""Conversion of a graph of torch's functions to 16-bit floats: weights, activations, and types
named in the graph.
"""

from __future__ import annotations

from typing import Any


def in_half(model: Any, dtype: str) -> Any:
    """Convert the GraphModule of `as_functions` in place; its input and output stay in 32 bits.

    Args:
        dtype: "float16" or "bfloat16".
    """
    import torch

    half = getattr(torch, dtype)
    for node in list(model.graph.nodes):
        if node.op == "placeholder" and node.meta["val"].dtype.is_floating_point:
            _cast(model.graph, node, list(node.users), half)
        elif node.op == "output":
            _cast(model.graph, node.args[0], [node], torch.float32)
        else:
            node.args, node.kwargs = _named(node.args, half), _named(node.kwargs, half)
    model.recompile()
    return model.to(half)


def _cast(graph: Any, node: Any, readers: list[Any], dtype: Any) -> None:
    with graph.inserting_after(node):
        cast = graph.call_method("to", (node, dtype))
    for reader in readers:
        reader.replace_input_with(node, cast)


def _named(value: Any, half: Any) -> Any:
    """Replace the 32-bit float types among an operation's arguments."""
    import torch
    from torch.fx.node import map_aggregate

    return map_aggregate(value, lambda v: half if v is torch.float32 else v)
