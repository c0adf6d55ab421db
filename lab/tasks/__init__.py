"""One file a task: what models are for, and by which metric they are judged."""
