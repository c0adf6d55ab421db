"""Training curves of loss and accuracy over steps, and sentences about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.analysis.training import Phase, Training
from lab.plots import formatting, theme

HEIGHT, TALL, MOST = 300, 400, 6
"""Pixels, of both plots beside each other and one above the other; trainings drawn at once, beyond
which lines only cover each other.
"""
NOUNS = {"accuracy": "accuracy", "check_loss": "loss"}
Pairs = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Line:
    """One training as drawn.

    Attributes:
        loss, check_loss: (step, loss) on training items and on held-out ones; accuracy: (step,
            percent) on held-out ones.
        steps: last possible step; number: place among all started trainings, which keeps its colour
            when others start.
    """

    name: str
    loss: Pairs
    check_loss: Pairs
    accuracy: Pairs
    steps: int
    number: int = 0


@dataclass(frozen=True)
class TrainingInfo:
    """A plot; `left_out` counts trainings for which there is no room."""

    lines: tuple[Line, ...]
    left_out: int = 0

    @property
    def has_accuracy(self) -> bool:
        """True if any training reports an accuracy; models without classes do not."""
        return any(line.accuracy for line in self.lines)


def training_info(trainings: Sequence[Training]) -> TrainingInfo:
    """Lay out trainings that have begun, the last ones where there are too many; steps of several
    phases are counted on.
    """
    begun = [t for t in trainings if t.phases]
    first = max(0, len(begun) - MOST)
    lines = tuple(_line(t, first + n) for n, t in enumerate(begun[first:]))
    return TrainingInfo(lines, first)


def _line(training: Training, number: int) -> Line:
    shifted, before = list[tuple[int, Phase]](), 0
    for phase in training.phases:
        shifted.append((before, phase))
        before += phase.step
    before += training.phases[-1].steps - training.phases[-1].step
    return Line(
        training.name,
        _pairs(shifted, "loss"),
        _pairs(shifted, "check_loss"),
        _pairs(shifted, "accuracy", 100),
        before,
        number,
    )


def _pairs(phases: Sequence[tuple[int, Phase]], name: str, times: float = 1) -> Pairs:
    return tuple(
        (n + p["step"], times * p[name]) for n, phase in phases for p in phase.points if name in p
    )


def training_figure(
    info: TrainingInfo, key: str, mode: theme.Mode = "light", *, stacked: bool = False
) -> Any:
    """Draw the losses, and the accuracy if there is one; one colour per training, thick on held-out
    items.

    Args:
        key: while it stays, a redraw keeps the zoom.
        stacked: accuracy above the losses, for a narrow place, instead of beside them.
    """
    import plotly.graph_objects as go

    figure = go.Figure(layout=_layout(info, key, mode, stacked))
    palette = (
        (theme.DARK_BLUE_FOR_DARK, *theme.OKABE_ITO[1:]) if mode == "dark" else theme.OKABE_ITO
    )
    for line in info.lines:
        for trace in _traces(line, palette[line.number % MOST]):
            figure.add_trace(trace)
    return figure


def _traces(line: Line, color: str) -> Iterator[dict[str, Any]]:
    common = {"type": "scatter", "legendgroup": line.name, "name": line.name}
    shown = {
        "accuracy": line.accuracy,
        "held-out loss": line.check_loss,
        "training loss": line.loss,
    }
    first = next((kind for kind, pairs in shown.items() if pairs), "")
    for kind, pairs in shown.items():
        if pairs:
            x, y = zip(*pairs, strict=True)
            held_out = kind != "training loss"
            yield common | {
                "x": x,
                "y": y,
                "mode": "lines+markers" if held_out else "lines",
                "showlegend": kind == first,
                "line": {"color": color, "width": 2 if held_out else 1},
                "opacity": 1 if held_out else 0.6,
                "marker": {"color": color, "size": 5},
                "xaxis": "x2" if kind == "accuracy" else "x",
                "yaxis": "y2" if kind == "accuracy" else "y",
                "hovertemplate": _hover(line.name, kind),
            }


def _hover(name: str, kind: str) -> str:
    value = "%{y:.1f} %" if kind == "accuracy" else "%{y:.3g}"
    return f"{name}<br>step %{{x}}: {kind} {value}<extra></extra>"


def _layout(info: TrainingInfo, key: str, mode: theme.Mode, stacked: bool) -> dict[str, Any]:
    steps = max((line.steps for line in info.lines), default=1)
    x = {"title": {"text": "steps"}, "range": [0, 1.02 * steps]}
    layout: dict[str, Any] = {
        "template": theme.template(mode),
        "height": TALL if stacked else HEIGHT,
        "hovermode": "closest",
        "uirevision": key,
        "xaxis": x,
        "yaxis": {"title": {"text": "loss"}, "rangemode": "tozero"},
        "showlegend": len(info.lines) > 1,
    }
    return layout | _two_axes(layout, stacked) if info.has_accuracy else layout


def _two_axes(layout: dict[str, Any], stacked: bool) -> dict[str, Any]:
    """Return the axes of losses, made smaller, and those of accuracy."""
    x, y, accuracy = (
        layout["xaxis"],
        layout["yaxis"],
        {"title": {"text": "accuracy, %"}, "anchor": "x2"},
    )
    if stacked:
        return {
            "yaxis": y | {"domain": [0, 0.46]},
            "yaxis2": accuracy | {"domain": [0.54, 1]},
            "xaxis2": (
                x | {"anchor": "y2", "matches": "x", "showticklabels": False, "title": {"text": ""}}
            ),
        }
    return {
        "xaxis": x | {"domain": [0, 0.46]},
        "xaxis2": x | {"domain": [0.54, 1], "anchor": "y2"},
        "yaxis2": accuracy,
    }


# --- in words -------------------------------------------------------------------------------------


def count_text(trainings: Sequence[Training]) -> str:
    """ "2 of 6 trainings done, 1 running, 3 waiting"; empty without trainings."""
    if not trainings:
        return ""
    counts = {
        state: sum(t.state == state for t in trainings)
        for state in ("done", "running", "waiting", "ended")
    }
    done = f"{counts['done']} of {formatting.plural(len(trainings), 'training')} done"
    words = {
        "running": "running",
        "waiting": "waiting",
        "ended": "ended early",
    }
    return ", ".join(
        [done, *(f"{counts[state]} {word}" for state, word in words.items() if counts[state])]
    )


def progress_text(training: Training) -> str:
    """ "step 210 of 400, about 30 seconds left, accuracy on held-out items 97.2 %"."""
    phase = training.now
    if phase is None or training.state == "waiting":
        return (
            ("continues from its last checkpoint") if phase else f"{training.steps:,} steps planned"
        )
    several = f"{phase.name}, " if phase.name != "train" or len(training.phases) > 1 else ""
    left = training.seconds_left if training.state == "running" else None
    parts = [
        f"{several}step {phase.step:,} of {phase.steps:,}",
        f"{formatting.duration(left)} left" if left is not None else "",
        value_text(phase),
    ]
    return ", ".join(part for part in parts if part)


def value_text(phase: Phase) -> str:
    """Describe the current quality: "accuracy on held-out items 97.2 %, loss 0.12"."""
    accuracy, loss = phase.last("accuracy"), phase.last("loss")
    held_out = (
        f"accuracy on held-out items {100 * accuracy:.1f} %"
        if accuracy is not None
        else _loss("loss on held-out items", phase.last("check_loss"))
    )
    return ", ".join(part for part in (held_out, _loss("loss", loss)) if part)


def _loss(words: str, value: float | None) -> str:
    return "" if value is None else f"{words} {value:.3g}"


def share_done(training: Training) -> float:
    """Return the finished share, 0 to 1, for a bar; by seconds if a time limit ends it."""
    phase = training.now
    if phase is None or not phase.steps:
        return 0.0
    by_time = phase.seconds / training.limit_s if training.limit_s else 0.0
    return min(1.0, max(phase.step / phase.steps, by_time))


def training_rows(trainings: Sequence[Training]) -> list[dict[str, str]]:
    """Return the results of each training, a row each."""
    return [_row(t, phase) for t in trainings for phase in t.phases]


def _row(training: Training, phase: Phase) -> dict[str, str]:
    name = training.name if len(training.phases) == 1 else f"{training.name}, {phase.name}"
    noun = "accuracy" if phase.last("accuracy") is not None else "check_loss"
    first, last = phase.first(noun), phase.last(noun)
    return {
        "Training": name,
        "Steps": f"{phase.step:,}" + (f" of {phase.steps:,}" if phase.step < phase.steps else ""),
        "Time": formatting.value(phase.seconds, "s"),
        "Loss": f"{_number(phase.first('loss'))} → {_number(phase.last('loss'))}",
        f"Held-out {NOUNS[noun]}": f"{_share(first, noun)} → {_share(last, noun)}",
    }


def _number(value: float | None) -> str:
    return formatting.UNKNOWN if value is None else f"{value:.3g}"


def _share(value: float | None, noun: str) -> str:
    return _number(value) if value is None or noun != "accuracy" else f"{100 * value:.1f} %"


def curves_json(trainings: Sequence[Training]) -> list[Mapping[str, Any]]:
    """Return all values as JSON."""
    return [
        {
            "key": t.key,
            "name": t.name,
            "state": t.state,
            "phases": [
                {"phase": p.name, "steps": p.steps, "points": list(p.points)} for p in t.phases
            ],
        }
        for t in trainings
    ]
