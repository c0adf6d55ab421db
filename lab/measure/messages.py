"""Request to the measuring process and its result, as JSON files carry them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from lab.measure.rounds import Protocol


@dataclass(frozen=True)
class MeasureVariantsRequest:
    """Measure several files on one target, interleaved.

    Attributes:
        item: .npy of one test item with its batch axis.
        variants: id -> path of the file.
        cold_repeats: cold starts of each variant.
        profile_runs: runs of a profile; 0 for no profile.
    """

    runtime: str
    options: Mapping[str, Any]
    item: str
    variants: Mapping[str, str]
    protocol: Protocol
    cold_repeats: int = 3
    profile_runs: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        return cls(**{**value, "protocol": Protocol(**value["protocol"])})


@dataclass(frozen=True)
class VariantTimings:
    """Raw measurements of a variant.

    Attributes:
        cold: one entry per cold start, see `lab.measure.cold.cold_start`.
        turns: one entry per turn, see `lab.measure.rounds.time_rounds`.
        profile: fields of `lab.evidence.Profile`, or {"error": …}; None if none was requested.
        error: {"type", "message"} if the variant could not be measured.
    """

    cold: tuple[Mapping[str, Any], ...] = ()
    turns: tuple[Mapping[str, Any], ...] = ()
    profile: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return JSON, the form in which raw timings are stored."""
        further = {"profile": self.profile, "error": self.error}
        return {
            "cold": list(self.cold),
            "turns": list(self.turns),
            **{name: value for name, value in further.items() if value is not None},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        lists = {name: tuple(value.get(name, ())) for name in ("cold", "turns")}
        return cls(**lists, profile=value.get("profile"), error=value.get("error"))


@dataclass(frozen=True)
class MeasuredVariants:
    """Raw measurements of all variants.

    Attributes:
        variants: by the ids of the request.
        conditions: state of the machine, {"before", "after"}, see `lab.measure.conditions`.
    """

    variants: Mapping[str, VariantTimings]
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return JSON."""
        variants = {id_: timings.to_json() for id_, timings in self.variants.items()}
        return {"variants": variants, "conditions": dict(self.conditions)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        variants = {id_: VariantTimings.from_json(v) for id_, v in value["variants"].items()}
        return cls(variants, value.get("conditions", {}))
