"""Values that travel between the engine, its Dask workers, the pool processes and the store.

`outcomes` end a job and are stored, `requests` go to Dask workers, `in_pool` to pool processes.
Cards and specs travel as values: each process parses them at most once.
"""

from lab.engine.messages.in_pool import (
    PoolBuildRequest,
    PoolBuilt,
    PoolEvaluated,
    PoolEvaluateRequest,
    Probed,
    ProbeRequest,
    ProcessResult,
)
from lab.engine.messages.outcomes import (
    Built,
    Evaluated,
    Failure,
    Measured,
    outcome_from_json,
)
from lab.engine.messages.requests import BuildRequest, EvaluateRequest, MeasureRequest

__all__ = [
    "BuildRequest",
    "Built",
    "EvaluateRequest",
    "Evaluated",
    "Failure",
    "MeasureRequest",
    "Measured",
    "PoolBuildRequest",
    "PoolBuilt",
    "PoolEvaluateRequest",
    "PoolEvaluated",
    "ProbeRequest",
    "Probed",
    "ProcessResult",
    "outcome_from_json",
]
