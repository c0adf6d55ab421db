"""FX quantization of a torch.export program (torch.ao.quantization.quantize_fx) to a TorchScript
file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from lab.compress.torch.choosing import layers_left, nothing_left
from lab.errors import InvalidFile
from lab.formats.torch_export.fx import (
    fold_batch_norms,
    kind,
    opaque_modules,
    quantized_nodes,
    untouchable,
)
from lab.formats.torch_export.packed import content
from lab.options import Option

ENGINES = ("x86", "qnnpack", "onednn")
ENGINE = Option(
    id="engine",
    label="Engine",
    kind="choice",
    default="x86",
    choices=ENGINES,
    help=(
        "Library that computes the integers: x86 is torch's default for these processors and"
        " uses 7 bits of each activation, so that nothing saturates on a CPU without VNNI;"
        " qnnpack is used on phones; onednn uses all 8 bits."
    ),
)
METHODS = {
    "histogram": "HistogramObserver",
    "minmax": "MinMaxObserver",
    "average": "MovingAverageMinMaxObserver",
}
SEVEN_BITS = ("x86",)
TOLERANCE = 1e-5


def static_mapping(engine: str, per_channel: bool, method: str) -> Any:
    """Return FX's QConfigMapping for static quantization.

    Source: torch.ao.quantization.get_default_qconfig_mapping, with other observers of activations
    and weights.
    """
    from torch.ao import quantization as q

    observer = getattr(q.observer, METHODS[method]).with_args(reduce_range=engine in SEVEN_BITS)
    weight = q.default_per_channel_weight_observer if per_channel else q.default_weight_observer
    mapping = q.get_default_qconfig_mapping(engine).set_global(
        q.QConfig(activation=observer, weight=weight)
    )
    return _stored(_layer_norm(mapping, observer))


def _layer_norm(mapping: Any, observer: Any) -> Any:
    import torch
    from torch.ao import quantization as q

    plain = q.QConfig(activation=observer, weight=q.default_placeholder_observer)
    return mapping.set_object_type(torch.nn.functional.layer_norm, plain)


def dynamic_mapping(per_channel: bool) -> Any:
    """Return FX's QConfigMapping for dynamic quantization."""
    from torch.ao import quantization as q

    config = q.per_channel_dynamic_qconfig if per_channel else q.default_dynamic_qconfig
    return _stored(q.QConfigMapping().set_global(config))


def _stored(mapping: Any) -> Any:
    """Add operators that always have 8-bit weights and float activations: embeddings, and recurrent
    layers with one scale per weight.
    """
    import torch
    from torch.ao import quantization as q

    mapping.set_object_type(torch.nn.Embedding, q.float_qparams_weight_only_qconfig)
    for recurrent in (torch.nn.GRU, torch.nn.LSTM):
        mapping.set_object_type(recurrent, q.default_dynamic_qconfig)
    return mapping


def quantizable(program: Any, kinds: Collection[str], params: Mapping[str, Any]) -> Any:
    """Return the program as a module that FX quantizes according to the options KEEP_FLOAT and
    ONLY.

    Raises:
        InvalidOption: they name a layer that the program does not have, or leave nothing to
            quantize.
        InvalidFile: the program has no operator of these kinds, or its output differs as a module.
    """
    from lab.formats.torch_export.files import example, fixed_batch, module
    from lab.formats.torch_export.functions import as_functions
    from lab.formats.torch_export.layers import layer_of_node

    layer_of = layer_of_node(program)
    left = layers_left(program, layer_of, params)
    model = fold_batch_norms(as_functions(program))
    taken = quantized_nodes(model, kinds, layer_of, left)
    if not taken:
        raise _nothing_left(model, kinds, layer_of, params)
    item = example(program, fixed_batch(program) or 2)
    _check_same(module(program), untouchable(model, taken), item)
    return model


def _nothing_left(
    model: Any, kinds: Collection[str], layer_of: Mapping[str, str], params: Mapping[str, Any]
) -> Exception:
    found = quantized_nodes(model, kinds, layer_of, ())
    if found:
        return nothing_left(
            params,
            [
                name
                for name in dict.fromkeys(layer_of.values())
                if name in {layer_of.get(n) for n in found}
            ],
        )
    return InvalidFile(
        "FX quantization has no integer form of any operator of this model",
        allowed=", ".join(sorted(kinds)),
        given=sorted({kind(node) for node in model.graph.nodes} - {""}),
        remedy="Choose an ONNX or TFLite technique, or 16-bit floats (torch_half)",
    )


def _check_same(program: Any, model: Any, item: Any) -> None:
    import torch

    with torch.no_grad():
        expected, output = program(item), model(item)
    error = float((expected - output).abs().max() / expected.abs().max().clamp(min=1))
    if not error <= TOLERANCE:
        raise InvalidFile(
            "The output of the model changes when it is rewritten for FX quantization",
            allowed=f"{TOLERANCE:g}",
            given=f"{error:.1e}",
            remedy="Choose an ONNX or TFLite technique",
        )


def quantize(model: Any, mapping: Any, batches: Iterator[Any], item: Any, engine: str) -> Any:
    """Calibrate the model and convert it to integers.

    Args:
        batches: tensors of calibration items; empty for dynamic quantization.

    Raises:
        InvalidFile: the engine rejects an operator.
    """
    import torch
    from torch.ao.quantization.fx.custom_config import PrepareCustomConfig
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    custom = PrepareCustomConfig().set_non_traceable_module_classes(opaque_modules())
    watched = prepare_fx(model, mapping, (item,), prepare_custom_config=custom)
    with torch.no_grad():
        for batch in batches:
            watched(batch)
    done = share_weights(convert_fx(watched))
    _check_runs(done, item, engine)
    return done


def _check_runs(model: Any, item: Any, engine: str) -> None:
    import torch

    at: list[Any] = []

    class Watched(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, n: Any) -> Any:
            at.append(n)
            return super().run_node(n)

    try:
        with torch.no_grad():
            Watched(model).run(item)
    except RuntimeError as error:
        raise InvalidFile(
            f"The engine {engine} refuses {at[-1].target}: {_why(error)}",
            remedy="Choose another engine",
        ) from error


def _why(error: RuntimeError) -> str:
    if "pytorch_qnnp_status" in str(
        error
    ):  # an assertion without a reason; the library prints it on stderr
        return "the ranges of its inputs and of its output are too far apart"
    return str(error).strip().splitlines()[0][:200]


def share_weights(model: Any) -> Any:
    """Let operators with equal packed weights share one of them: FX packs a weight again for each
    operator that reads it.
    """
    first: dict[Any, str] = {}
    for node in model.graph.nodes:
        if node.op == "get_attr" and node.target.startswith("_packed_weight"):
            node.target = first.setdefault(content(getattr(model, node.target)), node.target)
    model.recompile()
    return model
