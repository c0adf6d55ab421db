"""Studies, trials and artifacts on disk: the source of truth."""
