"""What the self-test found out about one thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

State = Literal["ok", "warning", "unavailable"]
Group = Literal["timing", "machine", "computing", "software"]


@dataclass(frozen=True)
class Check:
    """One thing that was tested.

    Attributes:
        state: "warning" where numbers suffer or something is in the way, "unavailable" where
            nothing can be known here.
        text: what was found, with its figures, as a sentence or two.
        figures: the numbers by name, with their unit in the name; JSON values.
        remedy: what to do about it, as a sentence; "" where nothing is to be done.
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
        """The same in another group."""
        return replace(self, group=group)
