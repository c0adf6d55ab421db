"""Queue of jobs: Dask inside this process, no port opened, or the scheduler that LAB_SCHEDULER
names.

Each machine has a number of slots: a build or an evaluation takes one, a measurement takes all of
them at a higher priority, so nothing else of the lab runs on a machine while a latency is measured.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from lab.engine.limits import HEAVY, slots, workers_of
from lab.engine.messages import Failure

QUIET = {
    "distributed.worker.profile.enabled": False, "distributed.scheduler.work-stealing": False,
    "distributed.admin.tick.interval": "1s", "distributed.worker.memory.terminate": False,
    "distributed.worker.memory.pause": False, "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False, "distributed.scheduler.worker-saturation": "inf",
}  # fmt: skip
MEASURE_PRIORITY, EVALUATE_PRIORITY, BUILD_PRIORITY = 20, 10, 0


class Cluster:
    """A Dask client that is made when the first job needs it: a study that is all cached never
    imports Dask.

    Args:
        before_exit: called when the process ends, before Dask by itself cancels what is running.
    """

    def __init__(self, before_exit: Callable[[], None] = lambda: None) -> None:
        self._client: Any = None
        self._before_exit = before_exit
        self._lock = threading.Lock()

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _connect()
                atexit.register(
                    self._before_exit
                )  # last in, first out: ahead of what distributed registered
            return self._client

    def submit(
        self,
        task: Callable[..., Any],
        *arguments: Any,
        resources: Mapping[str, float],
        priority: int,
        label: str,
    ) -> Any:
        """Queue a task; arguments may be futures of others (also inside lists)."""
        from dask.base import tokenize

        key = f"{label}-{tokenize(label, os.urandom(8))}"
        return self._connected().submit(
            task,
            *arguments,
            resources=dict(resources),
            priority=priority,
            key=key,
            pure=False,
            retries=0,
        )

    def finished(self, futures: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Each future with its outcome as it ends; an error of the lab's own becomes a Failure."""
        from distributed import as_completed

        for future in as_completed(futures):
            if future.status == "finished":
                yield future, future.result()
            else:
                error = (
                    future.exception()
                    if future.status == "error"
                    else RuntimeError(f"Dask lost the job ({future.status})")
                )
                yield future, Failure.of(error)

    def close(self) -> None:
        """Disconnect, and end the cluster if it is ours."""
        if self._client is not None:
            self._client.close(timeout=2)
            if self._client.cluster is not None:
                self._client.cluster.close(timeout=2)
            self._client = None


def machine_resources() -> dict[str, float]:
    """Resources of one machine: slots, and the warm processes of each heavy toolchain."""
    return {"slot": slots(), **{toolchain: workers_of(toolchain) for toolchain in HEAVY}}


def _connect() -> Any:
    import dask
    from distributed import Client, LocalCluster
    from distributed.node import ServerNode

    dask.config.set(QUIET)
    if address := os.environ.get("LAB_SCHEDULER"):
        return Client(address)
    # even without a dashboard, Dask serves its state over HTTP, unasked and to the whole network
    ServerNode.start_http_server = lambda *_, **__: None
    cluster = LocalCluster(
        n_workers=1,
        threads_per_worker=slots(),
        processes=False,
        dashboard_address=None,
        resources=machine_resources(),
        silence_logs=logging.ERROR,
    )
    return Client(cluster)
