"""A torch.export program as modules that can be trained, pruned and quantized, and back.

An exported program calls functions on stored tensors, with batch normalisation and dropout fixed to
how they answer. Here convolutions, dense layers, normalisations, embeddings and dropout are modules
of torch.nn again, under the names that their tensors have; what else there is stays as it was.
Loading a program asks for none of its author's classes, so this works for whatever was exported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lab.formats.torch_export.functions import CONVOLUTIONS, as_functions, cleaned
from lab.formats.torch_export.fx import kind


def as_modules(program: Any) -> Any:
    """The program as a GraphModule with one input, all its parameters trainable, as it answers (not
    as it trains).

    Args:
        program: ExportedProgram; it is left as it is.

    Raises:
        InvalidFile: an operator of the program has no Python function.
    """
    model = as_functions(program, dropouts=True)
    made: dict[tuple[Any, ...], str] = {}
    for node in list(model.graph.nodes):
        if kind(node) in _MAKERS:
            _modularize(model, node, made)
    model = _own(cleaned(model))
    return model.requires_grad_(True).eval()


def save_modules(model: Any, program: Any, file: Path) -> Path:
    """Export a model and write it.

    Args:
        model: a module with one input.
        program: what it was made from; its example input is used, its free batch axis kept.
        file: where to, a .pt2.
    """
    import torch

    from lab.formats.torch_export.files import example, fixed_batch

    batch = fixed_batch(program)
    axes = ({0: torch.export.Dim("batch")},) if batch is None else None
    with torch.no_grad():
        exported = torch.export.export(
            model.eval(), (example(program, batch or 2),), dynamic_shapes=axes
        )
    for node in exported.graph.nodes:
        for told in (
            "stack_trace",
            "from_node",
        ):  # folders and addresses of this process: one model, one file
            node.meta.pop(told, None)
    torch.export.save(exported, file)
    return file


def plain_module(model: Any) -> Any:
    """The GraphModule inside a plain module, at `.model`: NNCF takes it for another kind of model
    otherwise.
    """
    import torch

    class Plain(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Any) -> Any:
            return self.model(x)

    return Plain().eval()


def _own(model: Any) -> Any:
    """The model with tensors of its own: the program's are not trained along."""
    import torch

    for module in model.modules():
        for name, tensor in module._parameters.items():
            if tensor is not None:
                module._parameters[name] = torch.nn.Parameter(tensor.detach().clone())
        for name, tensor in module._buffers.items():
            if tensor is not None:
                module._buffers[name] = tensor.detach().clone()
    return model


def _modularize(model: Any, node: Any, made: dict[tuple[Any, ...], str]) -> None:
    """Replace a call on stored tensors by a module that holds them, the same one for every call on
    the same tensors.
    """
    if kind(node) in _DROPOUTS:
        _place(model, node, f"{node.name}_layer", _dropout(node))
        return
    stored = [arg for arg in node.args if getattr(arg, "op", "") == "get_attr"]
    path = _home(model, stored)
    if path is None:
        return
    settings = tuple(a for a in node.args if not hasattr(a, "op"))
    key = (kind(node), *(arg.target for arg in stored), repr(settings))
    if key not in made:
        if any(other[1:2] == key[1:2] for other in made):
            return  # the same weight, used in two ways: it cannot be two modules
        made[key] = path
        module = _MAKERS[kind(node)](node, [_tensor(model, arg) for arg in node.args])
        model.add_submodule(path, module)
    inputs = [arg for arg in node.all_input_nodes if arg.op != "get_attr"]
    node.op, node.target, node.args, node.kwargs = "call_module", made[key], (inputs[0],), {}


def _place(model: Any, node: Any, path: str, module: Any) -> None:
    model.add_submodule(path, module)
    node.op, node.target, node.args, node.kwargs = "call_module", path, (node.args[0],), {}


def _home(model: Any, stored: Sequence[Any]) -> str | None:
    """The module whose tensors these are and no others; None where they are at home in several, or
    in the model itself.
    """
    homes = {arg.target.rpartition(".")[0] for arg in stored}
    if len(homes) != 1 or "" in homes:
        return None
    path = homes.pop()
    held = model.get_submodule(path)
    names = {arg.target.rpartition(".")[2] for arg in stored} | {"num_batches_tracked"}
    own = {name for name, _ in (*held.named_parameters(), *held.named_buffers())}
    return path if own <= names else None


def _tensor(model: Any, arg: Any) -> Any:
    """The value of a stored tensor; what is no node of the graph is left as it is."""
    if getattr(arg, "op", "") != "get_attr":
        return arg
    found = model
    for part in arg.target.split("."):
        found = getattr(found, part)
    return found


def _filled(module: Any, **tensors: Any) -> Any:
    import torch

    for name, tensor in tensors.items():
        if tensor is not None:
            new = tensor.detach().clone()
            setattr(module, name, torch.nn.Parameter(new) if name in ("weight", "bias") else new)
    return module


def _convolution(node: Any, args: Sequence[Any]) -> Any:
    import torch

    _, weight, bias, stride, padding, dilation, groups = args
    kinds = dict(
        zip(CONVOLUTIONS, (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d), strict=True)
    )
    module = kinds[kind(node)](
        weight.shape[1] * groups,
        weight.shape[0],
        tuple(weight.shape[2:]),
        _sizes(stride),
        _sizes(padding),
        _sizes(dilation),
        groups,
        bias=bias is not None,
    )
    return _filled(module, weight=weight, bias=bias)


def _sizes(value: Any) -> Any:
    return value if isinstance(value, str) else tuple(value)


def _linear(node: Any, args: Sequence[Any]) -> Any:
    import torch

    weight, bias = args[1], args[2] if len(args) > 2 else None
    return _filled(
        torch.nn.Linear(*weight.shape[::-1], bias=bias is not None), weight=weight, bias=bias
    )


def _batch_norm(node: Any, args: Sequence[Any]) -> Any:
    import torch

    weight, bias, mean, variance, _, momentum, eps = args[1:8]
    kinds = {4: torch.nn.BatchNorm2d, 5: torch.nn.BatchNorm3d}
    chosen = kinds.get(node.args[0].meta["val"].ndim, torch.nn.BatchNorm1d)
    module = chosen(len(mean), eps, momentum, affine=weight is not None)
    return _filled(module, weight=weight, bias=bias, running_mean=mean, running_var=variance)


def _layer_norm(node: Any, args: Sequence[Any]) -> Any:
    import torch

    shape, weight, bias, eps = (*args[1:], None, None, 1e-5)[:4]
    module = torch.nn.LayerNorm(
        tuple(shape), eps, elementwise_affine=weight is not None, bias=bias is not None
    )
    return _filled(module, weight=weight, bias=bias)


def _embedding(node: Any, args: Sequence[Any]) -> Any:
    import torch

    weight, padding = args[0], args[2] if len(args) > 2 and args[2] >= 0 else None
    return _filled(torch.nn.Embedding(*weight.shape, padding_idx=padding), weight=weight)


def _dropout(node: Any) -> Any:
    import torch

    kinds = {
        "dropout": torch.nn.Dropout,
        "feature_dropout": torch.nn.Dropout2d,
        "alpha_dropout": torch.nn.AlphaDropout,
    }
    return kinds[kind(node)](node.args[1])


_DROPOUTS = ("dropout", "feature_dropout", "alpha_dropout")
_MAKERS: dict[str, Callable[[Any, Sequence[Any]], Any]] = {
    **dict.fromkeys(CONVOLUTIONS, _convolution),
    "linear": _linear,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "embedding": _embedding,
    **dict.fromkeys(_DROPOUTS, lambda node, args: _dropout(node)),
}
