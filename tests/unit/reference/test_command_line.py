"""Arguments of commands in the reference."""

import argparse

import pytest

from lab.reference.command_line import _help, _section, _usage


def argument(*names, **more) -> argparse.Action:
    return argparse.ArgumentParser().add_argument(*names, **more)


@pytest.mark.parametrize(
    ("action", "usage"),
    [
        (argument("study"), "STUDY"),
        (argument("text", nargs="?", metavar="MARKDOWN"), "[MARKDOWN]"),
        (argument("studies", nargs="+", metavar="STUDY"), "STUDY …"),
        (argument("--to", required=True, metavar="FILE"), "--to FILE"),
        (argument("--json", action="store_true"), "[--json]"),
        (argument("--layout", choices=("NHWC", "NCHW")), "[--layout {NHWC,NCHW}]"),
    ],
)
def test_usage_is_as_it_is_typed(action, usage):
    assert _usage(action) == usage


def test_a_default_is_told_once():
    assert _help(argument("--port", type=int, default=8501)) == "default 8501"
    assert _help(argument("--n", default=3, help="how many (default 3)")) == "how many (default 3)"
    assert _help(argument("--on", action="store_true")) == "–"
    assert _help(argument("--most", help="at most 5 %%")) == "at most 5 %"


def test_a_command_without_arguments_has_no_table():
    text = _section("studies", argparse.ArgumentParser(description="List the studies."))
    assert text == "## studies\n\nList the studies.\n\n```\npython -m lab studies\n```\n"
