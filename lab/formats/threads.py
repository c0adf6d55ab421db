"""The option for the number of CPU threads, shared by all runtimes that have it."""

from __future__ import annotations

from lab.options import Option

THREADS = Option(
    id="threads",
    label="Threads",
    kind="int",
    default=1,
    low=1,
    high=64,
    affects_output=False,
    help="Number of CPU threads per operator; 1 gives the steadiest measurements.",
    sweep={"full": (1, 2)},
)
