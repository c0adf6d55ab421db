"""Jobs: what runs where, in which process, under which limits."""
