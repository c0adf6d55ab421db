"""Figures and names as the rules' sentences have them."""

from __future__ import annotations

from lab import registry
from lab.analysis.wording import BYTES, SECONDS, scale
from lab.analysis.wording import plural as plural
from lab.plugs import PURPOSES
from lab.types import Trial

LONGEST = 32
"""Letters of a layer's name in a sentence."""


def percent(share: float) -> str:
    """0.234 -> "23 %", 0.0042 -> "0.4 %"."""
    return f"{100 * share:.0f} %" if share >= 0.1 or not share else f"{100 * share:.1f} %"


def seconds(time_s: float) -> str:
    """0.000412 -> "0.412 ms"."""
    return _scaled(time_s, *scale(SECONDS, time_s))


def size(n_bytes: float) -> str:
    """98_500 -> "98.5 kB"."""
    return _scaled(n_bytes, *scale(BYTES, n_bytes))


def rate(per_s: float, unit: str) -> str:
    """(3.2e10, "operations/s") -> "32 G operations/s"."""
    scales = ((1e12, "T"), (1e9, "G"), (1e6, "M"))
    divisor, suffix = next((s for s in scales if per_s >= s[0]), scales[-1])
    return f"{_scaled(per_s, divisor, suffix)} {unit}"


def _scaled(number: float, divisor: float, suffix: str) -> str:
    value = number / divisor
    return f"{value:.0f} {suffix}" if value >= 100 else f"{value:.3g} {suffix}"


def times(ratio: float) -> str:
    """1.57 -> "1.6 times", 12.3 -> "12 times", 0.998 -> "1.00 times"."""
    return (
        f"{ratio:.0f} times"
        if ratio >= 10
        else f"{ratio:.2f} times"
        if ratio < 1.2
        else f"{ratio:.1f} times"
    )


def some(names: list[str], most: int = 3) -> str:
    """The first few of them: "conv1, conv2, conv3 and 4 more"."""
    shown = ", ".join(map(short, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def short(name: str) -> str:
    """The end of a long name, which tells most: exporters put the path of the module first."""
    return name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}"


def technique_for(purpose: str, trial: Trial) -> str:
    """Return the techniques that serve a purpose for this trial's format, as the object of "use";
    the purpose in words where there is none.

    Args:
        purpose: one of `lab.plugs.PURPOSES`.
    """
    serving = registry.serving(purpose, trial.artifact.format if trial.artifact else "")
    names = [f"{id_} {setting}".rstrip() for id_, setting in serving.items()]
    return " or ".join(names) or f"a technique that {PURPOSES[purpose]}"


def static_technique(trial: Trial) -> str:
    """Return the technique that makes weights and activations of this trial's format integers."""
    return technique_for("static_integers", trial)


def weights_technique(trial: Trial) -> str:
    """Return the technique that stores this format's weights as integers."""
    return technique_for("integer_weights", trial)


def to_integers(trial: Trial) -> str:
    """A remedy, as a sentence: what makes this trial's operators compute in integers and hand them
    on to each other.
    """
    if any("static" in step.technique for step in trial.recipe.steps):
        return (
            "This runtime does not fuse all quantize operators of this file: use 8-bit activations,"
            " the scheme u8s8 and graph_optimization all, or run it in another runtime."
        )
    return (
        f"Use {static_technique(trial)}: then activations are integers beforehand, and operators"
        " hand integers on to each other."
    )
