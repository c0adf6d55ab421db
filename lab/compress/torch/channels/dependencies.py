"""Tracing of a network: which channels depend on each other and can only be removed together.

The network is run once on an example. Beside each tensor lies another of the same shape with the
channel id of each element; 0 marks channels that must stay. A layer with weights gives its outputs
new ids, operators that only move elements move the ids along, and where two tensors are combined
element by element, their ids are coupled. So reshapes, splits, gates and shared layers need no
rules of their own, where tracing the backward pass (torch-pruning) has to guess.
"""

from __future__ import annotations

from typing import Any

from lab.compress.torch.channels.groups import Dependencies
from lab.compress.torch.channels.rules import ids_of_output


def trace(model: Any, x: Any, attention: str) -> Dependencies:
    """Run a model of modules (see `lab.formats.torch_export.modules`) and return the dependencies
    of its channels.

    Args:
        model: GraphModule; it is not changed.
        x: example input.
        attention: see `Dependencies`.
    """
    import torch

    dependencies = Dependencies(attention)

    class Follower(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, n: Any) -> Any:
            output = super().run_node(n)
            dependencies.outputs[n.name] = ids_of_output(
                n, output, self.env, dependencies, self.module
            )
            return output

    with torch.no_grad():
        Follower(model, garbage_collect_values=False).run(x)
    return dependencies
