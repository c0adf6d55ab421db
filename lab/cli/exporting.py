"""Commands that write a study to a file, and that read one of another lab."""

from __future__ import annotations

import argparse
from pathlib import Path

import lab
from lab.cli.output import check_writable


def export(study: str, to: Path, models: bool) -> None:
    """Write a study to a file, or a trial's model with a README of how to load it."""
    check_writable(to)
    print(
        lab.export_model(study, to)
        if to.suffix == ".zip"
        else lab.export(study, to, artifacts=models)
    )


def export_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `export`."""
    p.add_argument(
        "study",
        help=(
            "id of a study, as `studies` lists them; for .zip that of a trial, as `show` lists them"
        ),
    )
    p.add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="FILE",
        help=(
            "FILE.html (a report that works offline), .ipynb (a notebook that runs it again), .csv,"
            " .parquet, .json, .lab (for another lab) or .zip (a trial's model file)"
        ),
    )
    p.add_argument(
        "--without-models",
        dest="models",
        action="store_false",
        help="leave the model files out of a .lab file",
    )


def import_(file: Path) -> None:
    """Read a .lab file into this lab."""
    print(lab.import_study(file))


def import_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of `import`."""
    p.add_argument("file", type=Path, help="FILE.lab")
