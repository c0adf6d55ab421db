"""Time of one call by layer: bars coloured by kind of operator, for one trial or two side by
side.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from lab.evidence import Kind, OperatorTime, Profile
from lab.plots import formatting, theme

Order = Literal["time", "run"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST, ROW_PX, FRAME_PX, LONGEST_LABEL = 25, 20, 96, 34
WORDS: Mapping[Kind, str] = {
    "compute": "arithmetic",
    "quantize": "float to integer",
    "dequantize": "integer to float",
    "layout": "data movement",
    "other": "everything else",
}
"""Description of each kind of operator, for the legend."""
_PATTERNS: Mapping[Kind, str] = {
    "compute": "",
    "quantize": "/",
    "dequantize": "\\",
    "layout": "x",
    "other": "",
}
_COLORS: Mapping[Kind, int] = {"compute": 0, "quantize": 1, "dequantize": 4, "layout": 2}
_RENAMED = re.compile(r"(/WithoutBiases|_quant|_Q\d+)$")


@dataclass(frozen=True)
class Row:
    """One layer, or the operators of one sort that belong to no layer.

    Attributes:
        label: the layer's name, or the operator's.
        times: for each profile seconds by kind; empty where the layer is not in it.
        texts: for each profile what ran, for the hover.
    """

    label: str
    times: tuple[Mapping[Kind, float], ...]
    texts: tuple[str, ...]

    @property
    def longest(self) -> float:
        """Seconds in the profile in which it takes more."""
        return max(sum(times.values()) for times in self.times)


@dataclass(frozen=True)
class ProfileInfo:
    """Values of the plot, top first.

    Attributes:
        names: of the profiles.
        divisor, suffix: seconds by divisor are in the axis' unit.
        note: limits of the numbers, in sentences.
    """

    rows: tuple[Row, ...]
    names: tuple[str, ...]
    divisor: float
    suffix: str
    note: str


def profile_info(
    profile: Profile, other: Profile | None = None, names: Sequence[str] = (), order: Order = "time"
) -> ProfileInfo:
    """Lay out one profile, or two whose layers are paired by name.

    Args:
        names: of the trials; what follows a layer's name in a quantized file is left out for
            pairing.
        order: the longest first, or as they ran, those that only the second has last. The longest
            MOST rows are shown either way, and the others together.
    """
    profiles = [profile] if other is None else [profile, other]
    grouped = [_grouped(p.operators) for p in profiles]
    keys = list(dict.fromkeys(key for groups in grouped for key in groups))
    rows = [_row([groups.get(key, []) for groups in grouped], key) for key in keys]
    longest = sorted(rows, key=lambda row: -row.longest)
    shown = longest if order == "time" else rows
    if len(rows) > MOST:
        kept = {id(row) for row in longest[:MOST]}
        shown = [row for row in shown if id(row) in kept] + [
            _together([row for row in rows if id(row) not in kept])
        ]
    divisor, suffix = formatting.scale("s", longest[0].longest if longest else 1.0)
    return ProfileInfo(
        tuple(shown),
        tuple(names) or ("this", "the other")[: len(profiles)],
        divisor,
        suffix,
        _note(profiles, names),
    )


def _grouped(operators: Sequence[OperatorTime]) -> dict[str, list[OperatorTime]]:
    groups: dict[str, list[OperatorTime]] = {}
    for operator in operators:
        groups.setdefault(_RENAMED.sub("", operator.layer) or operator.operator, []).append(
            operator
        )
    return groups


def _row(groups: Sequence[Sequence[OperatorTime]], key: str) -> Row:
    return Row(
        key,
        tuple(_by_kind(group) for group in groups),
        tuple("<br>".join(map(_said, group)) for group in groups),
    )


def _by_kind(operators: Sequence[OperatorTime]) -> dict[Kind, float]:
    """Seconds by kind, those that occur."""
    return {
        k: sum(o.time_s for o in operators if o.kind == k)
        for k in KINDS
        if any(o.kind == k for o in operators)
    }


def _said(operator: OperatorTime) -> str:
    how = ", ".join(part for part in (operator.precision, operator.placed_on) if part)
    return f"{operator.operator}: {formatting.value(operator.time_s, 's')}" + (
        f" ({how})" if how else ""
    )


def _together(rows: Sequence[Row]) -> Row:
    """Sum up the rows that are not shown."""
    count = len(rows[0].times)
    times = tuple(
        {
            k: sum(r.times[n].get(k, 0.0) for r in rows)
            for k in KINDS
            if any(k in r.times[n] for r in rows)
        }
        for n in range(count)
    )
    return Row(
        f"{formatting.plural(len(rows), 'other')}",
        times,
        tuple("all shorter rows" for _ in range(count)),
    )


def _note(profiles: Sequence[Profile], names: Sequence[str]) -> str:
    """Remarks of the profiles, and how much of a call is in no operator."""
    parts = []
    for number, profile in enumerate(profiles):
        rest = max(profile.total_s - profile.operators_s, 0.0)
        text = (
            f"{formatting.value(profile.operators_s, 's')} in operators and"
            f" {formatting.value(rest, 's')} outside them, over"
            f" {formatting.plural(profile.runs, 'run')}."
        )
        parts.append(
            " ".join(
                part
                for part in (f"{names[number]}:" if len(names) > number else "", text, profile.note)
                if part
            )
        )
    return " ".join(parts)


def height_of(info: ProfileInfo) -> int:
    """Pixels that the figure takes."""
    return FRAME_PX + ROW_PX * len(info.names) * max(len(info.rows), 3)


def profile_figure(info: ProfileInfo, mode: theme.Mode = "light") -> Any:
    """`profile_spec` as a Plotly figure."""
    import plotly.graph_objects as go

    return go.Figure(profile_spec(info, mode))


def profile_spec(info: ProfileInfo, mode: theme.Mode = "light") -> dict[str, Any]:
    """A bar for each row and profile, its kinds one behind the other; the second profile's bars are
    paler and below.
    """
    traces = [
        _bars(info, number, kind, mode) for number in range(len(info.names)) for kind in KINDS
    ]
    both = (
        f": {info.names[0]} above, {info.names[1]} below and paler" if len(info.names) > 1 else ""
    )
    layout = {
        "template": theme.template(mode).to_plotly_json(),
        "height": height_of(info),
        "barmode": "stack",
        "hovermode": "closest",
        "xaxis": {
            "title": {"text": f"time in one call ({info.suffix}){both}"},
            "rangemode": "tozero",
        },
        "yaxis": {
            "tickvals": list(range(len(info.rows))),
            "ticktext": [_short(r.label) for r in info.rows],
            "range": [max(len(info.rows), 1) - 0.5, -0.5],
            "showgrid": False,
        },
        "legend": {"y": 1.0 + 26 / height_of(info)},
    }
    return {"data": [trace for trace in traces if trace["x"]], "layout": layout}


def _bars(info: ProfileInfo, number: int, kind: Kind, mode: theme.Mode) -> dict[str, Any]:
    rows = [(n, row) for n, row in enumerate(info.rows) if kind in row.times[number]]
    both = len(info.names) > 1
    return {
        "type": "bar",
        "orientation": "h",
        "name": f"{kind}: {WORDS[kind]}",
        "legendgroup": kind,
        "legendrank": KINDS.index(kind),
        "showlegend": number == 0 or not any(kind in row.times[0] for row in info.rows),
        "y": [n + (0.0 if not both else 0.42 * number - 0.21) for n, _ in rows],
        "width": 0.4 if both else 0.76,
        "x": [row.times[number][kind] / info.divisor for _, row in rows],
        "marker": {
            "color": color_of(kind, mode),
            "opacity": 0.55 if number else 1.0,
            "pattern": {
                "shape": _PATTERNS[kind],
                "fillmode": "overlay",
                "solidity": 0.25,
                "size": 6,
            },
        },
        "hovertext": [
            f"<b>{row.label}</b><br>{info.names[number]}<br>{row.texts[number]}" for _, row in rows
        ],
        "hoverinfo": "text",
    }


def color_of(kind: Kind, mode: theme.Mode = "light") -> str:
    """The colour of a kind of operators; "other" is grey."""
    if kind == "other":
        return theme.INKS[mode].muted
    return (
        theme.DARK_BLUE_FOR_DARK
        if kind == "compute" and mode == "dark"
        else theme.OKABE_ITO[_COLORS[kind]]
    )


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else "…" + label[1 - LONGEST_LABEL :]


def profile_rows(profile: Profile) -> list[dict[str, str]]:
    """A table's rows as text, an operator a line, in the order in which they ran."""
    return [
        {
            "Operator": o.operator + (f" ×{o.calls}" if o.calls > 1 else ""),
            "Layer": o.layer or formatting.UNKNOWN,
            "Time": formatting.value(o.time_s, "s"),
            "Share": _share(o.time_s, profile),
            "Precision": o.precision or formatting.UNKNOWN,
            "Placed on": o.placed_on or formatting.UNKNOWN,
            "Kind": o.kind,
        }
        for o in profile.operators
    ]


def kinds_rows(
    profile: Profile, other: Profile | None = None, names: Sequence[str] = ()
) -> list[dict[str, str]]:
    """Return time by kind as text; two profiles have a pair of columns each."""
    profiles = [profile] if other is None else [profile, other]
    heads = [
        f", {names[n]}" if len(names) > n and other is not None else "" if n == 0 else ", the other"
        for n in range(len(profiles))
    ]
    rows = []
    for kind in (k for k in KINDS if any(o.kind == k for p in profiles for o in p.operators)):
        spent = [_by_kind(p.operators).get(kind, 0.0) for p in profiles]
        cells = [
            {f"Time{h}": formatting.value(s, "s"), f"Share{h}": _share(s, p)}
            for h, s, p in zip(heads, spent, profiles, strict=True)
        ]
        rows.append(
            {"Kind": kind, "Meaning": WORDS[kind]}
            | {k: v for cell in cells for k, v in cell.items()}
        )
    return rows


def _share(seconds: float, profile: Profile) -> str:
    return formatting.value(seconds / max(profile.operators_s, 1e-12), "1")


def profile_json(profile: Profile) -> dict[str, Any]:
    """Return as JSON the profile itself, seconds by kind, and seconds outside the operators."""
    return {
        **asdict(profile),
        "operators_s": profile.operators_s,
        "kinds_s": _by_kind(profile.operators),
        "around_s": max(profile.total_s - profile.operators_s, 0.0),
    }
