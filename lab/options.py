"""Options of techniques and runtimes. Each is declared once: validation, command line, form and
search space are derived from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import isfinite
from typing import Any, Literal

from lab.errors import InvalidOption

Kind = Literal["bool", "int", "float", "choice", "names", "path"]
PRESETS = ("quick", "standard", "full")


@dataclass(frozen=True)
class Option:
    """One setting of a technique or a runtime.

    Attributes:
        id: the name in JSON and on the command line, with its unit if it has one.
        label: the name shown to people.
        kind: the type of its value. "names" is a tuple of texts, in JSON a list, on the command
            line joined by "+". "path" is a file on this machine, "" for none; no page asks for it,
            because naming a library to load means running its code.
        default: the value if none is given.
        help: one or two sentences that describe its effect.
        unit: SI unit or "" for a bare number.
        low, high: inclusive bounds of an int or float.
        choices: the values of a choice.
        only: the values that an int accepts if it does not accept every one within its bounds.
            Stored values within the bounds stay readable, see `restored`.
        sweep: preset -> the values that a sweep of that preset tries; other presets try the
            default.
        affects_output: False for settings that only change speed, so that their predictions are
            evaluated once.
    """

    id: str
    label: str
    kind: Kind
    default: Any
    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    only: tuple[int, ...] = ()
    sweep: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    affects_output: bool = True

    @property
    def allowed(self) -> str:
        """Accepted values in words."""
        if self.kind == "bool":
            return "true or false"
        if self.kind == "choice":
            return ", ".join(self.choices)
        if self.kind in _IN_WORDS:
            return _IN_WORDS[self.kind]
        if self.only:
            return ", ".join(map(str, self.only))
        low = "" if self.low is None else f" from {self.low}"
        high = "" if self.high is None else f" to {self.high}"
        return f"{self.kind}{low}{high}{' ' + self.unit if self.unit else ''}"

    def validate(self, value: Any) -> Any:
        """Return the value in the option's type.

        Raises:
            InvalidOption: the option does not accept the value.
        """
        checked = self.restored(value)
        if self.only and checked not in self.only:
            raise self._refusal(value)
        return checked

    def restored(self, value: Any) -> Any:
        """Return a stored value in the option's type, including those within the bounds that are no
        longer accepted.

        Raises:
            InvalidOption: the value has another type or is out of bounds.
        """
        checked = _CHECKS[self.kind](self, value)
        if checked is None:
            raise self._refusal(value)
        return checked

    def _refusal(self, value: Any) -> InvalidOption:
        return InvalidOption(
            f"Option {self.id!r} does not accept this value", allowed=self.allowed, given=value
        )

    def values(self, preset: str) -> tuple[Any, ...]:
        """Return the values that a sweep of this preset tries."""
        return tuple(self.sweep.get(preset, (self.default,)))

    def to_json(self) -> dict[str, Any]:
        """Return the declaration as JSON, for `lab techniques --json`."""
        return {
            "id": self.id,
            "label": self.label,
            "kind": self.kind,
            "default": self.default,
            "help": self.help,
            "affects_output": self.affects_output,
            "unit": self.unit,
            "low": self.low,
            "high": self.high,
            "choices": list(self.choices),
            "only": list(self.only),
            "sweep": {k: list(v) for k, v in self.sweep.items()},
        }


def _check_bool(_: Option, value: Any) -> bool | None:
    words = {"true": True, "false": False, "on": True, "off": False, "1": True, "0": False}
    return value if isinstance(value, bool) else words.get(str(value).lower())


def _check_number(option: Option, value: Any) -> float | int | None:
    try:
        number = int(str(value)) if option.kind == "int" else float(value)
    except (TypeError, ValueError):
        return None
    low, high = option.low, option.high
    inside = (low is None or number >= low) and (high is None or number <= high)
    return number if inside and isfinite(number) and not isinstance(value, bool) else None


def _check_choice(option: Option, value: Any) -> str | None:
    return value if isinstance(value, str) and value in option.choices else None


def _check_names(_: Option, value: Any) -> tuple[str, ...] | None:
    names = [n for n in value.split("+") if n] if isinstance(value, str) else value
    whole = isinstance(names, list | tuple) and all(isinstance(n, str) and n for n in names)
    return tuple(dict.fromkeys(names)) if whole else None


def _check_path(_: Option, value: Any) -> str | None:
    return value if isinstance(value, str) else None


_IN_WORDS = {"names": "a list of names", "path": "the path of a file, or nothing"}
_CHECKS = {
    "bool": _check_bool,
    "int": _check_number,
    "float": _check_number,
    "choice": _check_choice,
    "names": _check_names,
    "path": _check_path,
}


def validate(options: Sequence[Option], given: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Complete the given values with defaults and check each.

    Returns:
        Value of every declared option, in the order of declaration.

    Raises:
        InvalidOption: an option is unknown or does not accept its value.
    """
    restored(options, given, owner)
    return {o.id: o.validate(given.get(o.id, o.default)) for o in options}


def restored(options: Sequence[Option], given: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Complete stored values with defaults and check each, see `Option.restored`.

    Raises:
        InvalidOption: an option is unknown, or a value has another type or is out of bounds.
    """
    known = {option.id: option for option in options}
    for name in given:
        if name not in known:
            raise InvalidOption(
                f"{owner!r} has no such option",
                allowed=", ".join(known) or "no options",
                given=name,
            )
    return {
        name: option.restored(given.get(name, option.default)) for name, option in known.items()
    }


def grid(options: Sequence[Option], space: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return every combination of the values in `space`, with the other options at their
    defaults.
    """
    axes = [
        [option.restored(v) for v in space.get(option.id, (option.default,))] for option in options
    ]
    return [dict(zip([o.id for o in options], values, strict=True)) for values in product(*axes)]
