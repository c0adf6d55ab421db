"""Notes are Markdown that cannot do anything: tried with what people try."""

from __future__ import annotations

import re

import pytest

from lab.plots import formatting

TRICKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "![track](https://elsewhere.example/x.png)",
    "! [track](https://elsewhere.example/x.png)",
    "![track][1]\n\n[1]: https://elsewhere.example/x.png",
    "[x](javascript:alert(1))",
    "[x]( JaVaScRiPt:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "[x][1]\n\n[1]: javascript:alert(1)",
    "[x](\\javascript:alert(1))",
    "\\<script>alert(1)</script>",
    "<javascript:alert(1)>",
    "<https://elsewhere.example>",
    "$\\href{javascript:alert(1)}{x}$",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_no_tag_picture_formula_or_other_link_is_left(trick: str) -> None:
    safe = formatting.note(trick)
    unescaped = lambda sign: re.search(rf"(?<!\\)(?:\\\\)*{sign}", safe)  # noqa: E731
    assert not unescaped("<")
    assert not unescaped("!")
    assert not unescaped(r"\$")
    for link in re.finditer(r"(?<!\\)\]\s*\(\s*([^)]*)", safe):
        assert re.match(r"https?://|mailto:|#", link[1])
    assert not re.search(r"(?<!\\)\]\s*\[|^\s*(?<!\\)\[[^\]\\]+\]:", safe, re.MULTILINE)


def test_what_markdown_is_for_stays() -> None:
    text = (
        "# Why\n\n**Ship** `static_wi8_ai8`, see [the"
        " paper](https://arxiv.org/abs/1712.05877):\n\n- smaller\n- 3 × faster"
    )
    assert formatting.note(text) == text
