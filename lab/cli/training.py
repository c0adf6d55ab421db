"""The command that trains a sample model again."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import lab


def train(
    model: str, to: Path | None, replace: bool, seed: int | None, bf16: bool, epochs: int | None
) -> None:
    """Train a sample model again from its recipe, and compare with the shipped weights."""
    shipped = Path(lab.model(model).path).parent if replace else None
    trained = lab.train(
        model, to or shipped, seed=seed, bf16=bf16, epochs=epochs, progress=_show_epochs()
    )
    from lab.plots.formatting import measurement

    place = "inside" if trained.within else "outside"
    print(f"trained  {trained.file}  in {trained.seconds:.0f} s")
    print(f"reached  {trained.found.metric} {measurement(trained.found)}")
    print(
        f"shipped  {measurement(trained.shipped)}: what was reached lies {place} its 95 % interval"
    )


def train_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `train`."""
    p.add_argument("model", help="id of a sample model")
    where = p.add_mutually_exclusive_group()
    where.add_argument(
        "--to", type=Path, metavar="FOLDER", help="where the weights go (default: LAB_HOME/trained)"
    )
    where.add_argument(
        "--replace", action="store_true", help="write over the weights that come with the lab"
    )
    p.add_argument("--seed", type=int, help="another seed than the recipe's")
    p.add_argument(
        "--bf16",
        action="store_true",
        help="compute in bfloat16: quicker where the processor has it",
    )
    p.add_argument("--epochs", type=int, help="fewer epochs than the recipe's, for a quick look")


def _show_epochs() -> Callable[[int, int, str], None]:
    start = time.monotonic()

    def say(done: int, total: int, text: str) -> None:
        left = (time.monotonic() - start) * (total - done) / max(done, 1)
        print(
            f"  epoch {done}/{total}, {text}"
            + (f", about {left:.0f} s left" if done < total else ""),
            file=sys.stderr,
            flush=True,
        )

    return say
