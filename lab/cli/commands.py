"""The command line: its commands, its parser, its exit status.

Exit status: 0 when a study finished (failed trials are data), 1 when nothing could be run, 2 for
bad usage.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable

from lab.cli.across import across, across_arguments
from lab.cli.adding import add, add_arguments
from lab.cli.doctor import doctor, doctor_arguments
from lab.cli.exporting import export, export_arguments, import_, import_arguments
from lab.cli.listing import (
    datasets,
    datasets_arguments,
    list_arguments,
    models,
    runtimes,
    studies,
    techniques,
)
from lab.cli.pruning import pruning, pruning_arguments
from lab.cli.serving import serve, serve_arguments
from lab.cli.sharing import links, links_arguments, note, note_arguments
from lab.cli.sweeping import (
    cancel,
    resume,
    show,
    study_and_json_arguments,
    study_arguments,
    sweep,
    sweep_arguments,
)
from lab.cli.training import train, train_arguments
from lab.cli.trial import (
    compare,
    compare_arguments,
    explain,
    explain_arguments,
    profile,
    profile_arguments,
    scaling,
    scaling_arguments,
    sensitivity,
    sensitivity_arguments,
)
from lab.errors import LabError, UsageError

# argparse, not typer: typer brings pydantic, whose import costs as much as a whole sweep that is
# cached.


def main(arguments: list[str] | None = None) -> None:
    """Run a command; errors of the lab end it with one message and an exit status."""
    given = vars(parser().parse_args(arguments))
    command = given.pop("command")
    try:
        command(**given)
    except UsageError as error:
        _stop(error, 2)
    except LabError as error:
        _stop(error, 1)


def _stop(error: LabError, status: int) -> None:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(status)


def parser() -> argparse.ArgumentParser:
    """Make the parser of all commands; the help of a command is its docstring."""
    whole = argparse.ArgumentParser(
        prog="python -m lab",
        description="Find out how small, how fast and how accurate a model can be on its device.",
    )
    commands = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command, add_arguments_to in COMMANDS.items():
        help_ = " ".join(inspect.cleandoc(command.__doc__ or "").split())
        added = commands.add_parser(command.__name__.rstrip("_"), help=help_, description=help_)
        added.set_defaults(command=command)
        add_arguments_to(added)
    return whole


COMMANDS: dict[Callable[..., None], Callable[[argparse.ArgumentParser], None]] = {
    models: list_arguments,
    datasets: datasets_arguments,
    techniques: list_arguments,
    runtimes: list_arguments,
    sweep: sweep_arguments,
    show: study_and_json_arguments,
    sensitivity: sensitivity_arguments,
    scaling: scaling_arguments,
    compare: compare_arguments,
    across: across_arguments,
    pruning: pruning_arguments,
    profile: profile_arguments,
    explain: explain_arguments,
    links: links_arguments,
    note: note_arguments,
    studies: lambda p: None,
    resume: study_and_json_arguments,
    cancel: study_arguments,
    export: export_arguments,
    import_: import_arguments,
    add: add_arguments,
    train: train_arguments,
    doctor: doctor_arguments,
    serve: serve_arguments,
}
