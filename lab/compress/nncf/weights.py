"""NNCF's weight compression: weights become integers or small floats, with a scale per channel or
per group; activations stay unchanged.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from lab.compress.choosing import chosen_suffix
from lab.compress.naming import speaking_name
from lab.compress.nncf.models import Source
from lab.compress.nncf.quantizing import nncf
from lab.errors import InvalidFile, InvalidOption
from lab.formats.openvino_ir.files import reason
from lab.formats.quiet import quiet
from lab.options import Option

CHANNEL = "channel"
_BASES = {
    "int8_asym": "wi8", "int8_sym": "wi8", "int4_asym": "wi4", "int4_sym": "wi4", "int3_sym": "wi3",
    "int2_sym": "wi2", "nf4": "wnf4", "cb4": "wcb4", "nvfp4": "wnvfp4",
}  # fmt: skip
_NVFP4_GROUP = 16
_UNGROUPED = ("int8_asym", "int8_sym", "nvfp4")


def mode_option(modes: tuple[str, ...], sweep: tuple[str, ...]) -> Option:
    """Return the option of the number format of weights; the first mode is the default."""
    return Option(
        id="mode",
        label="Weight format",
        kind="choice",
        default=modes[0],
        choices=modes,
        sweep={"full": sweep},
        help=(
            "Number format of weights: integers with a range centred on zero (sym) or an"
            " asymmetric range (asym), or 4-bit floats whose 16 values lie where weights are"
            " frequent (nf4, cb4, nvfp4). Fewer than 8 bits apply to dense layers only; other"
            " layers, the first and the last one get 8 bits."
        ),
    )


GROUP_SIZE = Option(
    id="group_size",
    label="Weights that share a scale",
    kind="choice",
    default="32",
    choices=(CHANNEL, "32", "64", "128"),
    help=(
        "Number of weights of an output channel that share a scale, below 8 bits: fewer are"
        " finer and take more space. Layers whose number of inputs is not a multiple of it get 8"
        " bits."
    ),
)

RATIO = Option(
    id="ratio",
    label="Share below 8 bits",
    kind="float",
    default=1.0,
    low=0,
    high=1,
    help=(
        "Share of the weights that get fewer than 8 bits, least sensitive layers first; the"
        " others get 8 bits."
    ),
)

ALL_LAYERS = Option(
    id="all_layers",
    label="First and last layer too",
    kind="bool",
    default=False,
    help="Stores embeddings and the last layer in fewer than 8 bits as well; otherwise they get 8.",
)

_BELOW = (GROUP_SIZE, RATIO, ALL_LAYERS)


def is_sensible(params: Mapping[str, Any]) -> bool:
    """Return False where an option for fewer than 8 bits is combined with 8 bits, or with a format
    of one fixed group size.
    """
    given = [option for option in _BELOW if params[option.id] != option.default]
    return not given or (
        params["mode"] not in _UNGROUPED or (params["mode"] == "nvfp4" and GROUP_SIZE not in given)
    )


def weights_name(params: Mapping[str, Any], suffix: str = "") -> str:
    """Return a name like `weight_only_wi4_afp32_nncf_sym_g64`."""
    group = params[GROUP_SIZE.id]
    return speaking_name(
        f"weight_only_{_BASES[params['mode']]}_afp32_nncf",
        suffix,
        "sym" if params["mode"].endswith("_sym") else "",
        "" if group == GROUP_SIZE.default else group if group == CHANNEL else f"g{group}",
        f"r{params[RATIO.id]:g}" if params[RATIO.id] != RATIO.default else "",
        "all_layers" if params[ALL_LAYERS.id] else "",
        chosen_suffix(params),
    )


def compress(source: Source, params: Mapping[str, Any], ignored: Collection[str]) -> Any:
    """Return the model with its weights compressed.

    Raises:
        InvalidFile, InvalidOption: NNCF cannot compress the model with these options.
    """
    if not is_sensible(params):
        raise InvalidOption(
            "This weight format takes no group size, ratio or all_layers",
            given=params["mode"],
            allowed="their defaults",
            remedy="Leave them out, or choose a format of fewer than 8 bits",
        )
    package = nncf()
    mode, scope = (
        package.CompressWeightsMode(params["mode"]),
        package.IgnoredScope(names=list(ignored)),
    )
    try:
        with quiet():
            compressed = package.compress_weights(
                source.model, mode=mode, ignored_scope=scope, **_below(package, params)
            )
    except package.InvalidGroupSizeError as error:
        raise _group_size(error, params) from error
    except Exception as error:
        raise InvalidFile(
            f"NNCF cannot compress these weights: {reason(error)}",
            given=params["mode"],
            remedy="Choose another mode, or keep the named layer in float (keep_float)",
        ) from error
    return compressed


def _below(package: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return NNCF's arguments for fewer than 8 bits."""
    if params["mode"].startswith("int8"):
        return {}
    group = -1 if params[GROUP_SIZE.id] == CHANNEL else int(params[GROUP_SIZE.id])
    fixed = params["mode"] == "nvfp4"
    sizes = {} if fixed else {"group_size": group}
    fallback = _eight_bits_where_it_does_not_divide(package, _NVFP4_GROUP if fixed else group)
    return {
        "ratio": params[RATIO.id],
        "all_layers": params[ALL_LAYERS.id],
        "advanced_parameters": fallback,
        **sizes,
    }


def _eight_bits_where_it_does_not_divide(package: Any, group: int) -> Any:
    modes = package.quantization.advanced_parameters.GroupSizeFallbackMode
    return package.AdvancedCompressionParameters(
        group_size_fallback_mode=modes.ADJUST, min_adjusted_group_size=max(group, 1)
    )


def _group_size(error: Exception, params: Mapping[str, Any]) -> InvalidOption:
    layers = re.findall(r'^\s*"(.+)" \(channel size: (\d+)\)', str(error), re.MULTILINE)
    shown = ", ".join(f"{name} has {size}" for name, size in layers[:4]) + (
        ", …" if len(layers) > 4 else ""
    )
    return InvalidOption(
        "The group size does not divide the inputs of some layers",
        given=f"{params[GROUP_SIZE.id]}; {shown}",
        remedy=f"Choose a group_size that divides these, or {CHANNEL!r}",
    )


def noted_types(types: Counter[str], params: Mapping[str, Any]) -> dict[str, int]:
    """Return format -> number of weights stored in it.

    Raises:
        InvalidFile: none of them has the requested format.
    """
    if not types:
        raise InvalidFile(
            "NNCF finds no weights to compress in this model",
            allowed="layers that multiply by stored weights",
            remedy="Name fewer layers in `keep_float`, or quantize activations too",
        )
    if not params["mode"].startswith("int8") and all("8" in name for name in types):
        raise InvalidFile(
            "NNCF stores no layer of this model in fewer than 8 bits",
            given=params["mode"],
            allowed=(
                "dense layers whose inputs the group size divides, other than the last, with"
                " all_layers the last too"
            ),
            remedy="Choose all_layers=true, another group_size, a larger ratio, or mode=int8_asym",
        )
    return dict(types)
