"""A few test items, drawn: images in one row with their class below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab.plots import theme
from lab.plugs import Array

HEIGHT = 110


@dataclass(frozen=True)
class ExamplesInfo:
    """Images as bytes of grey or colour, all of one size.

    Attributes:
        images: uint8, shape (n, height, width, 3).
        captions: n names of classes.
    """

    images: Array
    captions: tuple[str, ...]


def examples_info(items: Array, labels: Array, class_names: Sequence[str] = ()) -> ExamplesInfo:
    """Make images of any layout fit to be shown.

    Args:
        items: shape (n, h, w), (n, h, w, 1 or 3) or (n, 1 or 3, h, w); any numeric type, scaled over its own range.
        labels: class numbers, shape (n,).
    """
    grey = _channel_last(np.asarray(items, dtype=float))
    low, high = float(grey.min(initial=0.0)), float(grey.max(initial=0.0))
    scaled = (grey - low) / (high - low if high > low else 1.0)
    images = np.repeat(scaled, 3, axis=-1) if scaled.shape[-1] == 1 else scaled
    captions = tuple(class_names[int(i)] if int(i) < len(class_names) else str(int(i)) for i in labels)
    return ExamplesInfo((images * 255).round().astype(np.uint8), captions)


def _channel_last(items: Array) -> Array:
    if items.ndim == 3:
        return items[..., np.newaxis]
    if items.ndim != 4:
        raise ValueError(f"Images have shape (n, h, w), (n, h, w, c) or (n, c, h, w). Given: {items.shape}")
    return items if items.shape[-1] in (1, 3) else np.moveaxis(items, 1, -1)


def montage(info: ExamplesInfo, gap: int = 1) -> Array:
    """The images side by side, uint8, shape (h, n * (w + gap) - gap, 4); the gap is transparent."""
    count, height, width, _ = info.images.shape
    sheet = np.zeros((height, max(count * (width + gap) - gap, 0), 4), dtype=np.uint8)
    for index, image in enumerate(info.images):
        left = index * (width + gap)
        sheet[:, left : left + width, :3], sheet[:, left : left + width, 3] = image, 255
    return sheet


def examples_figure(info: ExamplesInfo, mode: theme.Mode = "light") -> Any:
    """Draw them in one row, each above its class."""
    import plotly.graph_objects as go

    count, _, width, _ = info.images.shape
    figure = go.Figure(go.Image(z=montage(info), colormodel="rgba256", hoverinfo="skip"))
    ticks = [index * (width + 1) + (width - 1) / 2 for index in range(count)]
    axis = {
        "tickvals": ticks,
        "ticktext": list(info.captions),
        "ticks": "",
        "showgrid": False,
        "constrain": "domain",
        "constraintoward": "left",
    }
    figure.update_layout(template=theme.template(mode), height=HEIGHT, margin={"l": 0, "r": 0, "t": 0, "b": 24})
    figure.update_layout(xaxis=axis, yaxis={"visible": False, "scaleanchor": "x"})
    return figure
