"""Options that choose layers, for a torch.export program: an activation belongs to the layer before
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.compress.choosing import KEEP_FLOAT, ONLY, check_names, left_float
from lab.errors import InvalidOption


def layers_left(program: Any, layer_of: Mapping[str, str], params: Mapping[str, Any]) -> set[str]:
    """Return the layers that KEEP_FLOAT and ONLY keep in float.

    Args:
        layer_of: see `lab.formats.torch_export.layers.layer_of_node`.

    Raises:
        InvalidOption: they name a layer that the program does not have.
    """
    from lab.formats.torch_export.layers import leader_of_layer

    leader = leader_of_layer(program, layer_of)
    for id_ in (KEEP_FLOAT.id, ONLY.id):
        check_names(id_, params[id_], leader)
    leaders = {id_: [leader[name] for name in params[id_]] for id_ in (KEEP_FLOAT.id, ONLY.id)}
    left = set(left_float(leaders, leader))
    return {name for name in leader if leader[name] in left}


def nothing_left(params: Mapping[str, Any], layers: list[str]) -> InvalidOption:
    """Return the error for options that leave no layer to quantize.

    Args:
        layers: layers that could be quantized.
    """
    return InvalidOption(
        "Nothing is left to quantize",
        allowed=", ".join(layers),
        given={id_: list(params[id_]) for id_ in (KEEP_FLOAT.id, ONLY.id)},
        remedy="Leave fewer layers in float, or name one of these",
    )
