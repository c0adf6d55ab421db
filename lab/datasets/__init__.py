"""Datasets, one file each: splits that never overlap, fixed by seed and digest."""
