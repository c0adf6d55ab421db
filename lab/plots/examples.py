"""Pictures of test items: images, spectrograms, waveforms and texts, each with its class.

`examples_info` computes, `examples_html` draws: HTML that needs nothing else, for a page and for
Jupyter alike. Pictures are in it as data, since a page of many small files opens slowly.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

import numpy as np

from lab.plots import theme
from lab.plugs import Array

Kind = Literal["image", "spectrogram", "waveform", "text"]

VIRIDIS = (
    "#440154",
    "#482878",
    "#3E4989",
    "#31688E",
    "#26828E",
    "#1F9E89",
    "#35B779",
    "#6ECE58",
    "#B5DE2B",
    "#FDE725",
)
"""S. van der Walt, N. Smith: viridis, 2015 (CC0): equal steps look equal, also to colour-blind
people and in grey.
"""

CHANNELS_A_PANEL = 3
"""Lines drawn over each other in a waveform: the three axes of one sensor."""

WIDTH, HEIGHT, GAP = 160, 80, 3
"""Of a waveform, in its own units."""
COLUMNS = {"image": 8, "spectrogram": 4, "waveform": 4}
"""Pictures in a row."""


@dataclass(frozen=True)
class ExamplesInfo:
    """Items ready to be drawn.

    Attributes:
        captions: class name of each item.
        images: of images and spectrograms: uint8, shape (n, height, width, 3).
        waves: of waveforms: shape (n, panels, channels, time), from 0 at the bottom of its panel to
            1 at the top.
        texts: of texts: n strings.
    """

    kind: Kind
    captions: tuple[str, ...]
    images: Array = field(default_factory=lambda: np.zeros((0, 0, 0, 3), np.uint8))
    waves: Array = field(default_factory=lambda: np.zeros((0, 0, 0, 0)))
    texts: tuple[str, ...] = ()

    @property
    def alt(self) -> str:
        """Text alternative of the pictures."""
        what = {
            "image": "Images",
            "spectrogram": "Spectrograms, time to the right and high frequencies up,",
            "waveform": "Waveforms",
            "text": "Texts",
        }[self.kind]
        return f"{what} of the classes {', '.join(dict.fromkeys(self.captions))}"


def examples_info(
    items: Array,
    labels: Array,
    class_names: Sequence[str] = (),
    *,
    show: str = "image",
    show_shape: Sequence[int] = (),
    texts: Sequence[str] = (),
) -> ExamplesInfo:
    """Prepare items for display.

    Args:
        items: images of shape (n, h, w), (n, h, w, 1 or 3) or (n, 1 or 3, h, w); spectrograms (n,
            time, frequency), with axes of size 1 or flat; waveforms (n, time, channels); any
            numeric type, scaled over their own range.
        labels: class numbers, shape (n,).
        show: as a `Dataset` says it.
        show_shape: (time, frequency) of spectrograms that are flat.
        texts: of texts, what they say.

    Raises:
        ValueError: the items cannot be shown that way.
    """
    captions = tuple(_caption(label, class_names) for label in labels)
    if show == "text":
        return ExamplesInfo("text", captions, texts=tuple(texts) or tuple(map(str, items)))
    values = np.asarray(items, dtype=float)
    if show == "spectrogram":
        return ExamplesInfo(
            "spectrogram", captions, images=_spectrograms(values, tuple(show_shape))
        )
    if show == "waveform":
        return ExamplesInfo("waveform", captions, waves=_waves(values))
    return ExamplesInfo("image", captions, images=_images(values))


def _caption(label: Any, class_names: Sequence[str]) -> str:
    number = np.asarray(label).item() if np.ndim(label) == 0 else label
    named = isinstance(number, int) and 0 <= number < len(class_names)
    return str(class_names[number]) if named else str(number)


def _images(items: Array) -> Array:
    colour = _channel_last(items)
    low, high = float(colour.min(initial=0.0)), float(colour.max(initial=0.0))
    scaled = (colour - low) / (high - low if high > low else 1.0)
    return _bytes(np.repeat(scaled, 3, axis=-1) if scaled.shape[-1] == 1 else scaled)


def _channel_last(items: Array) -> Array:
    if items.ndim == 3:
        return items[..., np.newaxis]
    if items.ndim != 4 or not {items.shape[1], items.shape[-1]} & {1, 3}:
        raise ValueError(
            f"These are no images: (n, h, w) with 1 or 3 channels is expected. Given: {items.shape}"
        )
    return items if items.shape[-1] in (1, 3) else np.moveaxis(items, 1, -1)


def _bytes(shares: Array) -> Array:
    return (np.clip(shares, 0, 1) * 255).round().astype(np.uint8)


def _spectrograms(items: Array, shape: tuple[int, ...]) -> Array:
    """Colour (time, frequency) levels; the range leaves out the extreme hundredths, which would
    flatten the rest.
    """
    levels = items.reshape(len(items), *shape) if shape else _without_ones(items)
    if levels.ndim != 3:
        raise ValueError(
            f"These are no spectrograms: (n, time, frequency) is expected. Given: {items.shape}"
        )
    low, high = np.percentile(levels, (1, 99)) if levels.size else (0.0, 1.0)
    return viridis((levels.transpose(0, 2, 1)[:, ::-1] - low) / (high - low if high > low else 1.0))


def _without_ones(items: Array) -> Array:
    return items.reshape(len(items), *[size for size in items.shape[1:] if size != 1])


def viridis(shares: Array) -> Array:
    """Map shares of the range, any shape, to colours, uint8, with a last axis of 3."""
    anchors = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in VIRIDIS])
    at = np.clip(shares, 0, 1) * (len(anchors) - 1)
    mixed = [np.interp(at, np.arange(len(anchors)), anchors[:, channel]) for channel in range(3)]
    return np.stack(mixed, axis=-1).round().astype(np.uint8)


def _waves(items: Array) -> Array:
    """Group channels by three per panel, each panel over its own range, which is the same for all
    items.
    """
    lines = _without_ones(items)
    lines = lines[..., np.newaxis] if lines.ndim == 2 else lines
    if lines.ndim != 3:
        raise ValueError(
            f"These are no waveforms: (n, time, channels) is expected. Given: {items.shape}"
        )
    lines = lines.transpose(0, 2, 1) if lines.shape[1] >= lines.shape[2] else lines
    size = CHANNELS_A_PANEL if lines.shape[1] % CHANNELS_A_PANEL == 0 else lines.shape[1]
    panels = lines.reshape(len(lines), -1, size, lines.shape[2])
    low, high = (reduce(panels, axis=(0, 2, 3), keepdims=True) for reduce in (np.min, np.max))
    shares: Array = (panels - low) / np.where(high > low, high - low, 1.0)
    return shares


# --- drawing --------------------------------------------------------------------------------------


def examples_html(info: ExamplesInfo, *, rows: int | None = None, captions: bool = True) -> str:
    """Draw the items.

    Args:
        rows: number of rows of pictures; None draws all.
        captions: write each item's class below it; a tooltip shows it in any case.
    """
    columns = COLUMNS.get(info.kind, 4)
    shown = len(info.captions) if rows is None else min(len(info.captions), rows * columns)
    if info.kind == "text":
        return _group(
            info,
            "display:flex;flex-wrap:wrap;gap:5px",
            "".join(_chip(info, i) for i in range(shown)),
        )
    figures = "".join(_figure(info, i, captions) for i in range(shown))
    return _group(
        info, f"display:grid;grid-template-columns:repeat({columns},minmax(0,1fr));gap:5px", figures
    )


def _group(info: ExamplesInfo, style: str, content: str) -> str:
    return f'<div role="group" aria-label="{escape(info.alt)}" style="{style}">{content}</div>'


def _chip(info: ExamplesInfo, index: int) -> str:
    style = (
        "border:1px solid rgba(128,128,128,.35);border-radius:6px;padding:0"
        " 7px;font-size:.86em;white-space:nowrap"
    )
    label = f'<span style="opacity:.65"> · {escape(info.captions[index])}</span>'
    return f'<span style="{style}">{escape(info.texts[index])}{label}</span>'


def _figure(info: ExamplesInfo, index: int, captions: bool) -> str:
    caption = escape(info.captions[index])
    ratio = COLUMNS["image"] / COLUMNS[info.kind]  # rows of all kinds are equally high
    style = (
        f"width:100%;display:block;border-radius:4px;aspect-ratio:{ratio};image-rendering:pixelated"
    )
    below = (
        f'<figcaption style="font-size:.8em;opacity:.75;text-align:center">{caption}</figcaption>'
        if captions
        else ""
    )
    picture = (
        f'<img src="{picture_uri(info, index)}" alt="{info.kind}: {caption}" title="{caption}"'
        f' style="{style}">'
    )
    return f'<figure style="margin:0">{picture}{below}</figure>'


def picture_uri(info: ExamplesInfo, index: int) -> str:
    """Return an item's picture as a data URI."""
    if info.kind == "waveform":
        return (
            f"data:image/svg+xml;base64,{b64encode(waves_svg(info.waves[index]).encode()).decode()}"
        )
    return f"data:image/png;base64,{b64encode(png(info.images[index])).decode()}"


def png(image: Array) -> bytes:
    """Encode an image, uint8 (height, width, 3), as a PNG file (ISO/IEC 15948)."""
    height, width, _ = image.shape
    lines = np.concatenate(
        [np.zeros((height, 1), np.uint8), image.reshape(height, -1)], axis=1
    )  # 0: no filter
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def waves_svg(panels: Array) -> str:
    """Draw one item's lines, shape (panels, channels, time), with the panels above each other and
    colours for light and dark.
    """
    high = (HEIGHT - GAP * (len(panels) - 1)) / max(len(panels), 1)
    drawn = "".join(
        _panel(lines, number * (high + GAP), high) for number, lines in enumerate(panels)
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">{drawn}</svg>'


def _panel(lines: Array, top: float, high: float) -> str:
    ground = (
        f'<rect y="{top:.1f}" width="{WIDTH}" height="{high:.1f}" rx="3" fill="#808080"'
        ' fill-opacity=".12"/>'
    )
    return ground + "".join(
        _line(line, theme.OKABE_ITO[1 + n % 3], top, high) for n, line in enumerate(lines)
    )


def _line(line: Array, color: str, top: float, high: float) -> str:
    across, up = np.linspace(1, WIDTH - 1, len(line)), top + 1 + (1 - line) * (high - 2)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, up, strict=True))
    return (
        f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.1"'
        ' stroke-linejoin="round"/>'
    )
