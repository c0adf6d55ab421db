"""The command that shows what pruning costs."""

from __future__ import annotations

import argparse
from pathlib import Path

import lab
from lab.cli.output import check_writable, follow, table, write, writes_json
from lab.errors import LabError, UsageError
from lab.questions.lessons import SHARES, STEPS


def pruning(model: str, shares: str, steps: int, runtime: str, json_file: Path | None) -> None:
    """Show what pruning costs a model: whole channels against single weights, with and without
    fine-tuning.
    """
    from lab.plots.pruning.sentences import pruning_texts
    from lab.plots.pruning.table import pruning_json, pruning_rows

    check_writable(json_file)
    spec = lab.pruning_spec(model, _shares(shares), steps, runtime)
    study = follow(lab.start(spec, "What pruning costs"))
    result = lab.pruning(study.id)
    if json_file is not None:
        write({"study": study.id, **pruning_json(result)}, json_file)
    if str(json_file) != "-":
        rows = pruning_rows(result)
        print(f"study {study.id}: what pruning costs")
        table(list(rows[0]) if rows else [], [list(row.values()) for row in rows])
        print(*pruning_texts(result, {t.id: t for t in lab.trials(study.id)}), sep="\n")
    if not any(line.points for line in result.lines):
        why = next((text for line in result.lines for _, text in line.failed), "")
        raise LabError(f"Nothing could be measured in study {study.id}", given=why)


def _shares(text: str) -> tuple[float, ...]:
    """Numbers from text such as "0.2,0.5".

    Raises:
        UsageError: the text is no such list.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(
            "--shares takes numbers", allowed="such as 0.2,0.5,0.8", given=text
        ) from error


def pruning_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `pruning`."""
    usual = ",".join(map(str, SHARES))
    p.add_argument("model", help="id of a model of PyTorch or Keras, as `models` lists them")
    p.add_argument(
        "--shares",
        metavar="S,S",
        default=usual,
        help=f"shares of the weights that go (default: {usual})",
    )
    p.add_argument(
        "--steps",
        type=int,
        default=STEPS,
        metavar="N",
        help=f"steps of each fine-tuning (default: {STEPS})",
    )
    p.add_argument("--runtime", default="ort", help="where all of it runs (default: ort)")
    writes_json(p)
