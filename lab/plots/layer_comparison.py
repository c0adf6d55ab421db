"""Comparison of several trials by layer and by part of the file: bars and tables of time and
bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from lab.analysis.layer_comparison import LayerCell, LayerComparison
from lab.evidence import Anatomy
from lab.plots import formatting, theme
from lab.plots.anatomy import TITLES
from lab.plots.deltas import color
from lab.plots.profile import KINDS, WORDS

MOST, ROW_PX, BAR_PX, FRAME_PX, LONGEST_LABEL = 25, 8, 11, 104, 34


@dataclass(frozen=True)
class BarsInfo:
    """Groups of bars, one group per row with one bar per trial.

    Attributes:
        rows: labels, top first; names: of the trials.
        values: for each trial one number a row in SI units, None where it has none.
        divisor, suffix: numbers by divisor are in the axis' unit.
        left_out: rows that are not drawn, since they hold less than those that are.
    """

    title: str
    rows: tuple[str, ...]
    names: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    unit: str
    divisor: float
    suffix: str
    left_out: int = 0


def _bars(
    title: str, rows: Mapping[str, Sequence[float | None]], names: Sequence[str], unit: str
) -> BarsInfo:
    """Return the largest MOST rows, in the given order."""
    largest = sorted(rows, key=lambda name: -max((v or 0.0 for v in rows[name]), default=0.0))[
        :MOST
    ]
    kept = [name for name in rows if name in set(largest) and any(rows[name])]
    divisor, suffix = formatting.scale(
        unit, max((v or 0.0 for name in kept for v in rows[name]), default=1.0)
    )
    values = tuple(tuple(rows[name][n] for name in kept) for n in range(len(names)))
    return BarsInfo(
        title,
        tuple(kept),
        tuple(names),
        values,
        unit,
        divisor,
        suffix,
        sum(any(v) for v in rows.values()) - len(kept),
    )


def time_info(comparison: LayerComparison, names: Sequence[str]) -> BarsInfo:
    """Lay out the time of each layer, and below it that of all other operators by kind."""
    rows: dict[str, Sequence[float | None]] = {
        name: [c.time_s if c else None for c in cells] for name, cells in comparison.layers.items()
    }
    for kind in (k for k in KINDS if any(k in rest for rest in comparison.rest)):
        rows[f"elsewhere: {WORDS[kind]}"] = [rest.get(kind) for rest in comparison.rest]
    return _bars("time in one call", rows, names, "s")


def weights_info(comparison: LayerComparison, names: Sequence[str]) -> BarsInfo:
    """Lay out the bytes of each layer's weights."""
    rows = {
        name: [c.weight_bytes if c else None for c in cells]
        for name, cells in comparison.layers.items()
    }
    return _bars("weights in the file", rows, names, "B")


def parts_info(anatomies: Sequence[Anatomy | None], names: Sequence[str]) -> BarsInfo:
    """Lay out the bytes of each part of the files."""
    parts = dict.fromkeys(part for a in anatomies if a for part in a.parts)
    rows = {
        TITLES.get(part, part): [a.parts.get(part) if a else None for a in anatomies]
        for part in parts
    }
    return _bars("bytes of the file", rows, names, "B")


def height_of(info: BarsInfo) -> int:
    """Return the height of the figure in pixels."""
    return FRAME_PX + (ROW_PX + BAR_PX * len(info.names)) * max(len(info.rows), 2)


def bars_spec(info: BarsInfo, mode: theme.Mode = "light") -> dict[str, Any]:
    """Draw grouped bars, the first trial on top of each group."""
    unit = f" ({info.suffix})" if info.suffix else ""
    return {
        "data": [_trace(info, n, name, mode) for n, name in enumerate(info.names)],
        "layout": {
            "template": theme.template(mode).to_plotly_json(),
            "height": height_of(info),
            "hovermode": "closest",
            "barmode": "overlay",
            "xaxis": {"title": {"text": f"{info.title}{unit}"}, "rangemode": "tozero"},
            "yaxis": {
                "tickvals": list(range(len(info.rows))),
                "ticktext": [escape(_short(r)) for r in info.rows],
                "showgrid": False,
                "range": [max(len(info.rows), 1) - 0.5, -0.5],
            },
            "legend": {"y": 1.0 + 26 / height_of(info)},
            "showlegend": True,
        },
    }


def _trace(info: BarsInfo, number: int, name: str, mode: theme.Mode) -> dict[str, Any]:
    count = len(info.names)
    width = 0.8 / count
    bars = [(place, v) for place, v in enumerate(info.values[number]) if v is not None]
    return {
        "type": "bar",
        "orientation": "h",
        "name": escape(name),
        "width": 0.94 * width,
        "marker": {"color": color(number, mode)},
        "x": [v / info.divisor for _, v in bars],
        "y": [place + width * (number + 0.5) - 0.4 for place, _ in bars],
        "hovertext": [
            f"<b>{escape(info.rows[place])}</b><br>{escape(name)}: {formatting.value(v, info.unit)}"
            for place, v in bars
        ],
        "hoverinfo": "text",
    }


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else "…" + label[1 - LONGEST_LABEL :]


def layer_rows(comparison: LayerComparison, names: Sequence[str]) -> list[dict[str, str]]:
    """Return one row per layer of the source model with the precision and time of each trial, then
    the operators outside all layers.
    """
    rows = [
        {
            "Layer": layer,
            "Type": comparison.types.get(layer, ""),
            **{n: _cell(c) for n, c in zip(names, cells, strict=True)},
        }
        for layer, cells in comparison.layers.items()
    ]
    for kind in (k for k in KINDS if any(k in rest for rest in comparison.rest)):
        times = {
            n: formatting.value(rest[kind], "s") if kind in rest else formatting.UNKNOWN
            for n, rest in zip(names, comparison.rest, strict=True)
        }
        rows.append({"Layer": "elsewhere", "Type": WORDS[kind], **times})
    return rows


def _cell(cell: LayerCell | None) -> str:
    """ "int8 · 12.3 µs"."""
    if cell is None:
        return formatting.UNKNOWN
    return " · ".join(
        [cell.precision or "?", "" if cell.time_s is None else formatting.value(cell.time_s, "s")]
    ).removesuffix(" · ")


def weight_rows(comparison: LayerComparison, names: Sequence[str]) -> list[dict[str, str]]:
    """Return one row per layer with the data type and bytes of its weights in each trial."""
    return [
        {
            "Layer": layer,
            "Type": comparison.types.get(layer, ""),
            **{n: _stored(c) for n, c in zip(names, cells, strict=True)},
        }
        for layer, cells in comparison.layers.items()
        if any(c and c.weight_bytes for c in cells)
    ]


def _stored(cell: LayerCell | None) -> str:
    if cell is None or cell.weight_bytes is None:
        return formatting.UNKNOWN
    return f"{cell.stored_as or '?'} · {formatting.value(cell.weight_bytes, 'B')}"


def parts_rows(anatomies: Sequence[Anatomy | None], names: Sequence[str]) -> list[dict[str, str]]:
    """Return one row per part of the files, then their sums."""
    parts = dict.fromkeys(part for a in anatomies if a for part, size in a.parts.items() if size)
    rows = [
        {
            "Part": TITLES.get(part, part),
            **{
                n: _bytes(a.parts.get(part, 0) if a else None)
                for n, a in zip(names, anatomies, strict=True)
            },
        }
        for part in parts
    ]
    return [
        *rows,
        {
            "Part": "the file",
            **{
                n: _bytes(a.size_bytes if a else None)
                for n, a in zip(names, anatomies, strict=True)
            },
        },
    ]


def _bytes(size: int | None) -> str:
    return formatting.UNKNOWN if size is None else f"{size:,} B"


def unmatched_text(comparison: LayerComparison, names: Sequence[str]) -> str:
    """Name the trials with layers that could not be matched with the source model, in a sentence;
    "" if all could.
    """
    blank = [n for n, looked in zip(names, comparison.looked_into, strict=True) if not looked]
    none = [
        n
        for i, n in enumerate(names)
        if comparison.looked_into[i] and not any(c[i] for c in comparison.layers.values())
    ]
    some = [f"{k} of {n}" for n, k in zip(names, comparison.unmatched, strict=True) if k]
    texts = [
        f"The file of {', '.join(blank)} was not analysed." if blank else "",
        f"The format of {', '.join(none)} does not distinguish layers." if none else "",
        f"Layers without a match in the source model: {', '.join(some)}." if some else "",
    ]
    return " ".join(text for text in texts if text)
