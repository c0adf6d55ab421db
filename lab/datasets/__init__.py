"""One file a data set: splits that never overlap, fixed by seed and digest."""
