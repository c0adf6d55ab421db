"""Jobs as they run on a Dask worker: each looks in the store, works in a subprocess, and keeps the
outcome.

A `Failure` flows through the graph in place of a result. Deterministic failures are remembered like
results; crashes, time-outs and lack of memory are not, so that a resumed study tries them again.
"""

from lab.engine.on_dask_worker.build import build_on_worker
from lab.engine.on_dask_worker.evaluate import evaluate_on_worker, evaluation_key
from lab.engine.on_dask_worker.measure import known_measurement, measure_on_worker

__all__ = [
    "build_on_worker",
    "evaluate_on_worker",
    "evaluation_key",
    "known_measurement",
    "measure_on_worker",
]
