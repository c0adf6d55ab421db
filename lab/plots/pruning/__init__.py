"""Effects of pruning as plots, as a table, and in sentences."""
