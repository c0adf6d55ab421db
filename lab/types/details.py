"""Files and facts that a trial keeps beside its measurements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Artifact:
    """One file, named by its digest."""

    path: str
    format: str
    sha256: str
    size_bytes: int

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        if not isinstance(value["path"], str):
            raise TypeError("The path of a file is a string")
        return cls(value["path"], value["format"], value["sha256"], value["size_bytes"])


@dataclass(frozen=True)
class TrialDetails:
    """Facts of a trial's jobs; None where a job did not run, or an older lab did not keep them.

    Attributes:
        notes: technique -> remark about the build, such as operators left in float.
        build_s, evaluate_s: seconds of the jobs.
        build_cached: whether the file was taken from the store.
        training: curves of the trainings that the file went through, one a phase.
        outputs: raw outputs on the test set (.npz).
        predictions: compact form of the outputs that travels with a .lab file (.npz).
        correct: which test items were predicted correctly, see `lab.analysis.differences.pack`.
        emulated: outputs on other processors, by processor id, see `lab.engine.emulating`.
        anatomy: contents of the model file (.json).
        samples: raw timings (.json).
        profile: time of each operator (.json).
        timing: medians of the timing rounds, see `lab.measure.quality.timing_of`.
        memory: {"mapped_bytes": …}.
        ended_at: when the trial finished, in seconds since 1970.
        other: entries that this version does not read; they are written back unchanged.
    """

    notes: Mapping[str, Any] | None = None
    build_s: float | None = None
    build_cached: bool | None = None
    training: tuple[Mapping[str, Any], ...] | None = None
    outputs: Artifact | None = None
    predictions: Artifact | None = None
    evaluate_s: float | None = None
    correct: Mapping[str, Any] | None = None
    emulated: Mapping[str, Any] | None = None
    anatomy: Artifact | None = None
    samples: Artifact | None = None
    profile: Artifact | None = None
    timing: Mapping[str, Any] | None = None
    memory: Mapping[str, Any] | None = None
    ended_at: float | None = None
    other: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The form in which it is stored and exported."""
        known = {
            key: _plain(value)
            for key, (name, _) in _FIELDS.items()
            if (value := getattr(self, name)) is not None
        }
        return {**self.other, **known}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`; entries of an unexpected type are kept in `other`."""
        # thousands are read at once: only what differs from the defaults of the class is set
        made, put = object.__new__(cls), object.__setattr__
        other: dict[str, Any] = {}
        for key, entry in value.items():
            read = _read(key, entry)
            if read is None:
                other[key] = entry
            else:
                put(made, _FIELDS[key][0], read)
        put(made, "other", other)
        return made

    def __getitem__(self, key: str) -> Any:
        """Return an entry by its stored key, as scripts written before version 0.7 do."""
        return self.to_json()[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Return an entry by its stored key, or the default."""
        return self.to_json().get(key, default)

    def with_json(self, entries: Mapping[str, Any]) -> Self:
        """The same details with further or changed entries, by their stored names."""
        return self.from_json({**self.to_json(), **entries})


def _plain(value: Any) -> Any:
    if isinstance(value, Artifact):
        return value.to_json()
    return list(value) if isinstance(value, tuple) else value


# stored key -> attribute and types of a stored value; the keys are older than the attributes' names
_FIELDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "notes": ("notes", (dict,)),
    "build_s": ("build_s", (int, float)),
    "build_cached": ("build_cached", (bool,)),
    "training": ("training", (list,)),
    "outputs": ("outputs", (dict,)),
    "answers": ("predictions", (dict,)),
    "evaluate_s": ("evaluate_s", (int, float)),
    "right": ("correct", (dict,)),
    "elsewhere": ("emulated", (dict,)),
    "anatomy": ("anatomy", (dict,)),
    "samples": ("samples", (dict,)),
    "profile": ("profile", (dict,)),
    "timing": ("timing", (dict,)),
    "memory": ("memory", (dict,)),
    "ended_at": ("ended_at", (int, float)),
}  # fmt: skip


def _read(key: str, entry: Any) -> Any:
    """Value of a field, or None where it is unknown or of an unexpected type."""
    if key not in _FIELDS or not isinstance(entry, _FIELDS[key][1]):
        return None
    return _READERS[key](entry) if key in _READERS else entry


def _artifact(entry: Mapping[str, Any]) -> Artifact | None:
    """The file, or None where an entry is no complete description of one."""
    if entry.keys() != _ARTIFACT_KEYS or not isinstance(entry["path"], str):
        return None
    return Artifact(entry["path"], entry["format"], entry["sha256"], entry["size_bytes"])


def _mappings(entry: list[Any]) -> tuple[Mapping[str, Any], ...] | None:
    return tuple(entry) if all(isinstance(item, dict) for item in entry) else None


_ARTIFACT_KEYS = {"path", "format", "sha256", "size_bytes"}
_FILES = ("outputs", "answers", "anatomy", "samples", "profile")
_READERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_FILES, _artifact),
    "training": _mappings,
}
