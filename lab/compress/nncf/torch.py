"""NNCF's quantizers in a PyTorch model for training, and their export to an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

from lab.compress.nncf.options import OVERFLOW, PRESET
from lab.compress.nncf.quantizing import attempt, nncf
from lab.errors import InvalidFile
from lab.formats.torch_export.modules import plain_module


def with_quantizers(model: Any, batches: list[Any], params: Mapping[str, Any]) -> Any:
    """Return the model with NNCF's quantizers around weights and activations, with ranges from
    calibration batches.

    Args:
        model: module with one input; NNCF's FX backend for a GraphModule cannot train.
        params: options PRESET, OVERFLOW and per_channel.

    Raises:
        InvalidFile: NNCF cannot quantize it, or finds nothing to quantize.
    """
    package = nncf()
    _use_plain_functions()
    fix = {"first_layer": "FIRST_LAYER", "all": "ENABLE", "off": "DISABLE"}[params[OVERFLOW.id]]
    weights = package.quantization.advanced_parameters.QuantizationParameters(
        per_channel=(
            None if params["per_channel"] else False
        )  # True would be asked of layer normalisations, too, and fail there
    )
    advanced = package.AdvancedQuantizationParameters(
        overflow_fix=getattr(package.OverflowFix, fix),
        disable_bias_correction=True,
        batchwise_statistics=True,
        weights_quantization_params=weights,
    )
    quantized = attempt(
        lambda: package.quantize(
            plain_module(model),
            package.Dataset(batches),
            subset_size=len(batches),
            advanced_parameters=advanced,
            preset=package.QuantizationPreset(params[PRESET.id]),
        ),
        params,
    )
    if not _quantizers(quantized):
        raise InvalidFile(
            "NNCF finds nothing to quantize in this model", remedy="Choose torch_qat_grid"
        )
    return quantized


def exported(model: Any, program: Any) -> Any:
    """Return a trained model of `with_quantizers` as an ONNX ModelProto with QuantizeLinear and
    DequantizeLinear, weights in integers.

    Args:
        program: source program, which has the example input and the free batch axis.
    """
    import torch

    from lab.compress.onnx.exporting import exported_onnx
    from lab.compress.onnx.integers import store_integers
    from lab.formats.torch_export.files import example, fixed_batch

    item = example(program, fixed_batch(program) or 2)
    plain = nncf().strip(model, do_copy=False, example_input=item).eval()
    for name in [
        name for name, module in plain.named_modules() if type(module).__name__ == "FakeQuantize"
    ]:
        plain.set_submodule(name, rounding_class()(plain.get_submodule(name)))
    axes = ({0: torch.export.Dim("batch")},) if fixed_batch(program) is None else None
    with torch.no_grad():
        written = exported_onnx(torch.export.export(plain, (item,), dynamic_shapes=axes))
    store_integers(written)
    return written


def _quantizers(model: Any) -> int:
    return sum("Quantizer" in type(module).__name__ for module in model.modules())


@cache
def _use_plain_functions() -> None:
    """Make NNCF round with torch's operators.

    Otherwise it compiles C++ when it first rounds, which takes a minute and a compiler, and later
    waits for the lock of a process that was killed meanwhile.
    """
    from nncf.torch.quantization import extensions
    from nncf.torch.quantization.reference import ReferenceBackendType, ReferenceQuantize

    torch_ = ReferenceQuantize(ReferenceBackendType.TORCH)
    plain = SimpleNamespace(Quantize_forward=torch_.forward, Quantize_backward=torch_.backward)
    extensions.QuantizedFunctionsCPU._loaded_namespace = plain


@cache
def rounding_class() -> Any:
    """Return a module class that rounds like torch's FakeQuantize, in operators that export as
    QuantizeLinear and DequantizeLinear.
    """
    import torch
    import torch.ao.quantization.fx._decomposed  # defines the operators

    operators = torch.ops.quantized_decomposed

    class Rounding(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, fake: Any) -> None:
            super().__init__()
            dtype = torch.uint8 if fake.quant_min == 0 else torch.int8
            self.many = fake.scale.numel() > 1
            if self.many:
                self.register_buffer("scale", fake.scale.detach().flatten().float())
                self.register_buffer("zero", fake.zero_point.flatten().int())
                self.how: tuple[Any, ...] = (fake.ch_axis, fake.quant_min, fake.quant_max, dtype)
            else:
                self.scale, self.zero = float(fake.scale), int(fake.zero_point)
                self.how = (fake.quant_min, fake.quant_max, dtype)

        def forward(self, x: Any) -> Any:
            names = (
                ("quantize_per_channel", "dequantize_per_channel")
                if self.many
                else ("quantize_per_tensor", "dequantize_per_tensor")
            )
            there, back = (getattr(operators, name) for name in names)
            return back(
                there(x, self.scale, self.zero, *self.how), self.scale, self.zero, *self.how
            )

    return Rounding
