"""The number of threads of torch's operators: a setting of the whole process."""

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
    help="How many CPU threads compute one operator; 1 is the steadiest to measure.",
    sweep={"full": (1, 2)},
)


def use_threads(number: int) -> None:
    """Have this process compute torch's operators with so many threads."""
    import torch

    if torch.get_num_threads() != number:
        torch.set_num_threads(number)
