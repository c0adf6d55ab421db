"""Options that choose layers: layers to quantize, layers to keep in float, and layers with 16-bit
activations.

Layers have the names of `lab.formats.layers.layer_table` for the file that the technique reads:
ONNX nodes, TFLite operators, OpenVINO nodes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from lab.compress.naming import speaking_name
from lab.errors import InvalidOption
from lab.options import Option
from lab.types import digest_of

KEEP_FLOAT = Option(
    id="keep_float",
    label="Layers kept in float",
    kind="names",
    default=(),
    help=(
        "Layers that are not quantized, for example because they cost more accuracy than their"
        " size is worth."
    ),
)

ONLY = Option(
    id="only",
    label="Only these layers",
    kind="names",
    default=(),
    help=(
        "Quantize only these layers; an empty list means all layers. This measures what each"
        " layer costs by itself."
    ),
)

WIDE = Option(
    id="wide",
    label="Layers with 16-bit activations",
    kind="names",
    default=(),
    help=(
        "Layers whose activations are stored in 16 bits instead of 8, which loses less accuracy"
        " and is still smaller than float."
    ),
)

KEEP = Option(
    id="keep",
    label="Layers to keep unchanged",
    kind="names",
    default=(),
    help=(
        "Layers whose weights stay unchanged, for example because changing them costs more"
        " accuracy than it is worth."
    ),
)

LAYERS = (KEEP_FLOAT, ONLY)
LONGEST_NAME = 40


def chosen_suffix(params: Mapping[str, Any]) -> str:
    """Return `only_…`, `float_…`, `wide_…` and `keep_…` with the layer's name, or with the number
    of layers and a digest of their names.
    """
    words = {ONLY.id: "only", KEEP_FLOAT.id: "float", WIDE.id: "wide", KEEP.id: "keep"}
    return speaking_name(
        "", *(f"{word}_{_few(params[id_])}" for id_, word in words.items() if params.get(id_))
    )


def _few(names: Collection[str]) -> str:
    plain = [re.sub(r"[^A-Za-z0-9.]+", "_", name).strip("_") for name in names]
    if len(plain) == 1 and len(plain[0]) <= LONGEST_NAME:
        return plain[0]
    return f"{len(plain)}_layer{'s' * (len(plain) > 1)}_{digest_of(sorted(names))[:4]}"


def left_float(params: Mapping[str, Any], quantizable: Collection[str]) -> tuple[str, ...]:
    """Return the layers of a file that these options keep in float, in the file's order.

    Raises:
        InvalidOption: the options name a layer that the file does not have.
    """
    for id_ in (KEEP_FLOAT.id, ONLY.id, WIDE.id):
        check_names(id_, params.get(id_, ()), quantizable)
    only, keep = set(params.get(ONLY.id, ())), set(params.get(KEEP_FLOAT.id, ()))
    return tuple(name for name in quantizable if name in keep or (only and name not in only))


def check_names(option: str, names: Collection[str], known: Collection[str]) -> None:
    """Raise InvalidOption for the first name that is not among the known ones."""
    for name in names:
        if name not in known:
            near = get_close_matches(name, list(known), n=1)
            shown = ", ".join(list(known)[:12]) + (
                f" and {len(known) - 12} more" if len(known) > 12 else ""
            )
            raise InvalidOption(
                f"The option {option!r} names a layer that this file does not have",
                allowed=shown,
                given=name,
                remedy=(
                    f"Did you mean {near[0]!r}?"
                    if near
                    else "Look the names up in the trial's layers"
                ),
            )
