"""Quantization-aware training of a float PyTorch model whose weights end up on the grid of a later
quantizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.naming import speaking_name
from lab.errors import InvalidFile
from lab.finetuning.options import KEEP_ZEROS
from lab.finetuning.quantizing import QAT_TRAINING, Gap, qat_suffix, torch_predictor
from lab.options import Option
from lab.plugs import Context, Technique

_BLOCK, _RANGED = 32, 128


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.torch.fake_quantization import add_fakes
    from lab.compress.torch.folding import fold_modules
    from lab.compress.torch.grid import put_on_grid
    from lab.finetuning.torch_loop import fit
    from lab.formats.torch_export.files import load_program, module, with_free_batch
    from lab.formats.torch_export.modules import as_modules, save_modules

    program = with_free_batch(load_program(source))
    model = fold_modules(as_modules(program))
    put_on_grid(_layers(model, params, context), _spec(params), params["keep_zeros"])
    fakes = add_fakes(model) if params["activation_bits"] == "8" else []
    _see(model, program, context, fakes)
    fit(model, context, params)
    gap = Gap(context, torch_predictor(model, program))
    file = save_modules(_plain(model, params, fakes), program, context.workdir / "on_grid.pt2")
    gap.note(torch_predictor(module(load_program(file)), program))
    return file


def _spec(params: Mapping[str, Any]) -> Any:
    from lab.compress.torch.grid import GridSpec

    return GridSpec(params["bits"], params["granularity"], params["block_size"], params["lopsided"])


def _layers(model: Any, params: Mapping[str, Any], context: Context) -> list[Any]:
    from lab.compress.torch.grid import weighted

    eligible, weighted_layers = weighted(model, _spec(params)), weighted(model)
    if not eligible:
        raise InvalidFile(
            "No layer of this model has weights that can be put on the grid",
            given=", ".join(weighted_layers) or "no layer with weights",
            allowed=(
                "convolutions, dense layers and embeddings; with granularity=block, dense layers"
                " whose input size is a multiple of the block size"
            ),
            remedy="Choose granularity=channel, or a smaller block_size",
        )
    context.note("on_grid", f"{len(eligible)} of {len(weighted_layers)} layers")
    return list(eligible.values())


def _see(model: Any, program: Any, context: Context, fakes: list[str]) -> None:
    """Initialize the activation ranges."""
    if fakes:
        for name in fakes:
            model.get_submodule(name).train()
        torch_predictor(model, program)(context.calibration(_RANGED))


def _plain(model: Any, params: Mapping[str, Any], fakes: list[str]) -> Any:
    """Return the model with ordinary layers and rounded weights."""
    from lab.compress.torch.fake_quantization import drop_fakes
    from lab.compress.torch.grid import leave_on_grid, weighted

    leave_on_grid(weighted(model, _spec(params)).values())
    drop_fakes(model, fakes)
    return model


def _name(params: Mapping[str, Any]) -> str:
    spread = {"channel": "", "tensor": "per_tensor", "block": f"block{params['block_size']}"}[
        params["granularity"]
    ]
    return speaking_name(
        f"qat_wi{params['bits']}",
        "ai8" if params["activation_bits"] == "8" else "",
        spread,
        "lopsided" if params["lopsided"] else "",
        "refill" if not params["keep_zeros"] else "",
    ) + qat_suffix(params)


TECHNIQUE = Technique(
    id="torch_qat_grid",
    title="Quantization-aware training (weights on a grid)",
    help=(
        "Continues training the float model with its weights rounded to few bits, and saves the"
        " rounded weights. A later quantizer with the same bits and granularity then stores exactly"
        " the trained integers, for any runtime."
    ),
    accepts=("torch_export",),
    produces="torch_export",
    apply=_apply,
    name=_name,
    options=(
        Option(
            "bits",
            "Bits",
            "int",
            4,
            "Number of bits per weight of the later quantizer.",
            low=2,
            high=8,
        ),
        Option(
            "granularity",
            "Granularity",
            "choice",
            "channel",
            "Sets which weights share a scale in the later quantizer: those of an output channel,"
            " of a whole layer, or of a block of a dense layer's row (other layers then stay in"
            " float).",
            choices=("channel", "tensor", "block"),
        ),
        Option(
            "block_size",
            "Block size",
            "int",
            _BLOCK,
            "Number of neighbouring weights that share a scale with granularity=block.",
            low=2,
            high=1024,
        ),
        Option(
            "lopsided",
            "Asymmetric integers",
            "bool",
            False,
            "Maps the largest weight of a group to the lowest integer (-8 with 4 bits), as the"
            " blocks of onnx_weight_only_wi4 do. Turn it off for integers that are symmetric about"
            " zero, as in TFLite and in static quantization.",
        ),
        Option(
            "activation_bits",
            "Activation bits",
            "choice",
            "none",
            "Also rounds activations during training, for a later static technique. Choose none"
            " for techniques that keep activations in float or quantize them at run time.",
            choices=("none", "8"),
        ),
        KEEP_ZEROS,
        *QAT_TRAINING,
    ),
    toolchain="torch",
    requires=("torch",),
    trains=True,
    role="tune",
    presets=(),
    valid=lambda params: (
        params["granularity"] == "block"
        or (params["block_size"] == _BLOCK and not params["lopsided"])
    ),
    timeout_s=7200.0,
    typical_s=90.0,
    purposes={"grid_training": ""},
)
