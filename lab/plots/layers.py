"""A model's layers as a table: sorted by a click, with each layer's share drawn in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.formats.layers import activation_peak_bytes, total_macs
from lab.plots import formatting
from lab.types import Layer

if TYPE_CHECKING:
    import pandas as pd


def layers_table(layers: Sequence[Layer]) -> pd.DataFrame:
    """Return one row per layer in running order; shares in percent of the whole model."""
    import pandas as pd

    parameters = sum(layer.parameters for layer in layers) or 1
    macs = sum(layer.macs or 0 for layer in layers) or 1
    rows = [
        {
            "#": number,
            "Layer": layer.name,
            "Type": layer.type,
            "Output shape": " × ".join(map(str, layer.output_shape)) or "–",
            "Parameters": layer.parameters,
            "Share of parameters": 100 * layer.parameters / parameters,
            "MACs": layer.macs,
            "Share of MACs": None if layer.macs is None else 100 * layer.macs / macs,
            "Output, kB": layer.activation_bytes / 1e3,
        }
        for number, layer in enumerate(layers, 1)
    ]
    return pd.DataFrame(rows)


def totals(layers: Sequence[Layer]) -> str:
    """Totals of all layers in one line: "12 layers, 38 282 parameters, 337 536 MACs per item, 12.3
    kB of activations at peak".
    """
    macs = total_macs(layers)
    return ", ".join(
        [
            formatting.plural(len(layers), "layer"),
            f"{sum(layer.parameters for layer in layers):,} parameters",
            "MACs unknown" if macs is None else f"{macs:,} MACs per item",
            (f"{formatting.value(activation_peak_bytes(layers), 'B')} of activations at peak"),
        ]
    )
