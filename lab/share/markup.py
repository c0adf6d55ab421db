"""HTML that is safe by how it is made: whatever is put into an element is escaped, unless it is
itself made here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any

VOID = ("meta", "br", "hr")


class Html(str):
    """Markup; any other text is escaped where it is put into some."""


def el(name: str, /, *children: object, **attributes: object) -> Html:
    """An element.

    Args:
        children: markup, text, numbers, None (left out), or iterables of them.
        attributes: `class_` is class, `aria_label` is aria-label; True stands for the bare name,
            None and False leave it out.
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    return (
        Html(f"<{name}{given}>")
        if name in VOID
        else Html(f"<{name}{given}>{joined(children)}</{name}>")
    )


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def joined(children: object) -> Html:
    """Children one after the other, as `el` takes them."""
    if children is None:
        return Html()
    if isinstance(children, Html):
        return children
    if isinstance(children, str) or not isinstance(children, Iterable):
        return Html(escape(str(children)))
    return Html("".join(map(joined, children)))


def json_in_script(value: Any) -> Html:
    """JSON that may stand inside a <script>: no tag, comment or entity can begin in it, and no line
    ends that JavaScript has and
    JSON has not.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Html(text)
