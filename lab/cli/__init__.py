"""The command line: `python -m lab COMMAND`."""

from lab.cli.commands import main

__all__ = ["main"]
