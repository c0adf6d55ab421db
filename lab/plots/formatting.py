"""Text of numbers, in one place: 0.41 ms, 96.2 %, 98.5 kB, 3.9× smaller.

Everything is keyed by a measurement's unit: "s", "B" and "1" (a share of one); other units are
shown as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from lab import registry
from lab.analysis.wording import BYTES as BYTES
from lab.analysis.wording import SECONDS as SECONDS
from lab.analysis.wording import SHARE as SHARE
from lab.analysis.wording import kind_of as kind_of
from lab.analysis.wording import plural as plural
from lab.analysis.wording import scale as scale
from lab.types import Measurement, Target

UNKNOWN = "–"


def axis_scale(unit: str, values: Iterable[float]) -> tuple[float, str]:
    """One divisor and suffix for a whole axis, chosen by its middle value."""
    ordered = sorted(values)
    return scale(unit, ordered[len(ordered) // 2] if ordered else 1.0)


def digits(number: float, suffix: str = "") -> str:
    """Three significant digits, no exponent; one decimal for a percentage, none for single bytes,
    thousands set apart in counts.
    """
    if suffix == "%":
        return f"{number:.1f}"
    size = abs(number)
    if suffix == "/s" and size >= 100:
        return f"{number:,.0f}"
    if suffix in ("B", "ns") or size >= 100:
        return f"{number:.0f}"
    return f"{number:.1f}" if size >= 10 else f"{number:.2f}"


def printf(number: float, suffix: str = "") -> str:
    """The printf format that writes a number of this size as `digits` does, for tables that sort by
    value.
    """
    text = digits(number, suffix)
    return f"%.{len(text.partition('.')[2])}f"


def value(number: float | None, unit: str) -> str:
    """A number with its unit: (0.000412, "s") -> "0.41 ms"."""
    if number is None:
        return UNKNOWN
    divisor, suffix = scale(unit, number)
    return f"{digits(number / divisor, suffix)} {suffix}".rstrip()


def interval(m: Measurement) -> str:
    """The 95 % interval in the unit of its value: "0.40–0.43 ms"; empty for an exact number."""
    if m.low is None or m.high is None:
        return ""
    divisor, suffix = scale(m.unit, m.value)
    between = " to " if m.low < 0 else "–"
    low, high = (digits(end / divisor, suffix) for end in (m.low, m.high))
    return f"{low}{between}{high} {suffix}".rstrip()


def measurement(m: Measurement | None) -> str:
    """A value with its interval: "0.41 ms (0.40–0.43 ms)"."""
    if m is None:
        return UNKNOWN
    between = interval(m)
    return value(m.value, m.unit) + (f" ({between})" if between else "")


def count(number: float | None) -> str:
    """A large count: 78_330 -> "78.3 k", 12_500_000 -> "12.5 M"."""
    if number is None:
        return UNKNOWN
    for divisor, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(number) >= divisor:
            return digits(number / divisor) + suffix
    return f"{number:.0f}"


def duration(seconds: float | None) -> str:
    """A span of time in words, roughly: "about 3 minutes"."""
    if seconds is None:
        return "an unknown time"
    if seconds < 5:
        return "a few seconds"
    if seconds < 90:
        return f"about {round(seconds / 5) * 5:.0f} seconds"
    if seconds < 90 * 60:
        return f"about {seconds / 60:.0f} minutes"
    return f"about {seconds / 3600:.1f} hours"


_MORE_LESS = {
    SECONDS: ("slower", "faster"),
    BYTES: ("larger", "smaller"),
    SHARE: ("higher", "lower"),
}


def more_less(metric: str, unit: str) -> tuple[str, str]:
    """The words for a larger and for a smaller number of this metric: ("slower", "faster")."""
    plug = registry.metrics().get(metric)
    return (plug.more_less if plug else None) or _MORE_LESS.get(kind_of(unit), ("more", "less"))


def better_word(metric: str, unit: str, direction: str) -> str:
    """The word for better: ("latency_s", "s", "minimize") -> "faster"."""
    return more_less(metric, unit)[0 if direction == "maximize" else 1]


def change(m: Measurement, base: Measurement, *, plainly: bool = False) -> str:
    """Describe a number against the baseline's: "3.9× smaller", "0.6 points less accurate", "no
    change".

    Args:
        plainly: use the words of the unit only, for places that name the metric already.
    """
    words = more_less("" if plainly else m.metric, m.unit)
    if kind_of(m.unit) == SHARE:
        points = 100 * (m.value - base.value)
        return (
            "no change" if abs(points) < 0.05 else f"{abs(points):.1f} points {words[points < 0]}"
        )
    if m.value <= 0 or base.value <= 0:
        return "no change" if m.value == base.value else value(m.value - base.value, m.unit)
    ratio = max(m.value / base.value, base.value / m.value)
    return "no change" if ratio < 1.005 else f"{digits(ratio)}× {words[m.value < base.value]}"


def capital(text: str) -> str:
    """The first letter large, the others as they are: "auc" would be wrong for AUC."""
    return text[:1].upper() + text[1:]


def moment(iso: str | None) -> str:
    """A time as a person reads it: "22 Nov 2026, 10:00 UTC"; empty where there is none."""
    if not iso:
        return ""
    at = datetime.fromisoformat(iso).astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def framework(name: str) -> str:
    """Return a card's framework as people call it: "keras" and "Keras 3" are Keras; names of
    unknown frameworks stay.
    """
    titles = (f.title for f in registry.formats().values() if name.lower() in (f.id, *f.frameworks))
    return next(titles, name)


def format_title(id_: str) -> str:
    """Return a file format's name as people call it; the id of an unknown format."""
    plug = registry.formats().get(id_)
    return plug.title if plug else id_


def markdown(text: str) -> str:
    """Text that somebody typed, so that Markdown shows it letter by letter."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~$:])", r"\\\1", text)


_ELSEWHERE = re.compile(
    r"\]\s*\((?!\s*(?:https?://|mailto:|#))|\]\s*\[|^\s*\[[^\]]+\]:", re.MULTILINE | re.IGNORECASE
)


def note(text: str) -> str:
    """Markdown that somebody wrote, for others to see: HTML, pictures (which would ask another
    server) and links to anything but
    pages and mail stay text.
    """
    plain = text.replace("\\", "\\\\").replace("<", "\\<").replace("!", "\\!").replace("$", "\\$")
    return _ELSEWHERE.sub(lambda m: m[0].replace("]", "\\]").replace("[", "\\["), plain)


def runtime_title(id_: str) -> str:
    """Return a runtime's name as people call it; the id of an unknown runtime."""
    plug = registry.runtimes().get(id_)
    return plug.title if plug else id_


def runtime_titles() -> tuple[str, ...]:
    """Return the names of all runtimes that this lab knows."""
    return tuple(runtime.title for runtime in registry.runtimes().values())


def target_text(target: Target, shown: Sequence[str] | None = None) -> str:
    """A target in words, "LiteRT, 2 threads"; `shown` names the options worth saying, None means
    all.
    """
    options = [_option_text(k, v) for k, v in target.options.items() if shown is None or k in shown]
    return ", ".join([runtime_title(target.runtime), *filter(None, options)])


def _option_text(name: str, setting: Any) -> str:
    if name == "threads":
        return plural(setting, "thread")
    if isinstance(setting, bool):
        return f"{name.replace('_', ' ')} {'on' if setting else 'off'}"
    return f"{name.replace('_', ' ')} {setting}"


def varying_options(targets: Iterable[Target]) -> tuple[str, ...]:
    """Names of the target options that differ within a runtime: only they are worth a place in a
    label.
    """
    seen: dict[tuple[str, str], set[str]] = {}
    unlike = {
        f"{t.runtime} {t.options!r}": t for t in targets
    }  # a study has thousands of trials and few targets
    for target in unlike.values():
        for name, setting in (_defaults(target.runtime) | dict(target.options)).items():
            seen.setdefault((target.runtime, name), set()).add(repr(setting))
    return tuple(dict.fromkeys(name for (_, name), values in seen.items() if len(values) > 1))


def _defaults(runtime: str) -> dict[str, Any]:
    """Return the default options of a runtime, for targets stored before an option existed."""
    plug = registry.runtimes().get(runtime)
    return {o.id: o.default for o in plug.options} if plug else {}
