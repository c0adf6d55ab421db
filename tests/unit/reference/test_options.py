"""Options in the reference: each distinct one once, with its users."""

import pytest

from lab import registry
from lab.options import Option
from lab.plugs import Technique
from lab.reference.options import options


def technique(id_: str, *own: Option) -> Technique:
    return Technique(
        id=id_,
        title=id_,
        help="Does nothing.",
        accepts=("onnx",),
        produces="onnx",
        apply=lambda source, params, context: source,
        options=own,
    )


def steps(default: int = 1, high: int = 9, **more) -> Option:
    return Option("steps", "Steps", "int", default, "Counts the steps.", low=1, high=high, **more)


@pytest.fixture
def page(monkeypatch):
    def of(*found: Technique) -> str:
        monkeypatch.setattr(registry, "techniques", lambda: {t.id: t for t in found})
        monkeypatch.setattr(registry, "runtimes", dict)
        return options()

    return of


def test_an_option_that_two_have_alike_is_one_row(page):
    text = page(technique("a", steps()), technique("b", steps()))
    assert text.count("Counts the steps. Allowed: int from 1 to 9.") == 1
    assert "| [`a`](techniques.md#a), [`b`](techniques.md#b) | `1` | – |" in text


def test_another_default_is_another_row_of_the_same_option(page):
    text = page(technique("a", steps()), technique("b", steps(default=5)))
    assert text.count("Counts the steps.") == 1
    assert "| [`a`](techniques.md#a) | `1` | – |" in text
    assert "| [`b`](techniques.md#b) | `5` | – |" in text


def test_other_bounds_are_another_paragraph_under_the_same_heading(page):
    text = page(technique("a", steps()), technique("b", steps(high=3)))
    assert text.count("## steps") == 1
    assert text.count("Counts the steps.") == 2


def test_presets_that_try_other_values_are_named(page):
    text = page(technique("a", steps(sweep={"full": (1, 2)})))
    assert "| `1` | full: 1, 2 |" in text


def test_nothing_is_a_word(page):
    empty = Option("keep", "Keep", "names", (), "Keeps layers.")
    off = Option("fast", "Fast", "bool", False, "Is fast.")
    text = page(technique("a", empty, off))
    assert "| `none` | – |" in text
    assert "| `false` | – |" in text
