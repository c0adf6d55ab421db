"""The parser: every command is in it, with a whole sentence of help."""

from __future__ import annotations

import argparse

import pytest

from lab.cli.commands import COMMANDS, main, parser


def commands() -> dict[str, argparse.ArgumentParser]:
    whole = parser()
    (action,) = (a for a in whole._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def test_every_command_is_in_the_parser() -> None:
    assert list(commands()) == [command.__name__.rstrip("_") for command in COMMANDS]


@pytest.mark.parametrize("name", list(commands()))
def test_the_help_of_a_command_is_a_whole_sentence(name: str) -> None:
    assert (commands()[name].description or "").endswith(".")


@pytest.mark.parametrize(
    ("arguments", "status"), [([], 2), (["nonsense"], 2), (["show", "--nonsense"], 2)]
)
def test_bad_usage_has_exit_status_2(arguments: list[str], status: int) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == status
