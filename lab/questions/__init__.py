"""Studies that ask one thing, and explanations of trials."""
