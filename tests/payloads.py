"""Texts that would do something, were they taken for HTML, Markdown, JavaScript or a template."""

from __future__ import annotations

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</script><script>alert(1)</script>",
    "</title></style><h1 id=evil>evil</h1>",
    "<!--<script>",
    "[x](javascript:alert(1))",
    "![x](https://example.invalid/x.png)",
    "${7*7} {{7*7}} {7*7} %{7*7}",
    "\u2028alert(1)\u2029",
    "`code` **bold** _it_ | cell | # head\n# head",
    "```\nimport os\n```",
    '<a href="https://example.invalid">a</a>',
    "a & b < c > d 'e' \"f\"",
    "\\u003cscript\\u003e",
)
