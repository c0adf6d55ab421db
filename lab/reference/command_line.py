"""Commands of `python -m lab`, read from their argument parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from lab.cli.commands import parser as lab_parser
from lab.reference.markdown import code, link, table


def command_line() -> str:
    """Return an overview, and a section for each command."""
    commands = _commands()
    overview = table(
        ["command", "does"],
        [[link(f"`{name}`", f"#{name}"), _about(p)] for name, p in commands.items()],
    )
    sections = "\n".join(_section(name, p) for name, p in commands.items())
    status = (
        "Exit status: 0 when a study finished (failed trials are data), 1 when nothing could be"
        " run, 2 for bad usage."
    )
    return f"{overview}\n{status}\n\n{sections}"


def _commands() -> dict[str, argparse.ArgumentParser]:
    for action in lab_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _section(name: str, parser: argparse.ArgumentParser) -> str:
    found = [a for a in parser._actions if not isinstance(a, argparse._HelpAction)]
    usage = " ".join(["python -m lab", name, *map(_usage, found)])
    rows = [[code(_spelled(a)), _help(a)] for a in found]
    arguments = f"\n{table(['argument', 'is'], rows)}" if rows else ""
    return f"## {name}\n\n{_about(parser)}\n\n```\n{usage}\n```\n{arguments}"


def _about(parser: argparse.ArgumentParser) -> str:
    return " ".join((parser.description or "").split())


def _usage(action: argparse.Action) -> str:
    text = _spelled(action)
    if action.option_strings:
        return text if action.required else f"[{text}]"
    return {"?": f"[{text}]", "*": f"[{text} …]", "+": f"{text} …"}.get(str(action.nargs), text)


def _spelled(action: argparse.Action) -> str:
    """Return an argument as it is typed: "MODEL", "--json FILE", "--remeasure"."""
    value = str(action.metavar or _choices(action) or action.dest.upper())
    if not action.option_strings:
        return value
    flag = action.option_strings[-1]
    return flag if action.nargs == 0 else f"{flag} {value}"


def _choices(action: argparse.Action) -> str:
    return "{" + ",".join(map(str, action.choices)) + "}" if action.choices else ""


def _help(action: argparse.Action) -> str:
    parts = [p for p in _parts(action) if p]
    return "; ".join(parts) or "–"


def _parts(action: argparse.Action) -> Iterator[str]:
    yield (action.help or "").replace("%%", "%")
    if action.default not in (None, "", False, True) and "default" not in (action.help or ""):
        yield f"default {action.default}"
