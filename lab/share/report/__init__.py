"""A study as one HTML file that works offline: figures, tables, the pick with its reasons, recipes,
and how all of it was measured.

`values` gathers what is shown, `results`, `background` and `figures` lay it out, `page` makes the
file.
"""
