"""Block-wise weight-only quantization of matrix products in ONNX files; activations stay float."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.compress.choosing import LAYERS, chosen_suffix
from lab.compress.naming import speaking_name
from lab.options import Option
from lab.plugs import Context, Technique

_BLOCK_SIZE = 32


def _apply(source: Path, params: Mapping[str, Any], context: Context) -> Path:
    from lab.compress.onnx.blocks import weight_only

    return weight_only(source, params, context)


def _name(params: Mapping[str, Any]) -> str:
    return speaking_name(
        f"weight_only_wi{params['bits']}_afp32",
        "" if params["block_size"] == _BLOCK_SIZE else f"block{params['block_size']}",
        "" if params["symmetric"] else "asymmetric",
        f"level{params['accuracy_level']}" if params["accuracy_level"] else "",
        "embeddings" if params["embeddings"] else "",
        chosen_suffix(params),
    )


TECHNIQUE = Technique(
    id="onnx_weight_only_wi4",
    title="Block-wise int4 weights",
    help=(
        "Stores the weights of matrix products in 4 bits (or 2 or 8), with one scale per block of"
        " weights; convolutions stay in float. This is common for language models; only models that"
        " consist mostly of matrix products benefit."
    ),
    accepts=("onnx",),
    produces="onnx",
    apply=_apply,
    name=_name,
    options=(
        Option(
            id="bits",
            label="Bits",
            kind="int",
            default=4,
            low=2,
            high=8,
            only=(2, 4, 8),
            help="Number of bits per weight.",
        ),
        Option(
            id="block_size",
            label="Block size",
            kind="int",
            default=_BLOCK_SIZE,
            low=16,
            high=256,
            only=(16, 32, 64, 128, 256),
            help=(
                "Number of weights of a column that share one scale. Smaller blocks lose less"
                " accuracy and take more space."
            ),
            sweep={"full": (32, 128)},
        ),
        Option(
            id="symmetric",
            label="Symmetric",
            kind="bool",
            default=True,
            help=(
                "Centres each block's range on zero. Turn it off to store a zero point for each"
                " block, which suits asymmetric weights."
            ),
            sweep={"full": (True, False)},
        ),
        Option(
            id="accuracy_level",
            label="Accuracy level",
            kind="int",
            default=0,
            low=0,
            high=4,
            help=(
                "Sets the precision of the products: 0 leaves it to the kernel, 1 is 32-bit float,"
                " 2 and 3 are 16-bit floats, 4 rounds activations to 8-bit integers, which is the"
                " fastest."
            ),
        ),
        Option(
            id="embeddings",
            label="Embeddings too",
            kind="bool",
            default=False,
            help="Also stores embedding tables in blocks of 4 bits.",
        ),
        *LAYERS,
    ),
    requires=("onnx", "onnxruntime", "onnx-ir"),
    presets=("full",),
    extra={
        "full": (
            {"bits": 8},
            {"bits": 2},
            {"block_size": 16},
            {"accuracy_level": 4},
            {"embeddings": True},
        )
    },
    typical_s=0.3,
    purposes={"integer_weights": "", "embeddings": "with embeddings on"},
)
