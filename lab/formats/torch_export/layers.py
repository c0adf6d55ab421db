"""The layer table of a torch.export program: it is run on one item, node by node, with the
multiplications counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab.formats.torch_export.files import example, fixed_batch, load_program
from lab.types import Layer

_COMPANIONS = {"relu", "hardtanh", "batch_norm"}


@dataclass(frozen=True)
class _Step:
    """One node as it ran.

    Attributes:
        shape, size: of the (first) tensor that it made, and the tensor's bytes.
        silent: it made none, or one that lies where another one does: a view.
        stores: names of the parameters that it reads.
    """

    node: Any
    shape: tuple[int, ...]
    size: int
    silent: bool
    macs: int
    stores: tuple[str, ...]


def layers(path: Path) -> list[Layer]:
    """See `lab.formats.layers.layer_table`; an input is named by its row's number."""
    return [row for row, _ in layers_and_parameters(load_program(path))]


def layers_and_parameters(program: Any) -> list[tuple[Layer, tuple[str, ...]]]:
    """Each row of the table with the names of the parameters that it is the first to read."""
    rows, _, stores = _table(program)
    return list(zip(rows, stores, strict=True))


def layer_of_node(program: Any) -> dict[str, str]:
    """Name of a node in `program.module()` -> name of its row in the layer table; a view has its
    input's row.
    """
    from lab.formats.layers import unique_names

    rows, row_of, _ = _table(program)
    names = unique_names(rows)
    return {node.name: names[row] for node, row in row_of.items()}


def leader_of_layer(program: Any, layer_of: Mapping[str, str]) -> dict[str, str]:
    """Layer -> the layer that is quantized with it: an activation or a batch normalisation goes
    with what comes before it.

    Args:
        layer_of: see `layer_of_node`.
    """
    leader = {name: name for name in layer_of.values()}
    for node in program.module(check_guards=False).graph.nodes:
        if str(node.target).removeprefix("aten.").partition(".")[0].rstrip("_") in _COMPANIONS:
            before = layer_of.get(node.args[0].name)
            if before and node.name in layer_of:
                leader[layer_of[node.name]] = leader[before]
    return leader


def _table(program: Any) -> tuple[list[Layer], dict[Any, int], list[tuple[str, ...]]]:
    """The rows, node -> index of its row, and for each row the parameters that no row before it
    reads.
    """
    batch = fixed_batch(program) or 1
    steps = _run(program, batch)
    leaves = _leaves(steps)
    sizes = {name: program.state_dict[name].numel() for name in program.graph_signature.parameters}
    rows: list[Layer] = []
    stores: list[tuple[str, ...]] = []
    row_of: dict[Any, int] = {}
    before = ""
    for step in steps:
        sources = list(dict.fromkeys(row_of[n] for n in step.node.all_input_nodes if n in row_of))
        fresh = tuple(name for name in dict.fromkeys(step.stores) if name in sizes)
        row = _row(step, leaves, sources, sum(sizes.pop(name) for name in fresh), batch)
        call = _module(step.node)[0] if row.name in leaves else ""
        if call and call == before:
            rows[-1] = _joined(rows[-1], row, len(rows) - 1, step.silent)
            stores[-1] += fresh
            row_of[step.node] = len(rows) - 1
        elif row.parameters or row.macs or not step.silent:
            rows.append(row)
            stores.append(fresh)
            row_of[step.node], before = len(rows) - 1, call
        elif sources:
            row_of[step.node] = sources[0]
    return rows, row_of, stores


def _run(program: Any, batch: int) -> list[_Step]:
    """Each operation as it ran, in the order of the graph."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    steps: list[_Step] = []
    parameters = set(program.graph_signature.parameters)

    class Recorder(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, n: Any) -> Any:
            with FlopCounterMode(display=False) as counter:
                made = super().run_node(n)
            if n.op not in ("get_attr", "placeholder", "output"):
                stores = tuple(
                    i.target
                    for i in n.all_input_nodes
                    if i.op == "get_attr" and i.target in parameters
                )
                read = [self.env[i] for i in n.all_input_nodes]
                steps.append(_step(n, made, read, counter.get_total_flops() // 2, stores))
            return made

    with (
        torch.no_grad(),
        torch.backends.mkldnn.flags(enabled=False),
    ):  # mkldnn's fused operators are not counted
        Recorder(program.module(check_guards=False), garbage_collect_values=False).run(
            example(program, batch)
        )
    return steps


def _step(node: Any, made: Any, read: list[Any], macs: int, stores: tuple[str, ...]) -> _Step:
    first = next(_tensors(made), None)
    if first is None:
        return _Step(node, (), 0, True, macs, stores)
    taken = {t.untyped_storage().data_ptr() for value in read for t in _tensors(value)}
    silent = first.untyped_storage().data_ptr() in taken or not first.dim()
    return _Step(
        node, tuple(first.shape), first.numel() * first.element_size(), silent, macs, stores
    )


def _tensors(value: Any) -> Iterator[Any]:
    import torch

    yield from (
        v
        for v in (value if isinstance(value, (tuple, list)) else [value])
        if isinstance(v, torch.Tensor)
    )


def _leaves(steps: list[_Step]) -> set[str]:
    """Paths of the modules that have no module of their own in the graph: the layers of the source
    code.
    """
    paths = {_module(step.node)[1] for step in steps}
    return {
        path for path in paths if path and not any(other.startswith(f"{path}.") for other in paths)
    }


def _module(node: Any) -> tuple[str, str, str]:
    """The innermost module that a node comes from: a name that differs from call to call, its path,
    its class.
    """
    call, (path, kind) = next(
        reversed((node.meta.get("nn_module_stack") or {"": ("", "")}).items())
    )
    return call, path, str(kind if isinstance(kind, str) else kind.__name__).rpartition(".")[2]


def _row(step: _Step, leaves: set[str], sources: list[int], parameters: int, batch: int) -> Layer:
    _, path, kind = _module(step.node)
    if path not in leaves:
        name = str(step.node.target)  # aten.add.Tensor
        path, kind = (
            f"{path}.{step.node.name}" if path else step.node.name,
            name.split(".")[1] if "." in name else name,
        )
    inputs = tuple(map(str, sources))
    return Layer(
        path, kind, step.shape[1:], parameters, step.macs // batch, step.size // batch, inputs
    )


def _joined(row: Layer, more: Layer, number: int, silent: bool) -> Layer:
    """A row with another operation of the same call of its module; what the last one makes is the
    module's output.
    """
    last = row if silent else more
    inputs = tuple(dict.fromkeys([*row.inputs, *(i for i in more.inputs if i != str(number))]))
    return replace(
        row,
        output_shape=last.output_shape,
        activation_bytes=last.activation_bytes,
        inputs=inputs,
        parameters=row.parameters + more.parameters,
        macs=(row.macs or 0) + (more.macs or 0),
    )
