"""Result of one check of the self-test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

State = Literal["ok", "warning", "unavailable"]
Group = Literal["timing", "machine", "computing", "software"]


@dataclass(frozen=True)
class Check:
    """Result of one check.

    Attributes:
        state: "warning" if measurements suffer or something is in the way, "unavailable" if nothing
            can be determined on this machine.
        text: the result with its figures, in one or two sentences.
        figures: the figures by name, with their unit in the name; JSON values.
        remedy: suggestion as a sentence; "" if there is nothing to do.
    """

    id: str
    title: str
    state: State
    text: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    remedy: str = ""
    group: Group = "machine"

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `dataclasses.asdict`."""
        return cls(**value)

    def within(self, group: Group) -> Check:
        """Return the result in another group."""
        return replace(self, group=group)
