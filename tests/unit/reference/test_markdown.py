"""Elements of the reference."""

from lab.reference.markdown import code, linked, table


def test_a_bar_in_a_cell_does_not_end_it():
    assert table(["a"], [["x | y"]]) == "| a |\n| --- |\n| x \\| y |\n"


def test_a_cell_is_one_line():
    assert table(["a"], [["one\n  two"]]).endswith("| one two |\n")


def test_no_names_are_a_dash():
    assert code() == linked("options.md") == "–"


def test_names_are_code_or_links_to_their_headings():
    assert code("a", "b") == "`a`, `b`"
    assert linked("options.md", "a") == "[`a`](options.md#a)"
