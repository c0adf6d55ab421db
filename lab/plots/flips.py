"""Test items with different predictions of two trials, drawn with both predictions, and the changes
class by class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from lab.analysis.flips import KINDS, ClassChange, Flip, Flips, Kind, Value
from lab.plots import formatting, theme
from lab.plots.differences import p_text
from lab.plots.examples import ExamplesInfo, picture_uri

if TYPE_CHECKING:
    from numpy.typing import NDArray

NORMAL, ALARM = ("normal", "anomalous"), ("no alarm", "alarm")
COLUMNS = {"image": 8, "spectrogram": 4, "waveform": 4}
"""Pictures in a row."""
MOST_CLASSES, MOST_NUMBERS = 40, 14
"""Most classes shown, and most classes whose heatmap shows numbers."""
PALE = 1.8
"""Factor by which the colour range exceeds the largest change, so that numbers stay readable."""
_VALUES: Mapping[Value, str] = {
    "probability": "Percentages are the probabilities that each model gives its own prediction.",
    "softmax": (
        "Percentages are each model's confidence in its own prediction: the softmax of its outputs."
    ),
    "score": "Numbers are each model's score of its own prediction, not probabilities.",
    "anomaly": "Numbers are anomaly scores; a score above {threshold} raises an alarm.",
    "none": ("Wrong predictions are not in this lab: they stay where they were evaluated."),
}


@dataclass(frozen=True)
class Naming:
    """Names of classes, predictions and trials.

    Attributes:
        classes: by number; empty to show numbers.
        predictions: by number, if predictions are no classes, such as alarms; else as `classes`.
        before, after: the two trials.
    """

    classes: tuple[str, ...] = ()
    predictions: tuple[str, ...] = ()
    before: str = "A"
    after: str = "B"

    def truth(self, number: int | None) -> str:
        """Return the name of an item's true class."""
        return _named(number, self.classes)

    def prediction(self, number: int | None) -> str:
        """Return the name of a trial's prediction."""
        return _named(number, self.predictions or self.classes)


def naming(task: str, class_names: Sequence[str], before: str = "A", after: str = "B") -> Naming:
    """Return the names of a task's predictions."""
    if task == "anomaly_detection":
        return Naming(tuple(class_names) if len(class_names) == 2 else NORMAL, ALARM, before, after)
    return Naming(tuple(class_names), (), before, after)


def _named(number: int | None, names: Sequence[str]) -> str:
    if number is None:
        return "?"
    return names[number] if 0 <= number < len(names) else str(number)


def kind_texts(flips: Flips, names: Naming) -> dict[Kind, str]:
    """Return kind -> its name with its count, for all possible kinds."""
    texts: dict[Kind, str] = {
        "broken": f"Broken by {names.after}",
        "fixed": f"Fixed by {names.after}",
        "changed": "Both wrong, differently",
    }
    return {k: f"{texts[k]} ({len(flips.of(k))})" for k in KINDS if k != "changed" or flips.of(k)}


def flips_text(flips: Flips, names: Naming) -> str:
    """Summarise all items: the number of flips of each kind, and the kind of numbers beside
    predictions.
    """
    fixed, broken, changed = (len(flips.of(k)) for k in ("fixed", "broken", "changed"))
    more = (
        f", and is wrong in another way on {changed}"
        if flips.answers_known and (changed or flips.value != "anomaly")
        else ""
    )
    return (
        f"Of {flips.n:,} test items, {names.after} breaks {broken} that {names.before} gets"
        f" right{',' if more else ' and'} fixes {fixed}{more}. Both are right on"
        f" {flips.both_right:,}. {value_text(flips)}"
    )


def value_text(flips: Flips) -> str:
    """Describe the numbers beside predictions."""
    return _VALUES[flips.value].format(
        threshold="" if flips.threshold is None else _score(flips.threshold)
    )


def _score(value: float) -> str:
    return f"{value:.3g}"


def number_text(value: float | None, kind: Value) -> str:
    """Return the text of a number beside a prediction: "98 %", "0.731"; "" without a number."""
    if value is None:
        return ""
    return f"{100 * value:.0f} %" if kind in ("probability", "softmax") else _score(value)


def flip_rows(flips: Sequence[Flip], value: Value, names: Naming) -> list[dict[str, str]]:
    """Return flipped items as text rows of a table."""
    words: dict[Kind, str] = {
        "fixed": f"fixed by {names.after}",
        "broken": f"broken by {names.after}",
        "changed": "both wrong",
    }
    return [
        {
            "Item": str(f.item),
            "Truth": names.truth(f.truth),
            names.before: _prediction(f.before, f.before_value, value, names),
            names.after: _prediction(f.after, f.after_value, value, names),
            "Kind": words[f.kind],
            "Gap": f"{f.gap:.2f}" if value != "none" else formatting.UNKNOWN,
        }
        for f in flips
    ]


def _prediction(number: int | None, value: float | None, kind: Value, names: Naming) -> str:
    text = number_text(value, kind)
    return names.prediction(number) + (f" ({text})" if text else "")


def flips_html(
    flips: Sequence[Flip], value: Value, names: Naming, pictures: ExamplesInfo | None
) -> str:
    """Draw flipped items: the item, its true class, and the prediction of each trial.

    Args:
        pictures: of the same items, in their order; None where they cannot be drawn.
    """
    columns = COLUMNS.get(pictures.kind, 4) if pictures else 6
    cards = "".join(_card(f, i, value, names, pictures) for i, f in enumerate(flips))
    style = f"display:grid;grid-template-columns:repeat({columns},minmax(0,1fr));gap:14px 10px"
    return f'<div role="list" aria-label="Test items that flipped" style="{style}">{cards}</div>'


def _card(
    flip: Flip, index: int, value: Value, names: Naming, pictures: ExamplesInfo | None
) -> str:
    lines = _line("is", names.truth(flip.truth), "", None)
    lines += _line(
        names.before,
        names.prediction(flip.before),
        number_text(flip.before_value, value),
        flip.kind == "broken",
    )
    lines += _line(
        names.after,
        names.prediction(flip.after),
        number_text(flip.after_value, value),
        flip.kind == "fixed",
    )
    number = f'<span style="opacity:.6">#{flip.item}</span>'
    style = "font-size:.8em;line-height:1.35;min-width:0"
    shown = _shown(flip, index, pictures)
    return f'<div role="listitem" style="{style}">{shown}{number}{lines}</div>'


def _shown(flip: Flip, index: int, pictures: ExamplesInfo | None) -> str:
    if pictures is None:
        return ""
    if pictures.kind == "text":
        style = (
            "border:1px solid rgba(128,128,128,.35);border-radius:6px;padding:6px"
            " 8px;font-size:1.15em;overflow-wrap:anywhere"
        )
        return f'<div style="{style}">{escape(pictures.texts[index])}</div>'
    ratio = COLUMNS["image"] / COLUMNS[pictures.kind]
    style = (
        f"width:100%;display:block;border-radius:4px;aspect-ratio:{ratio};image-rendering:pixelated"
    )
    return (
        f'<img src="{picture_uri(pictures, index)}" alt="{pictures.kind} {flip.item}"'
        f' style="{style}">'
    )


def _line(who: str, what: str, sure: str, right: bool | None) -> str:
    """ "B ✗ seven 61 %"."""
    mark = "" if right is None else "✓ " if right else "✗ "
    tint = "inherit" if right is None else theme.OKABE_ITO[2] if right else theme.OKABE_ITO[1]
    style = "white-space:nowrap;overflow:hidden;text-overflow:ellipsis"
    text = escape(" · ".join(filter(None, (what, sure))))
    return (
        f'<div style="{style}" title="{escape(who)}: {text}"><span'
        f' style="opacity:.6">{escape(who)}</span> <span'
        f' style="color:{tint}">{mark}</span>{text}</div>'
    )


def flips_json(flips: Flips) -> dict[str, Any]:
    """Return all values as JSON."""
    return asdict(flips)


# --- class by class -------------------------------------------------------------------------------


def class_rows(changes: Sequence[ClassChange], names: Naming) -> list[dict[str, Any]]:
    """Return one row per class, the greatest loss first."""
    ordered = sorted(changes, key=lambda c: (c.change, c.number))
    return [
        {
            "Class": names.truth(c.number),
            "Items": c.n,
            f"{names.before} right": formatting.value(c.before / c.n, "1"),
            f"{names.after} right": formatting.value(c.after / c.n, "1"),
            "Won": c.won,
            "Lost": c.lost,
            "Points": round(100 * c.change, 1),
            "95 % interval": f"{100 * c.low:+.1f} to {100 * c.high:+.1f}",
            "p": p_text(c.adjusted),
            "Verdict": (
                "equal" if c.won == c.lost == 0 else "differs" if c.differs else "may be chance"
            ),
        }
        for c in ordered
    ]


@dataclass(frozen=True)
class ConfusionInfo:
    """A difference of two confusion matrices.

    Attributes:
        rows, columns: names of the true classes, and of the answers.
        change: items gained, shape (rows, columns); good: the same, above 0 where that is for the
            better.
        left_out: classes that do not change and are not shown.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    change: NDArray[Any]
    good: NDArray[Any]
    left_out: int = 0


def confusion_info(change: NDArray[Any], names: Naming) -> ConfusionInfo:
    """Name the classes of `lab.analysis.flips.confusion_change`, and reduce many classes to those
    that change.
    """
    import numpy as np

    numbers = np.arange(len(change))
    kept = (
        numbers[(change != 0).any(axis=0) | (change != 0).any(axis=1)]
        if len(change) > MOST_CLASSES
        else numbers
    )
    kept = kept[:MOST_CLASSES]
    shown = change[np.ix_(kept, kept)]
    sign = np.where(np.eye(len(shown), dtype=bool), 1, -1)
    return ConfusionInfo(
        tuple(names.truth(int(i)) for i in kept),
        tuple(names.prediction(int(i)) for i in kept),
        shown,
        shown * sign,
        len(change) - len(kept),
    )


def confusion_height(info: ConfusionInfo) -> int:
    """Return the height of the figure in pixels."""
    return 150 + max(24 * len(info.rows), 110)


def confusion_spec(info: ConfusionInfo, mode: theme.Mode = "light") -> dict[str, Any]:
    """Draw a heatmap of the gains and losses of each true class, blue for better, orange for
    worse.
    """
    ink = theme.INKS[mode]
    most = max(1, int(abs(info.good).max(initial=0)))
    good = theme.DARK_BLUE_FOR_DARK if mode == "dark" else theme.OKABE_ITO[0]
    few = len(info.rows) <= MOST_NUMBERS
    wide, end = any(len(name) > 3 for name in info.columns), (PALE if few else 1.0) * most
    rows, columns = ([f"{escape(n)} " for n in names] for names in (info.rows, info.columns))
    return {
        "data": [
            {
                "type": "heatmap",
                "z": info.good.tolist(),
                "x": list(range(len(columns))),
                "y": list(range(len(rows))),
                "zmin": -end,
                "zmax": end,
                "colorscale": [[0, theme.OKABE_ITO[1]], [0.5, ink.ground], [1, good]],
                "showscale": False,
                "xgap": 1,
                "ygap": 1,
                "hoverinfo": "text",
                "hovertext": _hovers(info),
                "text": [[f"{v:+d}" if v else "" for v in row] for row in info.change.tolist()],
                "texttemplate": "%{text}" if few else "",
                "textfont": {"color": ink.text},
            }
        ],
        "layout": {
            "template": theme.template(mode).to_plotly_json(),
            "height": confusion_height(info),
            "xaxis": {
                "tickvals": list(range(len(columns))),
                "ticktext": columns,
                "showgrid": False,
                "side": "top",
                "tickangle": -90 if wide else 0,
            },
            "yaxis": {
                "tickvals": list(range(len(rows))),
                "ticktext": rows,
                "showgrid": False,
                "range": [len(rows) - 0.5, -0.5],
            },
        },
    }


def _hovers(info: ConfusionInfo) -> list[list[str]]:
    return [
        [
            f"<b>{escape(truth)}</b> predicted as {escape(answer)}: {int(v):+d} items"
            for answer, v in zip(info.columns, row, strict=True)
        ]
        for truth, row in zip(info.rows, info.change.tolist(), strict=True)
    ]
