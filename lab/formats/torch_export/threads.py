"""The number of threads of torch's operators, a setting of the whole process."""

from __future__ import annotations


def use_threads(number: int) -> None:
    """Have this process compute torch's operators with so many threads."""
    import torch

    if torch.get_num_threads() != number:
        torch.set_num_threads(number)
