"""Dynamic int8 quantization with PyTorch's FX mode, saved as TorchScript."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.choosing import LAYERS, chosen_suffix
from lab.compress.naming import speaking_name
from lab.compress.torch.fx_quantizing import ENGINE
from lab.options import Option
from lab.plugs import Context, Technique


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.formats.quiet import quiet

    with quiet():
        return _quantize(source, params, context)


def _quantize(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.torch import fx_quantizing as fx
    from lab.formats.torch_export.files import example, fixed_batch, load_program
    from lab.formats.torch_export.fx import DYNAMIC
    from lab.formats.torchscript.files import use_engine, write_torchscript

    program = load_program(source)
    use_engine(params["engine"])
    model, batch = fx.quantizable(program, DYNAMIC, params), fixed_batch(program)
    mapping = fx.dynamic_mapping(params["per_channel"])
    integers = fx.quantize(model, mapping, iter(()), example(program, batch or 1), params["engine"])
    return write_torchscript(
        integers, example(program, 1), batch, context.workdir / "model.pt", params["engine"]
    )


def _name(params: Mapping[str, Any]) -> str:
    return speaking_name(
        "dynamic_wi8_afp32",
        params["engine"] if params["engine"] != "x86" else "",
        "" if params["per_channel"] else "per_tensor",
        chosen_suffix(params),
    )


TECHNIQUE = Technique(
    id="torch_fx_dynamic_int8",
    title="Dynamic int8 (FX)",
    help=(
        "Stores the weights of dense layers, recurrent layers and embeddings as 8-bit integers with"
        " PyTorch's FX quantization, and saves TorchScript. Activations are quantized at run time;"
        " convolutions stay float."
    ),
    accepts=("torch_export",),
    produces="torchscript",
    apply=_apply,
    name=_name,
    options=(
        ENGINE,
        Option(
            id="per_channel",
            label="Per channel",
            kind="bool",
            default=True,
            help=(
                "Uses one scale for each output channel of a weight instead of one for the whole"
                " weight."
            ),
            sweep={"full": (True, False)},
        ),
        *LAYERS,
    ),
    toolchain="torch",
    requires=("torch",),
    presets=("full",),
    extra={"full": ({"engine": "qnnpack"},)},
    typical_s=4.0,
    purposes={"integer_weights": ""},
)
