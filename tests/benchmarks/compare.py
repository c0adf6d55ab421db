"""This checkout against an older one on the same work, in turns within one run: the medians of each
and the ratio new/old.

    python -m tests.benchmarks.compare OLD_CHECKOUT [--times 3] [--only WORK …] [--smallest]

The work: the quick sweep of two models and 24 static int8 variants of a ResNet-8, each cold in a
LAB_HOME of its own and from the command line; the Results page of 5,000 trials, opened and filtered.
Each checkout is run by the Python of its own `.venv`, where it has one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.form import TINY, spec_arguments

HERE = Path(__file__).parents[2]
STATIC: Mapping[str, Any] = {
    "space": {
        "onnx_static_int8": {
            "method": ["minmax", "entropy", "percentile"],
            "per_channel": [False, True],
            "reduce_range": [False, True],
            "preprocess": [False, True],
        }
    },
    "targets": ["ort"],
    "rounds": 10,
    "runs": 20,
    "turn_s": 10.0,
}
"""24 variants of 200 timed runs each."""
TRIALS = {False: 5000, True: 200}

Seconds = Mapping[str, float]
"""Name of a figure -> seconds."""


def sweep(model: str, spec: Mapping[str, Any], checkout: Path) -> Seconds:
    """Wall time of a sweep that nothing is known about."""
    with TemporaryDirectory() as folder:
        arguments = spec_arguments(Path(folder), dict(spec))
        start = time.perf_counter()
        _run(checkout, folder, "-m", "lab", "sweep", model, *arguments)
        return {"": time.perf_counter() - start}


def page(trials: int, checkout: Path) -> Seconds:
    """Seconds of the first view and of a rerun with another filter."""
    with TemporaryDirectory() as folder:
        script = str(Path(__file__).with_name("rerun_page.py"))
        shown = json.loads(_run(checkout, folder, script, str(trials)).splitlines()[-1])
    return {", first view": shown["first"], ", rerun": median(shown["reruns"])}


def _run(checkout: Path, home: str, *arguments: str) -> str:
    own = checkout / ".venv/bin/python"
    done = subprocess.run(
        [str(own) if own.exists() else sys.executable, *arguments],
        cwd=checkout,
        env={**os.environ, "LAB_HOME": f"{home}/home", "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{checkout}: {' '.join(arguments)}\n{done.stderr}")
    return done.stdout


def works(smallest: bool) -> dict[str, Callable[[Path], Seconds]]:
    """Name -> what is timed in a checkout."""
    quick, static = (TINY, TINY) if smallest else ({}, STATIC)
    return {
        "digits_lenet": partial(sweep, "digits_lenet", quick),
        "langid_transformer": partial(sweep, "langid_transformer", quick),
        "static_int8": partial(sweep, "signs_resnet8", static),
        "page": partial(page, TRIALS[smallest]),
    }


def compare(work: Callable[[Path], Seconds], old: Path, times: int) -> tuple[Any, Any]:
    """Figures of the old checkout and of this one, one each time; which is first alternates."""
    timed: dict[Path, list[Seconds]] = {old: [], HERE: []}
    for n in range(times):
        for checkout in (old, HERE) if n % 2 == 0 else (HERE, old):
            timed[checkout].append(work(checkout))
    return timed[old], timed[HERE]


def show(name: str, old: Sequence[Seconds], new: Sequence[Seconds]) -> None:
    """A line for each figure."""
    for figure in old[0]:
        before, after = (sorted(t[figure] for t in timed) for timed in (old, new))
        spread = f"old {before[0]:.2f} to {before[-1]:.2f}, new {after[0]:.2f} to {after[-1]:.2f}"
        print(
            f"{name}{figure}: new/old {median(after) / median(before):.3f}, medians of {len(old)}:"
            f" new {median(after):.2f} s, old {median(before):.2f} s ({spread})",
            flush=True,
        )


def main() -> None:
    """Compare the works that were asked for."""
    known = list(works(True))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=lambda path: Path(path).resolve(), metavar="OLD_CHECKOUT")
    parser.add_argument("--times", type=int, default=3, help="turns of each (default 3)")
    parser.add_argument("--only", nargs="+", choices=known, default=known, help="part of the work")
    parser.add_argument("--smallest", action="store_true", help="show that it runs")
    given = parser.parse_args()
    for name in given.only:
        show(name, *compare(works(given.smallest)[name], given.old, given.times))


if __name__ == "__main__":
    main()
