"""More threads that change nothing."""

from __future__ import annotations

from lab.analysis.differences import surely_faster
from lab.evidence import Finding
from lab.plugs import Case, Rule
from lab.rules._evidence import finding, latency, twin
from lab.rules._words import seconds, times


def _find(case: Case) -> Finding | None:
    threads = int(case.trial.target.options.get("threads", 1))
    fewer = next(
        (t for n in range(1, threads) if (t := twin(case, "threads", n)) and latency(t)), None
    )
    mine, theirs = latency(case.trial), latency(fewer)
    if fewer is None or mine is None or theirs is None or surely_faster(case.trial, fewer):
        return None
    before = int(fewer.target.options["threads"])
    text = (
        f"{threads} threads are not surely faster than {before}: {seconds(mine.value)} against"
        f" {seconds(theirs.value)}, {times(mine.value / theirs.value)} the time."
    )
    remedy = (
        f"Take {before} thread{'s' if before > 1 else ''}: the layers are too small to be shared"
        " out, or other work needs the cores."
    )
    return finding(
        "threads_without_effect",
        "speed",
        text,
        remedy,
        1 - 1 / threads,
        threads=threads,
        fewer=before,
        trial=fewer.id,
    )


RULE = Rule(
    id="threads_without_effect",
    title="More threads change nothing",
    help=(
        "Threads share out each operator and then wait for each other. For small operators the"
        " waiting costs as much as the sharing gains."
    ),
    find=_find,
)
