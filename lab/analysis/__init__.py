"""Pure functions of values: the front, comparisons, picks."""
