"""The command that tests this machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import lab
from lab.cli.output import check_writable, write, writes_json


def doctor(repeat: int, json_file: Path | None) -> None:
    """Test this machine: can its timings be trusted, what can it compute, and what is missing."""
    from lab.plots.doctor import doctor_lines

    check_writable(json_file)
    print("  testing this machine, half a minute or more: leave it alone", file=sys.stderr)
    lab.doctor(repeat)
    result = lab.last_self_test()
    if result is not None and json_file is not None:
        write(result.to_json(), json_file)
    if result is not None and str(json_file) != "-":
        print(*doctor_lines(result.checks), sep="\n")


def doctor_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `doctor`."""
    p.add_argument(
        "--repeat",
        type=_positive,
        default=3,
        metavar="N",
        help="comparisons whose answer is known (default 3); 40 tell a rate, in some minutes",
    )
    writes_json(p)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
