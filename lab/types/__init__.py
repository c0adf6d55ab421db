"""Values of the lab: ModelCard -> Artifact -> Recipe -> Variant -> Trial -> Study -> Front.

All are frozen and convert to JSON and back. None holds a live model: files cross process borders,
models never do.
"""

from lab.types.details import Artifact, TrialDetails
from lab.types.digests import canonical_json, digest_of
from lab.types.models import InputSpec, Layer, Measurement, ModelCard, Source
from lab.types.studies import (
    FINISHED,
    Chain,
    Objective,
    Recipe,
    Stage,
    State,
    Step,
    Study,
    StudySpec,
    Target,
    Trial,
)

__all__ = [
    "FINISHED",
    "Artifact",
    "Chain",
    "InputSpec",
    "Layer",
    "Measurement",
    "ModelCard",
    "Objective",
    "Recipe",
    "Source",
    "Stage",
    "State",
    "Step",
    "Study",
    "StudySpec",
    "Target",
    "Trial",
    "TrialDetails",
    "canonical_json",
    "digest_of",
]
