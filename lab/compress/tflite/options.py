"""Options of the techniques based on ai-edge-quantizer, and their suffixes in variant names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.compress.choosing import chosen_suffix
from lab.compress.naming import speaking_name
from lab.options import Option

PER_CHANNEL = Option(
    id="per_channel",
    label="Per channel",
    kind="bool",
    default=True,
    help=(
        "One scale for each output channel of a weight instead of one for the whole weight:"
        " finer, rarely slower."
    ),
    sweep={"full": (True, False)},
)

BLOCK_SIZE = Option(
    id="block_size",
    label="Block size",
    kind="choice",
    default="0",
    choices=("0", "32", "64", "128", "256"),
    help=(
        "Number of neighbouring weights of a fully connected layer or an embedding that share a"
        " scale, finer than one scale per channel; 0 is off. A layer's number of inputs must be"
        " a multiple of it. Other operators stay in float."
    ),
)

BITS = Option(
    id="bits",
    label="Bits per weight",
    kind="choice",
    default="4",
    choices=("8", "4", "2"),
    help="Number of bits in which a weight is stored.",
)

MODE = Option(
    id="mode",
    label="Arithmetic",
    kind="choice",
    default="weight_only",
    choices=("weight_only", "dynamic"),
    help=(
        "Convert weights back to float before computing (weight_only), or convert activations"
        " to integers while the model runs (dynamic)."
    ),
)

METHOD = Option(
    id="method",
    label="Calibration method",
    kind="choice",
    default="minmax",
    choices=("minmax", "average"),
    help=(
        "Choice of an activation's range: the extremes over all calibration items, or a moving"
        " average of each item's extremes, which ignores outliers and clips larger values."
    ),
    sweep={"full": ("minmax", "average")},
)

SYMMETRIC = Option(
    id="symmetric",
    label="Symmetric weights",
    kind="bool",
    default=True,
    help=(
        "On centres the integers on zero; off spreads them from the smallest to the largest"
        " weight, so that none is wasted."
    ),
)

SYMMETRIC_ACTIVATIONS = Option(
    id="symmetric_activations",
    label="Symmetric activations",
    kind="bool",
    default=False,
    help=(
        "On centres the integers of activations on zero, which some accelerators require; after"
        " a ReLU half of them stay unused."
    ),
)

OPERATORS = Option(
    id="operators",
    label="Operator types",
    kind="names",
    default=(),
    help=(
        "Quantize only operators of these types, such as CONV_2D or FULLY_CONNECTED; an empty"
        " list means all supported ones."
    ),
)


def algorithm(*choices: str) -> Option:
    """Return the option for the scale of a weight: "minmax" or one of the choices."""
    explanations = "; ".join(_ALGORITHMS[name] for name in choices)
    return Option(
        id="algorithm",
        label="Algorithm",
        kind="choice",
        default="minmax",
        choices=("minmax", *choices),
        help=(
            f"Choice of the integers of a weight: minmax covers its largest value; {explanations}."
        ),
    )


_ALGORITHMS = {
    "octav": ("octav clips large values where that minimizes the squared error (Sakr et al. 2022)"),
    "mse": "mse takes the scale that suits normally distributed weights",
    "gptq": (
        "gptq rounds the weights of fully connected layers so that errors compensate each other"
        " on calibration data (Frantar et al. 2022)"
    ),
    "hadamard": (
        "hadamard first rotates the weights of fully connected layers and embeddings, so that"
        " there are no outliers, with an operator that only LiteRT has"
    ),
    "hadamard_builtin": "hadamard_builtin is the same in operators that every TFLite runtime has",
}


def io(*choices: str) -> Option:
    """Return the option for the type of the model's input and output; the first choice is the
    default.
    """
    return Option(
        id="io",
        label="Inputs and outputs",
        kind="choice",
        default=choices[0],
        choices=choices,
        help=(
            "Number type of the file's inputs and outputs; integers save a microcontroller the"
            " conversion."
        ),
    )


IO_INT8, IO_INT16 = io("int8", "uint8", "float32"), io("int16", "float32")


def granularity(params: Mapping[str, Any]) -> str:
    """Return ai-edge-quantizer's name for the options `per_channel` and `block_size`."""
    block = params.get(BLOCK_SIZE.id, "0")
    return (
        f"BLOCKWISE_{block}"
        if block != "0"
        else "CHANNELWISE"
        if params["per_channel"]
        else "TENSORWISE"
    )


def is_sensible(params: Mapping[str, Any]) -> bool:
    """Return False where an option has no effect beside another one or cannot be combined with it;
    for `Technique.valid`.
    """
    blocks = params.get(BLOCK_SIZE.id, "0") != "0"
    cutting = params.get("algorithm", "minmax") != "minmax"
    return not (
        blocks and (not params["per_channel"] or params.get("algorithm") == "mse")
    ) and not (cutting and not params.get(SYMMETRIC.id, True))


def suffixes(params: Mapping[str, Any], calibration: str = "") -> str:
    """Return the suffixes of the options in a variant's name, see `lab.compress.naming`."""
    block, chosen, method = (
        params.get(BLOCK_SIZE.id, "0"),
        params.get("algorithm", "minmax"),
        params.get(METHOD.id),
    )
    return speaking_name(
        "" if params.get(PER_CHANNEL.id, True) else "per_tensor",
        "" if block == "0" else f"block{block}",
        "" if params.get(SYMMETRIC.id, True) else "asymmetric",
        "symmetric" if params.get(SYMMETRIC_ACTIVATIONS.id, False) else "",
        "" if chosen == "minmax" else chosen,
        "" if method == METHOD.default else method,
        calibration,
        io_suffix(params),
        scope_suffix(params),
    )


def io_suffix(params: Mapping[str, Any]) -> str:
    """Return `io_…` where inputs and outputs do not have the type of the activations."""
    io_type = params.get("io", "int8")
    return f"io_{io_type}" if io_type in ("uint8", "float32") else ""


def scope_suffix(params: Mapping[str, Any]) -> str:
    """Return `ops_…` with operator types, then the chosen layers."""
    kinds = params.get(OPERATORS.id, ())
    return speaking_name("ops_" + "_".join(sorted(kinds)) if kinds else "", chosen_suffix(params))
