"""pt2e quantization-aware training (torchao.quantization.pt2e) with LiteRT's quantizer, and its
conversion to a TFLite file.
"""

from __future__ import annotations

from typing import Any

from lab.errors import InvalidFile
from lab.formats.quiet import quiet


def tflite_quantizer(per_channel: bool) -> Any:
    """Return litert-torch's quantizer for int8 weights and activations, with fake quantization
    instead of observers.
    """
    from litert_torch.quantize.pt2e_quantizer import (
        PT2EQuantizer,
        get_symmetric_quantization_config,
    )

    quantizer = PT2EQuantizer().set_global(
        get_symmetric_quantization_config(is_per_channel=per_channel, is_qat=True)
    )
    # patterns with batch normalisations, which torchao 0.18 cannot match; they are folded
    quantizer.STATIC_QAT_ONLY_OPS = []
    return quantizer


def with_fakes(model: Any, program: Any, quantizer: Any) -> Any:
    """Return a module with fake quantization at the quantizer's annotations; it follows its
    training or evaluation mode.

    Args:
        model: model of `lab.formats.torch_export.modules.as_modules`, batch normalisations folded.
        program: source program.

    Raises:
        InvalidFile: the quantizer supports no operator of the model, or the program cannot be
            exported.
    """
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

    from lab.formats.torch_export.files import example, fixed_batch

    axes = ({0: torch.export.Dim("batch")},) if fixed_batch(program) is None else None
    item = example(program, fixed_batch(program) or 2)
    with quiet():
        exported = torch.export.export(model.eval(), (item,), dynamic_shapes=axes).module(
            check_guards=False
        )
        prepared = prepare_qat_pt2e(exported, quantizer)
    if not _fakes(prepared):
        raise InvalidFile(
            "LiteRT's quantizer knows no operator of this model",
            allowed="convolutions, dense layers, add, mul, pooling",
            given=sorted({str(n.target) for n in exported.graph.nodes if n.op == "call_function"}),
            remedy="Choose torch_qat_grid with a TFLite technique",
        )
    return _trainable(prepared)


def _fakes(model: Any) -> list[Any]:
    from torchao.quantization.pt2e.fake_quantize import FakeQuantizeBase

    return [module for module in model.modules() if isinstance(module, FakeQuantizeBase)]


def _trainable(prepared: Any) -> Any:
    """Return a module with a training mode, which an exported program lacks: the mode decides
    whether ranges follow.
    """
    import torch

    class Trainable(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = prepared
            self.eval()

        def train(self, mode: bool = True) -> Any:
            self.training = mode
            for fake in _fakes(self.model):
                fake.enable_observer(mode)
            return self

        def forward(self, x: Any) -> Any:
            return self.model(x)

    return Trainable().requires_grad_(True)


def converted(model: Any, program: Any, quantizer: Any) -> Any:
    """Return the trained model as litert-torch's model, whose `export` writes a TFLite file; batch
    size one, image channels last.

    Raises:
        InvalidFile: litert-torch rejects the model.
    """
    import litert_torch
    from litert_torch.quantize.quant_config import QuantConfig
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    from lab.formats.torch_export.files import example

    try:
        with quiet():
            integers, item = (
                _shell(convert_pt2e(model.model, fold_quantize=False)),
                example(program, 1),
            )
            if item.ndim == 4 and item.is_floating_point():
                integers = litert_torch.to_channel_last_io(integers, args=[0])
                item = item.permute(0, 2, 3, 1).contiguous()
            return litert_torch.convert(
                integers, (item,), quant_config=QuantConfig(pt2e_quantizer=quantizer)
            )
    except Exception as error:
        raise InvalidFile(
            f"litert-torch refuses what was trained: {str(error).strip()[:300]}",
            given=type(error).__name__,
            remedy="Choose torch_qat_grid with a TFLite technique",
        ) from error


def _shell(model: Any) -> Any:
    """Return a module in evaluation mode, which litert-torch requires and an exported program
    refuses.
    """
    import torch

    class Exported(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.program, self.training = model, False

        def forward(self, x: Any) -> Any:
            return self.program(x)

    Exported.__module__, Exported.__qualname__ = (
        "",
        "M",
    )  # litert-torch writes them into every tensor's name
    return Exported()
